# shellcheck shell=bash
# What the tests on real hosts share: a lab of their own, drover on it, claims. Set HERE before; call suite_begin first.

lab=$HERE/lab
drover=${DROVER_BIN:-$HERE/../../build/bin}/drover
failed=0
failed_claims=
drover_pid=
export DROVER_LAB_OWNER=$$

# Our drover ends before the hosts do: it would go on looking for them.
suite_end() {
    end_drover
    [ "$failed" = 0 ] || show_state >&2 || true
    "$lab" down || true
    rm -rf "$work"
}

suite_begin() { # OPTIONS OF lab up
    local code=0
    [ -x "$drover" ] || { echo "no $drover: build it first, or set DROVER_BIN"; exit 1; }
    work=$(mktemp -d)
    log=${DROVER_LAB_LOG:-$work/log} # of every drover that ran in the background
    : >"$log"
    trap suite_end EXIT
    trap 'exit 130' INT TERM
    "$lab" up "$@" 2>"$work/why" || code=$?
    if [ "$code" = 77 ]; then
        echo "SKIPPED: $(sed -n 's/.*cannot run: //p' "$work/why")"
        exit 77
    elif [ "$code" != 0 ]; then
        cat "$work/why"
        exit 1
    fi
}

end_drover() {
    [ -z "$drover_pid" ] || kill -KILL "$drover_pid" 2>/dev/null || true
    [ -z "$drover_pid" ] || wait "$drover_pid" 2>/dev/null || true
    drover_pid=
}

configure() { # LINES of [scheduler]...: writes $work/conf; the links are told, so that plans are right from the start
    "$lab" conf | sed "s|^rate = auto|rate = 200 Mbit/s|" >"$work/conf"
    local line
    for line in "$@"; do sed -i "s|^\[scheduler\]|&\n$line|" "$work/conf"; done
}
with_shells() { # drover can look into the hosts
    awk -v lab="$lab" '{ print } /^\[host / { sub("]", "", $2); print "shell = " lab " exec " $2 }' "$work/conf" >"$work/conf.new"
    mv "$work/conf.new" "$work/conf"
}
# Both networks of the lab for moves, the migration network first, and hosts that show their connections.
configure_networks() { # LINES as for configure
    configure "$@"
    sed -i "s|^address = 10.83.2.\(.*\)|address = 10.83.2.\1, 10.83.1.\1|" "$work/conf"
    with_shells
    printf '\n[network management]\ncidr = 10.83.1.0/24\norder = 2\nrate = 1 Gbit/s\n' >>"$work/conf"
}
last_move() { drover report "$(drover history -o json | jq '[.batches[].id] | max')" -o json | jq -c ".moves[0] | $1"; }

drover() { "$lab" operator timeout 200 "$drover" -c "$work/conf" --state "$work/state.db" "$@"; }
# In the background, as it is: no shell or timeout in between that would take a signal for it.
start_drover() {
    echo "--- $(date +%T) drover $*" >>"$log"
    "$lab" operator "$drover" -c "$work/conf" --state "$work/state.db" "$@" >>"$log" 2>&1 &
    drover_pid=$!
}
wait_drover() { # SECONDS: sets exit_code
    local deadline=$((SECONDS + $1))
    exit_code=timeout
    while kill -0 "$drover_pid" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || return 0
        sleep 0.1
    done
    exit_code=0
    # shellcheck disable=SC2034 # read by the scripts that source this
    wait "$drover_pid" || exit_code=$?
    drover_pid=
}

# Changes a key of a file in /etc/libvirt of a host, and starts its libvirtd anew.
libvirt_says() { # HOST FILE KEY VALUE
    "$lab" exec "$1" sed -i "/^$3 *=/d" "/etc/libvirt/$2"
    "$lab" exec "$1" sh -c "echo '$3 = $4' >>/etc/libvirt/$2"
    "$lab" kill-libvirtd "$1"
    "$lab" start-libvirtd "$1"
}
# The preflight says no, with this code, and its message and hint hold all the words.
is_refused() { # CODE WORDS... -- ARGUMENTS OF preflight
    local code=0 wanted=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    drover preflight "$@" -o json >"$work/checks" 2>"$work/warnings" || code=$?
    cat "$work/warnings"
    jq -r '.checks[].error | select(. != null) | .code + ": " + .message + "\n" + .hint' "$work/checks" | tee "$work/words"
    [ "$code" = 4 ] && grep -q "^$wanted: " "$work/words" || return 1
    for word in "${words[@]}"; do grep -qF -- "$word" "$work/words" || { echo "missing: $word"; return 1; }; done
}

claim() { # TEXT COMMAND...
    local text=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "ok      $text"
    else
        echo "FAILED  $text"
        sed 's/^/        /' "$work/out"
        failed=1
        failed_claims+="${failed_claims:+; }$text"
    fi
}
# Ends the script. Its last line is what was seen; or, when claims failed, which.
seen() { # TEXT
    [ "$failed" = 0 ] || { echo "NOT TRUE: $failed_claims"; exit 1; }
    echo "$*"
    exit 0
}

places() { "$lab" check --host-of | awk '{ print $1, $2 }' | sort; }
place_of() { places | sed -n "s/^$1 //p"; }

# Everything on the hosts that a command could change: guests, definitions with their tags, volumes, autostart.
fingerprint() {
    local host name
    for host in $(host_names); do
        echo "host $host"
        "$lab" virsh "$host" list --all | sort -k2
        "$lab" exec "$host" find /var/lib/libvirt/images /etc/libvirt/qemu -printf '%p %l\n' | sort
        for name in $("$lab" virsh "$host" list --all --name); do
            echo "tag of $name: $(tags_of "$host" "$name")"
        done
    done
}
host_names() { "$lab" status | sed -n 's/^\(h[0-9]*\) .*/\1/p'; }
tags_of() { # HOST GUEST
    { "$lab" virsh "$1" dumpxml "$2"; "$lab" virsh "$1" dumpxml "$2" --inactive; } 2>/dev/null | grep -o '<[a-z]*:job [^>]*>' | sort -u || true
}

# Tags, volumes and definitions that no running guest needs; nothing when all is clean.
tags_left() {
    local host name
    for host in $(host_names); do
        for name in $("$lab" virsh "$host" list --all --name); do
            [ -z "$(tags_of "$host" "$name")" ] || echo "$host: tag on $name"
        done
    done
}
no_tags() { local left; left=$(tags_left); echo "$left"; [ -z "$left" ]; }

show_state() {
    echo "--- the last of drover's log"
    tail -n 40 "$log" 2>/dev/null
    echo "--- hosts"
    "$lab" status
    "$lab" check --allow-leftovers
}

# What a host has sent over the migration network.
sent_bytes() { "$lab" traffic | jq --arg host "$1" '.[] | select(.host == $host and .network == "migration") | .sent_bytes'; }
blackout_of() { "$lab" check --max-gap 10000 -o json | jq --arg guest "$1" '.guests[] | select(.name == $guest) | .blackout_ms'; }
# The plan's word for a move, of one guest to h2.
plans_as() { # GUEST KIND [OPTION OF plan move...]
    drover plan move "$1" --to h2 "${@:3}" -o json >"$work/plan"
    jq -c '.moves[] | {guest, kind, bytes, reason}' "$work/plan"
    jq -e --arg kind "$2" '.moves[0].kind == $kind' "$work/plan" >/dev/null
}
# The pre-flight says no with this code of errors.def.
move_is_refused() { is_refused "$1" -- move "${@:2}"; } # CODE ARGUMENTS OF move...
# A folder as another pool of a host.
pool_path() { echo "/var/lib/libvirt/$1"; }
make_pool() { # HOST NAME
    "$lab" virsh "$1" pool-define-as "$2" dir --target "$(pool_path "$2")" >/dev/null
    "$lab" virsh "$1" "pool-build $2; pool-start $2" >/dev/null
}
# "hda PATH hdb PATH": as libvirt on that host knows them.
disks_of() { "$lab" virsh "$1" domblklist "$2" "${@:3}" | xargs; } # HOST GUEST [--inactive]
