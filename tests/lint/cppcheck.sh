#!/bin/bash
# cppcheck over the product's sources. What it is told not to say stands in cppcheck.suppressions with the reason.
# usage: cppcheck.sh SOURCE BUILD
set -euo pipefail
cd "${1:?SOURCE}"
build=${2:?BUILD}
command -v cppcheck >/dev/null || { echo "SKIPPED: cppcheck is not installed"; exit 77; }
mkdir -p "$build/cppcheck"
cppcheck -j 2 --quiet --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
    --cppcheck-build-dir="$build/cppcheck" --suppressions-list=tests/lint/cppcheck.suppressions -D_GNU_SOURCE -D__GNUC__ \
    -DDROVER_VERSION='"0"' -Iinclude -Iplanner -Iplanner/sim -Ischeduler/core -Ischeduler/io -Ischeduler/cli -Iconf planner scheduler conf
