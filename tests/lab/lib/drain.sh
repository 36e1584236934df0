# shellcheck shell=bash
# The throw-away peer: what an administrator with virsh and a loop would do. The benchmark's competitor.

# Disks the target must have first: same names and sizes, empty.
precreate_disks() { # NAME FROM TO
    local name=$1 from=$2 to=$3 target path format capacity
    while read -r target path; do
        format=${path##*.}
        capacity=$(lab_virsh "$from" domblkinfo "$name" "$target" | awk '$1 == "Capacity:" { print $2 }')
        lab_virsh "$to" vol-create-as images "${path##*/}" "$capacity" --format "$format" >/dev/null || return 1
    done < <(lab_virsh "$from" domblklist "$name" | awk 'NF >= 2 { print $1, $2 }')
}

move_one() { # NAME FROM TO DEADLINE
    local name=$1 from=$2 to=$3 deadline=$4 storage=() left persistent=() started code=0
    started=$SECONDS
    if [ -n "$(lab_virsh "$from" domblklist "$name" | xargs)" ]; then
        storage=(--copy-storage-all)
        precreate_disks "$name" "$from" "$to" || { say "$name: no disks on $to"; return 1; }
    fi
    # Not grep -q: it would end the pipe early, and pipefail would call a found name absent.
    if lab_virsh "$from" list --name --persistent | grep -x "$name" >/dev/null; then persistent=(--persistent --undefinesource); fi
    left=$((deadline - SECONDS))
    [ "$left" -gt 0 ] || { say "$name: no time left"; return 1; }
    virsh_within "$left" -q -c "$(host_uri "$from")" migrate --live --p2p "${persistent[@]}" "${storage[@]}" "$name" \
        "$(host_peer_uri "$to")" --migrateuri "tcp://$(host_migration_address "$to")" 9>&- || code=$?
    if [ "$code" != 0 ]; then
        # The source goes on without its client: stop it, or the next measurement has a stranger on its link.
        lab_virsh "$from" domjobabort "$name" >/dev/null 2>&1 || true
        say "$name: not moved to $to ($([ "$code" = 124 ] && echo time limit || echo "virsh $code"))"
        return 1
    fi
    say "$name: $from to $to in $((SECONDS - started)) s"
}

lab_virsh_drain() {
    local from=${1:?HOST} parallel=${2:?K or all} limit=150 names targets=() host name i=0 running=0 failed=0 began ended deadline
    host_known "$from"
    if [ "${3:-}" = --limit ]; then limit=$4; fi
    mapfile -t names < <(lab_virsh "$from" list --name | grep .)
    for host in $(hosts); do [ "$host" = "$from" ] || targets+=("$host"); done
    [ ${#targets[@]} -gt 0 ] || die "no other host"
    if [ "$parallel" = all ]; then parallel=${#names[@]}; fi
    deadline=$((SECONDS + limit))
    began=$(date +%s%N)
    for name in "${names[@]}"; do
        if [ "$running" -ge "$parallel" ]; then
            wait -n || failed=$((failed + 1))
            running=$((running - 1))
        fi
        move_one "$name" "$from" "${targets[i % ${#targets[@]}]}" "$deadline" &
        i=$((i + 1))
        running=$((running + 1))
    done
    while [ "$running" -gt 0 ]; do
        wait -n || failed=$((failed + 1))
        running=$((running - 1))
    done
    ended=$(date +%s%N)
    # virsh leaves the source's volumes behind; they would stand in the way of the next run. Outside the measured time.
    for name in "${names[@]}"; do
        if ! lab_virsh "$from" domstate "$name" >/dev/null 2>&1; then
            rm -f "$LAB_STORE/$from/var/lib/libvirt/images/$name-hd"[abcd].*
        fi
    done
    say "$((${#names[@]} - failed)) of ${#names[@]} moved, $parallel at a time"
    awk -v ns=$((ended - began)) 'BEGIN { printf "%.1f\n", ns / 1e9 }'
    [ "$failed" = 0 ]
}
