#!/bin/bash
# From a fresh Debian 12 to a drained host: installs what is missing, builds, and empties one host of its running guests. Where the
# machine allows it (root, network namespaces) the hosts are real: libvirtd and QEMU, each in namespaces of its own. Elsewhere
# it says so and uses simulated hosts. Leaves nothing running.
# usage: quickstart.sh [--sim]
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
top=$PWD
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

simulated=
case ${1:-} in
'') ;;
--sim) simulated="--sim was given" ;;
*) sed -n '2,5s/^# //p' "$0" >&2; exit 64 ;;
esac

step() { echo; echo "== $*"; }
run() { echo; echo "\$ drover $*"; "$drover" -c "$scratch/drover.conf" --state "$scratch/state.db" "$@"; }

# $DROVER_BIN: the programs are there already (as in the tests).
build() {
    drover=${DROVER_BIN:-$top/build/bin}/drover
    [ -z "${DROVER_BIN:-}" ] || return 0
    step "Building"
    # shellcheck disable=SC2086,SC2154
    packages_need $packages_build
    cmake -S . -B build -G Ninja >/dev/null
    cmake --build build -j "$(nproc)" --target drover | tail -n 1
}

# Sets $simulated to the reason when there can be no real hosts.
look_for_lab() {
    local output
    [ -z "$simulated" ] || return 0
    [ "$(id -u)" = 0 ] || { simulated="real hosts need root"; return 0; }
    # shellcheck disable=SC2086,SC2154
    packages_need $packages_lab || { simulated="packages for real hosts are missing"; return 0; }
    output=$(tests/support/needs-lab true) || simulated=${output#SKIPPED: }
}

real_hosts() {
    export DROVER_LAB_OWNER=$$
    trap 'tests/lab/lab down; rm -rf "$scratch"' EXIT
    step "Four real hosts with libvirtd, links of 200 Mbit/s, and six guests on h1, two of them with local disks"
    tests/lab/lab up --hosts 4 --rate 200mbit --networks 2
    tests/lab/lab guest --count 4 --prefix web --host h1 --fill 48 --ws 4 --dirty 1
    tests/lab/lab guest db1 --host h1 --fill 48 --disk raw:64:1
    tests/lab/lab guest db2 --host h1 --fill 48 --disk qcow2:64:1
    # The plan knows the links; with rate = auto it would assume 1 Gbit/s until the first moves have measured them.
    tests/lab/lab conf | sed 's|^rate = auto|rate = 200 Mbit/s|' >"$scratch/drover.conf"
    tests/lab/lab reset-beats
}

simulated_hosts() {
    step "Simulated hosts, because $simulated"
    cp examples/maintenance-drain/world.json examples/maintenance-drain/drover.conf "$scratch"
}

drain() {
    step "The hosts, the plan, and the drain of h1"
    run inventory
    run drain h1 --yes --reason "quick start"
    run history
    if "$drover" -c "$scratch/drover.conf" --state "$scratch/state.db" inventory -o csv | cut -d, -f3 | grep -qx h1; then
        echo "guests are left on h1" >&2
        exit 1
    fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
build
look_for_lab
if [ -n "$simulated" ]; then simulated_hosts; else real_hosts; fi
drain
if [ -z "$simulated" ]; then
    step "Every guest, as seen from outside: where it runs, longest silence, lost or doubled beats, disk content"
    tests/lab/lab check
fi
echo
echo "h1 is empty. Next: examples/maintenance-drain/README.md"
