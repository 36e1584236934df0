# shellcheck shell=bash
# The checker: what happened to each guest, seen from outside.

lab_reset_beats() { need_up; "$LAB_DIR/build/beats" reset "$LAB_DIR/beats.log"; }

declare -A running_on=() inactive_on=() paused_on=()

# Asks every libvirtd; unreachable is an answer of its own and never means absent.
ask_hosts() {
    local host name state text scratch=$1
    unreachable=()
    for host in $(hosts); do
        (virsh_within 20 -q -c "$(host_uri "$host")" list --all >"$scratch/list.$host" 2>/dev/null || rm -f "$scratch/list.$host") &
    done
    wait
    for host in $(hosts); do
        [ -e "$scratch/list.$host" ] || { unreachable+=("$host"); continue; }
        while read -r _ name state; do
            [ -n "$name" ] || continue
            case $state in
            running | idle | "in shutdown" | "no state") running_on[$name]+="$host " ;;
            paused) paused_on[$name]+="$host " ;;
            *) inactive_on[$name]+="$host " ;;
            esac
        done <"$scratch/list.$host"
        text=$(awk '$3 == "running" || $3 == "idle" || $3 == "paused" { printf "domblklist %s; ", $2 }' "$scratch/list.$host")
        : >"$scratch/disks.$host"
        [ -z "$text" ] || virsh_within 20 -q -c "$(host_uri "$host")" "$text" 2>/dev/null |
            awk '$2 != "-" { print $2 }' | sort -u >"$scratch/disks.$host" || true
    done
}

# What lies in a host's pool and belongs to no guest that is active there. Backing files and CD-ROM images are meant to stay.
host_leftovers() {
    local host=$1 scratch=$2 file name
    for file in "$(images_of "$host")/"*; do
        [[ -e $file && $file != *.base.qcow2 && $file != *.iso ]] || continue
        grep -qxF "/var/lib/libvirt/images/${file##*/}" "$scratch/disks.$host" 2>/dev/null || echo "volume ${file##*/}"
    done
    for name in "${!inactive_on[@]}"; do
        [[ " ${inactive_on[$name]}" != *" $host "* ]] || echo "definition $name"
    done
}

# Verifies one disk where the guest runs; prints "ok|BAD on_disk acknowledged proven lost foreign".
check_disk() {
    local name=$1 host=$2 target=$3 number=$4 kind=$5 bytes=$6 scratch=$7 deep=$8 file copy result verdict=ok
    copy=$scratch/disk.$name.$target
    file=$(readable_disk "$name" "$host" "$target" "$kind" "$copy" "$deep") || { echo "BAD $target not attached"; return; }
    # shellcheck disable=SC2086  # deep is a word or nothing
    result=$("$LAB_DIR/build/labdisk" verify "$file" "$(guest_id "$name")" "$number" "$LAB_DIR/beats.log" "$bytes" "$name" $deep 2>&1) || verdict=BAD
    rm -f "$copy"
    echo "$verdict $target ${result//$'\t'/ }"
}

lab_check() {
    local max_gap=1000 host_of='' deep='' leftovers_ok='' output=table scratch
    while [ $# -gt 0 ]; do
        case $1 in
        --max-gap) max_gap=$2; shift ;;
        --host-of) host_of=1 ;;
        --deep) deep=deep ;;
        --allow-leftovers) leftovers_ok=1 ;;
        -o) output=$2; shift ;;
        -ojson) output=json ;;
        *) die "check: unknown option $1" ;;
        esac
        shift
    done
    need_up
    scratch=$(mktemp -d "$LAB_DIR/check.XXXXXX")
    # shellcheck disable=SC2064  # the path of now
    trap "rm -rf '$scratch'" EXIT
    local unreachable=()
    ask_hosts "$scratch"
    if [ -n "$host_of" ]; then
        for name in $(known_guests); do echo "$name ${running_on[$name]:-${paused_on[$name]:-(nowhere)}}"; done
        return
    fi
    check_all >"$scratch/rows"
    jq -Rn --argjson max_gap "$max_gap" --arg leftovers_ok "$leftovers_ok" -f "$HERE/lib/check.jq" <"$scratch/rows" >"$scratch/result"
    if [ "$output" = json ]; then jq -c . "$scratch/result"; else jq -r -f "$HERE/lib/table.jq" "$scratch/result"; fi
    jq -e .good "$scratch/result" >/dev/null
}

known_guests() { local folder; for folder in "$LAB_DIR"/guests/*/; do [ ! -e "$folder/xml" ] || basename "$folder"; done; }

# Tab separated rows: guest NAME RUNNING PAUSED BEATS...; disk NAME TEXT; leftover HOST TEXT; unreachable HOST.
check_all() {
    local name host bytes target number kind
    "$LAB_DIR/build/beats" report "$LAB_DIR/beats.log" >"$scratch/beats"
    # Only what was recorded before the disks are read can be demanded of them.
    bytes=$(stat -c %s "$LAB_DIR/beats.log")
    for name in $(known_guests); do
        printf 'guest\t%s\t%s\t%s\t%s\n' "$name" "${running_on[$name]:-}" "${paused_on[$name]:-}" \
            "$(awk -F'\t' -v n="$name" '$1 == n' "$scratch/beats" | cut -f2-)"
        host=${running_on[$name]:-${paused_on[$name]:-}}
        host=${host%% *}
        [ -n "$host" ] || continue
        while read -r target number kind _; do
            printf 'disk\t%s\t%s\n' "$name" "$(check_disk "$name" "$host" "$target" "$number" "$kind" "$bytes" "$scratch" "$deep")"
        done <"$LAB_DIR/guests/$name/disks"
    done
    for host in $(hosts); do
        [ -e "$scratch/list.$host" ] || { printf 'unreachable\t%s\n' "$host"; continue; }
        host_leftovers "$host" "$scratch" | while read -r name; do printf 'leftover\t%s\t%s\n' "$host" "$name"; done
    done
    recorded_pid "$LAB_DIR/recorder.pid" >/dev/null || printf 'unreachable\t%s\n' "the recorder (gaps cannot be told)"
}
