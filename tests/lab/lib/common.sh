# shellcheck shell=bash disable=SC2034
# What all parts of the lab share: where state lives, names and addresses, processes and the lock.

LAB_DIR=${DROVER_LAB_DIR:-/run/drover-lab}
# Disks are big and /run is often small memory: they go elsewhere unless one folder was asked for.
if [ -n "${DROVER_LAB_DIR:-}" ]; then LAB_STORE=$LAB_DIR/store; else LAB_STORE=/var/tmp/drover-lab; fi
# Namespaces and the root's link are global to the machine, whatever LAB_DIR is, and so is the lock.
NS=drlab
ROOT_LINK=drlab-mgmt
LOCK=/run/drover-lab.lock
OWNER=/run/drover-lab.owner # pid and start time of the process the lab is for, and its command
MARK=.drover-lab # only folders that bear it are ever deleted
MANAGEMENT=10.83.1
MIGRATION=10.83.2

say() { echo "lab: $*" >&2; }
die() { say "$*"; exit 1; }

lock() { # held until this process ends; children must not inherit it (9>&-)
    local try
    for try in 1 2 3; do
        exec 9>"$LOCK"
        flock -w 120 9 || die "another lab up or down holds $LOCK"
        # "down" removes the file: a lock on a removed one guards nothing.
        [ "$(stat -Lc %i /proc/self/fd/9)" = "$(stat -c %i "$LOCK" 2>/dev/null)" ] && return
        say "lock was removed meanwhile (try $try)"
    done
    die "could not take $LOCK"
}

unlock() { exec 9>&-; }

# A lab belongs to a process: DROVER_LAB_OWNER, which scripts set to their own pid, or else the session's leader (a shell). While it
# lives nobody else joins that lab or takes it down.
my_pid() {
    local pid=${DROVER_LAB_OWNER:-}
    [ -n "$pid" ] || pid=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f4)
    start_time "$pid" >/dev/null || pid=$PPID
    echo "$pid"
}
other_owner() { # prints the living owner if it is not us
    local pid
    pid=$(recorded_pid "$OWNER") || return 0
    [ "$pid" = "$(my_pid)" ] || echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-80)"
}

setting() { sed -n "s/^$1=//p" "$LAB_DIR/settings" 2>/dev/null || true; }
is_up() { [ -e "$LAB_DIR/settings" ]; }
need_up() { is_up || die "no lab is up (lab up)"; }

hosts() { # as listed when they were brought up
    local count i
    count=$(setting hosts)
    for ((i = 1; i <= ${count:-0}; i++)); do echo "h$i"; done
}
host_known() {
    need_up
    [[ $1 =~ ^h[1-9][0-9]*$ && ${1#h} -le $(setting hosts) ]] || die "no host $1 in this lab"
}
host_address() { echo "$MANAGEMENT.${1#h}"; }
host_migration_address() {
    if [ "$(setting networks)" = 2 ]; then echo "$MIGRATION.${1#h}"; else echo "$MANAGEMENT.${1#h}"; fi
}
host_uri() { # how the operator reaches it; hosts reach each other by host_peer_uri
    case $(setting auth) in
    tls) echo "qemu+tls://$1/system?pkipath=$LAB_DIR/auth/operator" ;;
    kerberos) echo "qemu+tcp://$1/system" ;;
    ssh) echo "qemu+ssh://root@$1/system?keyfile=$LAB_DIR/auth/operator/id" ;;
    *) echo "qemu+tcp://$(host_address "$1")/system" ;;
    esac
}
host_peer_uri() {
    local uri
    uri=$(host_uri "$1")
    echo "${uri%%\?*}$([ "$(setting auth)" != ssh ] || echo "?proxy=netcat")" # files of the operator's are nothing to other hosts
}

# A process is recorded with its start time, so that a reused number is never taken for it.
start_time() {
    local line
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    line=${line##*) }
    # shellcheck disable=SC2086  # split into fields on purpose
    set -- $line
    echo "${20}"
}
record_pid() { echo "$2 $(start_time "$2")" >"$1"; }
recorded_pid() { # FILE: prints the pid if that very process lives
    local pid started
    read -r pid started 2>/dev/null <"$1" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] || return 1
    # A zombie is gone for every purpose.
    [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null)" != Z ] || return 1
    echo "$pid"
}
kill_recorded() {
    local pid
    pid=$(recorded_pid "$1") || return 0
    kill -KILL "$pid" 2>/dev/null || true
}

build_tools() {
    local build=$LAB_DIR/build tool
    mkdir -p "$build"
    for tool in recorder beats labdisk reaper; do
        [ "$build/$tool" -nt "$HERE/$tool.c" ] && [ "$build/$tool" -nt "$HERE/diskformat.h" ] && continue
        gcc -std=gnu11 -O2 -Wall -Wextra -o "$build/$tool.new" "$HERE/$tool.c"
        mv "$build/$tool.new" "$build/$tool"
    done
    [ "$build/guest.elf" -nt "$HERE/guest.c" ] && [ "$build/guest.elf" -nt "$HERE/diskformat.h" ] && [ "$build/guest.elf" -nt "$HERE/guestnet.h" ] && return
    gcc -m32 -std=gnu11 -Os -Wall -Wextra -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
        -fno-asynchronous-unwind-tables -fcf-protection=none -mgeneral-regs-only -Wl,--build-id=none -Wl,-z,noexecstack \
        -Wl,--no-warn-rwx-segments -Wl,-T,"$HERE/guest.ld" -o "$build/guest.elf.new" "$HERE/guest.c"
    mv "$build/guest.elf.new" "$build/guest.elf"
}
