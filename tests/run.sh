#!/bin/bash
# Builds drover with warnings as errors and runs every test that this machine can run, the slow ones only with --all. Needs no
# terminal and no preparation: missing Debian packages are installed when root or sudo allows it. Exit code and last lines are ctest's.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

usage() {
    cat <<'USAGE'
usage: tests/run.sh [--all] [-L LABEL] [-R REGEX] [--no-sanitizers] [--asan | --tsan | --clang]
  --all                also the tests labelled slow: every row of lab/features, about half an hour
  -L LABEL, -R REGEX   only tests of that label (unit contract scenario dst golden lint example lab bench) or name
  --no-sanitizers      leave out the second build, under address and undefined-behaviour sanitizers
  --asan --tsan --clang   only that build, and only the tests that make sense with it
USAGE
}

variant=dev
sanitizers=ON
select=()
all=
while [ $# -gt 0 ]; do
    case $1 in
    --all) all=1 ;;
    -L | -R) select+=("$1" "${2:?}"); sanitizers=OFF; shift ;;
    --no-sanitizers) sanitizers=OFF ;;
    --asan | --tsan | --clang) variant=${1#--} ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
    esac
    shift
done
# Other builds show nothing new in scripts, and in the lab they are too slow to say anything of time.
if [ "$variant" != dev ]; then
    sanitizers=OFF
    select+=(-LE 'lint|lab|bench|sanitizers')
elif [ ${#select[@]} = 0 ] && [ -z "$all" ]; then
    select+=(-LE slow)
fi

# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh
# shellcheck disable=SC2086,SC2154
packages_need $packages_build
# What these are for says SKIPPED and why when they are not there.
# shellcheck disable=SC2086,SC2154
packages_need $packages_lint $packages_lab || true
if [ "$variant" = clang ]; then packages_need clang; fi

cmake --preset "$variant" -DDROVER_TEST_SANITIZERS=$sanitizers
cmake --build "build/$variant" -j 2
exec ctest --test-dir "build/$variant" --output-on-failure --timeout 300 -j 2 "${select[@]}" </dev/null
