#!/bin/bash
# Moves what a CSV file lists. See README.md.
# usage: run.sh [CONFIG MOVES.csv [OPTION...]]      without arguments: the simulated hosts beside this script
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=examples/find-drover.sh
. "$here/../find-drover.sh"

config=${1:-$here/drover.conf}
moves=${2:-$here/moves.csv}
if [ $# -gt 2 ]; then shift 2; else set --; fi
[ "$config" != "$here/drover.conf" ] || set -- --map new
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
run() { echo; echo "\$ drover $*"; drover -c "$config" --state "$scratch/state.db" "$@"; }

run inventory
run plan batch "$moves" "$@"
drover -c "$config" --state "$scratch/state.db" plan batch "$moves" "$@" -o json >"$scratch/plan.json"
echo
echo "The plan is saved; this is where a colleague reads it. It is refused if a host or guest has changed by the time it is applied."
run apply "$scratch/plan.json" --yes
run report 1 -o csv
