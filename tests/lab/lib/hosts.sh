# shellcheck shell=bash
# Hosts: namespaces, links, libvirtd.

host_ns() { ip netns exec "$NS-$1" "${@:2}"; }
holder_pid() { recorded_pid "$LAB_DIR/hosts/$1/holder"; }
libvirtd_pid() { host_known "$1"; recorded_pid "$LAB_DIR/hosts/$1/libvirtd" || die "$1: libvirtd does not run"; }
has_namespace() { [ -e "/run/netns/$1" ]; }
in_host() { # HOST CMD...: replaces nothing, runs inside the host's namespaces
    local pid
    pid=$(holder_pid "$1") || die "$1 is not up"
    nsenter -t "$pid" -n -m -u -- "${@:2}"
}
lab_exec() { host_known "${1:?HOST}"; in_host "$@"; }
lab_virsh() { host_known "${1:?HOST}"; virsh -q -c "$(host_uri "$1")" "${@:2}"; }

shape() { # NAMESPACE DEVICE RATE
    ip netns exec "$NS-$1" tc qdisc replace dev "$2" root tbf rate "$3" burst 256k latency 50ms
}

make_switch() {
    local net
    has_namespace "$NS-sw" || ip netns add "$NS-sw"
    host_ns sw ip link set lo up
    for net in $(lab_networks); do
        host_ns sw test -e "/sys/class/net/br-$net" || host_ns sw ip link add "br-$net" type bridge
        host_ns sw ip link set "br-$net" up
    done
    if ! [ -e "/sys/class/net/$ROOT_LINK" ]; then
        ip link add "$ROOT_LINK" type veth peer name root-mgmt netns "$NS-sw"
    fi
    host_ns sw ip link set root-mgmt master br-mgmt up
    ip address replace "$MANAGEMENT.254/24" dev "$ROOT_LINK"
    ip link set "$ROOT_LINK" up
}

lab_networks() { if [ "$(setting networks)" = 2 ]; then echo mgmt mig; else echo mgmt; fi; }
network_rate() { if [ "$1" = mig ] || [ "$(setting networks)" = 1 ]; then setting rate; else echo 1gbit; fi; }

make_links() {
    local host=$1 net address
    has_namespace "$NS-$host" || ip netns add "$NS-$host"
    host_ns "$host" ip link set lo up
    for net in $(lab_networks); do
        address=$(host_address "$host")
        [ "$net" = mgmt ] || address=$(host_migration_address "$host")
        if ! host_ns "$host" test -e "/sys/class/net/$net"; then
            ip link add "$host-$net" netns "$NS-sw" type veth peer name "$net" netns "$NS-$host"
            host_ns "$host" ip address add "$address/24" dev "$net"
            host_ns "$host" ip link set "$net" up
            host_ns sw ip link set "$host-$net" master "br-$net" up
            shape "$host" "$net" "$(network_rate "$net")"
            shape sw "$host-$net" "$(network_rate "$net")"
        fi
    done
    if ! host_ns "$host" test -e /sys/class/net/br-lan; then
        host_ns "$host" ip link add br-lan type bridge
        host_ns "$host" ip link set br-lan up
    fi
}

private_folders() { echo etc/libvirt run/libvirt var/lib/libvirt var/log/libvirt var/cache/libvirt; auth_folders; }

write_host_files() {
    local host=$1 root=$LAB_STORE/$1 folder
    for folder in $(private_folders); do mkdir -p "$root/$folder" "/$folder"; done
    mkdir -p "$root/var/lib/libvirt/images" "$root/etc/libvirt/storage/autostart" "$root/etc/libvirt/qemu/networks"
    [ -e "$root/host_uuid" ] || cat /proc/sys/kernel/random/uuid >"$root/host_uuid"
    cat >"$root/etc/libvirt/libvirtd.conf" <<CONF
listen_addr = "$(host_address "$host")"
auth_unix_rw = "none"
max_workers = $(setting workers)
host_uuid = "$(cat "$root/host_uuid")"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
$(auth_libvirtd_conf)
CONF
    auth_host_files "$host"
    cat >"$root/etc/libvirt/qemu.conf" <<CONF
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
dynamic_ownership = 0
stdio_handler = "file"
migration_address = "0.0.0.0"
migration_host = "$(host_address "$host")"
CONF
    cat >"$root/etc/libvirt/storage/images.xml" <<'POOL'
<pool type='dir'>
  <name>images</name>
  <target><path>/var/lib/libvirt/images</path></target>
</pool>
POOL
    ln -sfn /etc/libvirt/storage/images.xml "$root/etc/libvirt/storage/autostart/images.xml"
}

write_hosts_file() {
    local host
    {
        echo "127.0.0.1 localhost"
        for host in $(hosts); do
            echo "$(host_address "$host") $host"
            [ "$(setting networks)" = 1 ] || echo "$(host_migration_address "$host") $host-mig"
        done
    } >"$LAB_DIR/hosts-file.new"
    # Written in place: the file is bind-mounted, and a new one would not be seen by running hosts.
    cat "$LAB_DIR/hosts-file.new" >"$LAB_DIR/hosts-file"
    rm "$LAB_DIR/hosts-file.new"
}

# The holder keeps a host's mount and UTS namespaces alive; all else enters them through it.
start_holder() {
    local host=$1 folder script
    [ -z "$(holder_pid "$host")" ] || return 0
    script="hostname $host"
    for folder in $(private_folders); do script+=" && mount --bind '$LAB_STORE/$host/$folder' '/$folder'"; done
    # A host must see its own bridges under /sys, not the machine's.
    script+=" && mount -t sysfs sysfs /sys"
    script+=" && mount --bind '$LAB_DIR/hosts-file' /etc/hosts && : >'$LAB_DIR/hosts/$host/ready' && exec sleep infinity"
    rm -f "$LAB_DIR/hosts/$host/ready"
    setsid nsenter --net="/run/netns/$NS-$host" unshare -m -u --propagation private /bin/sh -c "$script" \
        </dev/null >"$LAB_DIR/hosts/$host/holder.log" 2>&1 9>&- &
    record_pid "$LAB_DIR/hosts/$host/holder" $!
    disown
    for _ in $(seq 200); do
        [ ! -e "$LAB_DIR/hosts/$host/ready" ] || return 0
        sleep 0.02
    done
    die "$host: its namespaces did not come up: $(cat "$LAB_DIR/hosts/$host/holder.log")"
}

all_cpus() { taskset -cp $$ | sed 's/.*: //'; }
first_cpu() { all_cpus | sed 's/[-,].*//'; }
start_libvirtd() {
    local host=$1 holder pid_file=$LAB_DIR/hosts/$1/libvirtd.pid
    ! recorded_pid "$LAB_DIR/hosts/$host/libvirtd" >/dev/null || return 0
    holder=$(holder_pid "$host") || die "$host is not up"
    # On one core until it answers: libvirt 9 compares a CPUID leaf that holds the number of the core it happens to start
    # on, and on another one throws away what it knows of QEMU and asks for 8 s again.
    rm -f "$pid_file"
    # shellcheck disable=SC2046  # words on purpose
    taskset -c "$(first_cpu)" setsid "$LAB_DIR/build/reaper" "$pid_file" nsenter -t "$holder" -n -m -u -- \
        env $(auth_environment "$host") libvirtd --listen -p /run/libvirt/libvirtd.pid \
        </dev/null >>"$LAB_DIR/hosts/$host/libvirtd.log" 2>&1 9>&- &
    disown
    for _ in {1..500}; do [ ! -s "$pid_file" ] || break; sleep 0.02; done
    [ -s "$pid_file" ] || die "$host: libvirtd could not be started"
    record_pid "$LAB_DIR/hosts/$host/libvirtd" "$(cat "$pid_file")"
}

# A first libvirtd asks each QEMU binary what it can do: 8 s. What one host learned the others are given, and a later lab,
# if there is a build folder to keep it in. libvirt itself throws it away when QEMU, libvirt or the kernel changed.
CAPABILITIES=var/cache/libvirt/qemu/capabilities
LAB_CACHE=${DROVER_LAB_CACHE:-$HERE/../../build/lab-cache}

known_capabilities() {
    local source target=$LAB_STORE/$1/$CAPABILITIES
    for source in "$target" "$LAB_STORE/h1/$CAPABILITIES" "$LAB_CACHE"; do
        compgen -G "$source/*.xml" >/dev/null || continue
        mkdir -p "$target"
        [ "$source" = "$target" ] || cp -p "$source"/*.xml "$target"
        return 0
    done
    return 1
}
keep_capabilities() {
    if [ -d "$(dirname "$LAB_CACHE")" ] && mkdir -p "$LAB_CACHE"; then cp -p "$LAB_STORE/$1/$CAPABILITIES"/*.xml "$LAB_CACHE" || true; fi
}

wait_libvirtd() {
    local pid
    for _ in $(seq 300); do
        if virsh -q -c "$(host_uri "$1")" version >/dev/null 2>&1; then
            pid=$(recorded_pid "$LAB_DIR/hosts/$1/libvirtd") || die "$1: libvirtd ended"
            taskset -acp "$(all_cpus)" "$pid" >/dev/null 2>&1 || true
            return 0
        fi
        recorded_pid "$LAB_DIR/hosts/$1/libvirtd" >/dev/null || die "$1: libvirtd ended: $(tail -3 "$LAB_DIR/hosts/$1/libvirtd.log")"
        sleep 0.1
    done
    die "$1: libvirtd does not answer after 30 s"
}

lab_start_libvirtd() { host_known "$1"; start_libvirtd "$1"; wait_libvirtd "$1"; }
signal_libvirtd() {
    local pid
    pid=$(libvirtd_pid "$1")
    kill -"$2" "$pid"
    [ "$2" = KILL ] || return 0
    while [ -n "$(recorded_pid "$LAB_DIR/hosts/$1/libvirtd")" ]; do sleep 0.02; done
}

start_recorder() {
    ! recorded_pid "$LAB_DIR/recorder.pid" >/dev/null || return 0
    setsid "$LAB_DIR/build/recorder" "$LAB_DIR/serial" "$LAB_DIR/beats.log" </dev/null >"$LAB_DIR/recorder.log" 2>&1 9>&- &
    record_pid "$LAB_DIR/recorder.pid" $!
    disown
}

why_not_here() { # prints why the lab cannot run on this machine, nothing if it can
    local tool
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    for tool in ip ss tc taskset nsenter unshare flock virsh libvirtd qemu-system-x86_64 qemu-img gcc jq; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed"; return; }
    done
    echo 'int x;' | gcc -m32 -ffreestanding -c -x c -o /dev/null - 2>/dev/null || { echo "gcc cannot build 32-bit code"; return; }
    if ! has_namespace "$NS-sw"; then
        if ! ip netns add "$NS-probe" 2>/dev/null; then
            ip netns del "$NS-probe" 2>/dev/null || true
            echo "network namespaces are not allowed here"
            return
        fi
        ip -n "$NS-probe" link add br0 type bridge 2>/dev/null || tool=bridge
        ip -n "$NS-probe" link add v0 type veth peer name v1 2>/dev/null || tool=veth
        ip -n "$NS-probe" link set v0 up 2>/dev/null || true
        ip netns exec "$NS-probe" tc qdisc add dev v0 root tbf rate 1mbit burst 256k latency 50ms 2>/dev/null || tool=tbf
        ip netns del "$NS-probe"
        [ "$tool" = jq ] || { echo "the kernel lacks $tool"; return; }
        [ -z "$(ip -4 route show root "$MANAGEMENT.0/24" 2>/dev/null)" ] || echo "$MANAGEMENT.0/24 is in use here"
    fi
}

# Takes the lock and makes the lab ours, waiting for that of another living owner for DROVER_LAB_WAIT seconds (0). What an owner
# that has ended left behind goes first.
claim_lab() {
    local deadline=$((SECONDS + ${DROVER_LAB_WAIT:-0})) other told=''
    lock
    while other=$(other_owner) && [ -n "$other" ]; do
        unlock
        [ "$SECONDS" -lt "$deadline" ] || die "a lab is up that belongs to $other (lab down --force ends it)"
        [ -n "$told" ] || say "waiting for the lab of $other"
        told=1
        sleep 1
        lock
    done
    if ! recorded_pid "$OWNER" >/dev/null && { is_up || has_namespace "$NS-sw"; }; then
        say "removing the lab of an owner that has ended"
        remove_all
    fi
    record_pid "$OWNER" "$(my_pid)"
}

# A client that still looks for a host of ours must never ask the machine's default route.
NOWHERE="unreachable 10.83.0.0/16 metric 4278198272"
clients() { ss -Htnp dst 10.83.0.0/16 2>/dev/null | sed -n 's/.*users:((\(.*\)))/\1/p' | sort -u; }

lab_up() {
    local hosts=4 rate=200mbit networks=1 workers=50 auth=none given_rate='' reason host
    while [ $# -gt 0 ]; do
        case $1 in
        --hosts) hosts=$2 ;;
        --rate) rate=$2 given_rate=$2 ;;
        --networks) networks=$2 ;;
        --workers) workers=$2 ;;
        --auth) auth=$2 ;;
        *) die "up: unknown option $1" ;;
        esac
        shift 2
    done
    [[ $hosts =~ ^[0-9]+$ && $hosts -ge 1 && $hosts -le 250 ]] || die "--hosts $hosts: 1 to 250"
    [[ $networks =~ ^[12]$ ]] || die "--networks $networks: 1 or 2"
    [[ $auth =~ ^(none|tls|kerberos|ssh)$ ]] || die "--auth $auth: none, tls, kerberos or ssh"
    reason=$(why_not_here; why_no_auth "$auth")
    [ -z "$reason" ] || { say "cannot run: $reason"; exit 77; }
    claim_lab
    # shellcheck disable=SC2086  # words on purpose
    ip route replace $NOWHERE
    if is_up; then
        [ "$(setting networks)" = "$networks" ] || die "the lab is up with $(setting networks) network(s): lab down first"
        [ "$(setting hosts)" -le "$hosts" ] || hosts=$(setting hosts)
        workers=$(setting workers)
        [ "$(setting auth)" = "$auth" ] || die "the lab is up with --auth $(setting auth): lab down first"
        [ -n "$given_rate" ] || rate=$(setting rate)
    fi
    mkdir -p "$LAB_DIR/hosts" "$LAB_DIR/serial" "$LAB_DIR/guests" "$LAB_STORE"
    touch "$LAB_DIR/$MARK" "$LAB_STORE/$MARK"
    printf 'hosts=%s\nrate=%s\nnetworks=%s\nworkers=%s\nauth=%s\n' "$hosts" "$rate" "$networks" "$workers" "$auth" >"$LAB_DIR/settings.new"
    mv "$LAB_DIR/settings.new" "$LAB_DIR/settings"
    build_tools
    write_hosts_file
    make_switch
    auth_begin
    for host in $(hosts); do
        mkdir -p "$LAB_DIR/hosts/$host"
        make_links "$host"
        [ -z "$given_rate" ] || set_rate "$host" "$(data_network)" "$rate"
        write_host_files "$host"
        start_holder "$host"
        auth_host_begin "$host"
        if known_capabilities "$host"; then start_libvirtd "$host"; else lab_start_libvirtd "$host"; keep_capabilities "$host"; fi
    done
    for host in $(hosts); do wait_libvirtd "$host"; done
    start_recorder
    say "up: $hosts hosts, $networks network(s), $rate, authentication $auth"
}

lab_down() { # [--force | --stay]: --stay keeps the place for this owner's next lab
    local other
    lock
    other=$(other_owner)
    [ -z "$other" ] || [ "${1:-}" = --force ] || die "not taken down: the lab belongs to $other (--force)"
    remove_all
    [ "${1:-}" = --stay ] || rm -f "$OWNER" "$LOCK"
}

remove_all() {
    local name pid found
    # Whatever runs in our network namespaces is ours, recorded or not: libvirtd, QEMU, holders, "lab exec".
    for _ in $(seq 100); do
        found=
        for name in $(ip netns list 2>/dev/null | awk -v ns="$NS-" 'index($1, ns) == 1 { print $1 }'); do
            for pid in $(ip netns pids "$name" 2>/dev/null); do
                found=1
                kill -KILL "$pid" 2>/dev/null || true
            done
        done
        [ -n "$found" ] || break
        sleep 0.05
    done
    [ -z "$found" ] || say "processes left in the namespaces"
    stop_servers
    drop_devices
    for pid in "$LAB_DIR"/hosts/*/holder "$LAB_DIR"/hosts/*/libvirtd "$LAB_DIR/recorder.pid" "$LAB_DIR/kdc.pid"; do
        [ ! -e "$pid" ] || kill_recorded "$pid"
    done
    for name in $(ip netns list 2>/dev/null | awk -v ns="$NS-" 'index($1, ns) == 1 { print $1 }'); do ip netns del "$name"; done
    if [ -e "/sys/class/net/$ROOT_LINK" ]; then ip link del "$ROOT_LINK" 2>/dev/null || true; fi
    for name in "$LAB_STORE" "$LAB_DIR"; do
        if [ -e "$name/$MARK" ]; then rm -rf --one-file-system "$name"; fi
    done
    found=$(clients)
    if [ -n "$found" ]; then
        say "still connected to hosts that are gone: ${found//$'\n'/; }; the route that stops them stays until the next down"
    else
        # shellcheck disable=SC2086  # words on purpose
        ip route del $NOWHERE 2>/dev/null || true
    fi
}

data_network() { if [ "$(setting networks)" = 2 ]; then echo mig; else echo mgmt; fi; }
set_rate() { shape "$1" "$2" "$3"; shape sw "$1-$2" "$3"; }

lab_link() {
    local host=${1:?HOST} action=${2:?down, up or rate} rate='' net
    shift 2
    host_known "$host"
    net=$(data_network)
    if [ "$action" = rate ]; then
        rate=${1:?RATE}
        shift
    fi
    if [ "${1:-}" = --network ]; then
        case ${2:-} in
        migration) ;;
        management) net=mgmt ;;
        *) die "link: --network migration or management" ;;
        esac
    fi
    case $action in
    # The switch's end goes down, as when a cable is pulled: the host keeps its addresses and routes and sees no carrier.
    up | down) host_ns sw ip link set "$host-$net" "$action" ;;
    rate) set_rate "$host" "$net" "$rate" ;;
    *) die "link: down, up or rate RATE" ;;
    esac
}

# What the host says to the peer on the management network is lost from now on, and nobody is told: the peer still gets through,
# because its bytes are acknowledged, but no answer comes back. Other hosts and the operator notice nothing.
EMPTY_PACKET=76 # IP and TCP headers with time stamps and selective acknowledgements; the shortest message of libvirt makes 80
lab_mute() { # HOST PEER [GUEST]: with a guest, at the moment at which PEER pauses it for its switchover
    host_known "${1:?HOST}"
    host_known "${2:?PEER}"
    command -v nft >/dev/null || die "no nft (package nftables)"
    [ -z "${3:-}" ] || lab_virsh "$2" event --domain "$3" --event lifecycle --timeout 120 >/dev/null
    host_ns "$1" nft -f - <<NFT
table ip lab-mute-$2 { chain out { type filter hook output priority 0; ip daddr $(host_address "$2") meta length > $EMPTY_PACKET drop; }; }
NFT
}
lab_unmute() { # HOST PEER
    host_known "${1:?HOST}"
    host_ns "$1" nft delete table ip "lab-mute-${2:?PEER}" 2>/dev/null || true
}

lab_traffic() { # bytes each host sent and received by each network since the lab came up
    need_up
    ip netns exec "$NS-sw" ip -s -j link | jq -c '[.[] | select(.ifname | test("^h[0-9]+-"))
        | (.ifname | split("-")) as [$host, $net]
        | {host: $host, network: (if $net == "mig" then "migration" else "management" end),
           sent_bytes: .stats64.rx.bytes, received_bytes: .stats64.tx.bytes, up: (.flags | index("UP") != null)}]'
}

lab_status() {
    local host pid state
    is_up || { echo "down"; return; }
    echo "networks $(setting networks)  rate $(setting rate)  recorder $(recorded_pid "$LAB_DIR/recorder.pid" || echo DEAD)"
    for host in $(hosts); do
        pid=$(recorded_pid "$LAB_DIR/hosts/$host/libvirtd") || pid=
        state=dead
        if [ -n "$pid" ]; then
            case $(sed 's/.*) //; s/ .*//' "/proc/$pid/stat") in T) state=frozen ;; *) state=alive ;; esac
        fi
        echo "$host  $(host_uri "$host")  migration $(host_migration_address "$host")  libvirtd $state ${pid:--}" \
            "$([ "$state" != alive ] || virsh_within 5 -q -c "$(host_uri "$host")" list --name 2>/dev/null | xargs)"
    done
    lab_traffic | jq -r '.[] | "\(.host) \(.network): sent \(.sent_bytes) received \(.received_bytes)\(if .up then "" else " DOWN" end)"'
}

lab_conf() {
    local host
    need_up
    echo "[scheduler]"
    for host in $(hosts); do
        printf '\n[host %s]\nuri = %s\naddress = %s\n' "$host" "$(host_uri "$host")" "$(host_migration_address "$host")"
        [ "$(setting auth)" != none ] || echo "insecure = yes"
        # As the second hop virt-ssh-helper of libvirt 9.0 ends at once.
        [ "$(setting auth)" != ssh ] || echo "peer_uri = $(host_peer_uri "$host")"
    done
    printf '\n[network migration]\ncidr = %s.0/24\norder = 1\nrate = auto\n' \
        "$(if [ "$(setting networks)" = 2 ]; then echo "$MIGRATION"; else echo "$MANAGEMENT"; fi)"
}
