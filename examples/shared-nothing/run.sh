#!/bin/bash
# Moves one guest with its disks from a host to another that shares nothing with it. See README.md.
# usage: run.sh [CONFIG GUEST TARGET [OPTION...]]      without arguments: the simulated hosts beside this script
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=examples/find-drover.sh
. "$here/../find-drover.sh"

config=${1:-$here/drover.conf}
guest=${2:-db1}
target=${3:-b1}
if [ $# -gt 3 ]; then shift 3; else set --; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
run() { echo; echo "\$ drover $*"; drover -c "$config" --state "$scratch/state.db" "$@"; }

run inventory
run preflight move "$guest" --to "$target" "$@"
run plan move "$guest" --to "$target" "$@"
run move "$guest" --to "$target" "$@" --yes
run report 1
run report 1 -o csv
run inventory
