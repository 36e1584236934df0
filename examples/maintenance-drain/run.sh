#!/bin/bash
# The whole procedure of README.md: look, drain, work on the host, return.
# usage: run.sh [CONFIG [HOST]]      without arguments: the simulated hosts beside this script
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=examples/find-drover.sh
. "$here/../find-drover.sh"

config=${1:-$here/drover.conf}
host=${2:-h1}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
run() { echo; echo "\$ drover $*"; drover -c "$config" --state "$scratch/state.db" "$@"; }

run inventory
run preflight drain "$host"
run drain "$host" --yes --reason "new disks"
run status
[ -z "$(drover -c "$config" --state "$scratch/state.db" inventory -o jsonl | grep -F "\"host\":\"$host\"")" ] ||
    { echo "guests are left on $host" >&2; exit 1; }
echo
echo "$host is empty: this is where its disks are changed."
run return "$host" --yes
run history
