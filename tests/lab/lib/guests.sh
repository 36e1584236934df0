# shellcheck shell=bash
# Guests: their XML, starting many of them quickly. Their disks are made in disks.sh.

guest_id() { cksum <<<"$1" | cut -d' ' -f1; }
guest_known() { [ -e "$LAB_DIR/guests/$1/xml" ] || die "no guest $1 in this lab"; }

# Options of one guest to variables of the caller (memory, fill, set, dirty, disks, iso, bridge, address, cpu, extra, transient, autostart,
# host, count, prefix, name), which has declared them.
parse_guest() {
    while [ $# -gt 0 ]; do
        case $1 in
        --host) host=$2; shift ;;
        --memory) memory=$2; shift ;;
        --fill) fill=$2; shift ;;
        --ws) set=$2; shift ;;
        --dirty) dirty=$2; shift ;;
        --disk) disks+=("$2"); shift ;;
        --iso) iso=$2; shift ;;
        --net) bridge=$2; shift ;;
        --ip) address=$2; shift ;;
        --cpu) cpu=$2; shift ;;
        --device) extra+=$2; shift ;;
        --count) count=$2; shift ;;
        --prefix) prefix=$2; shift ;;
        --transient) transient=1 ;;
        --autostart) autostart=1 ;;
        -*) die "guest: unknown option $1" ;;
        *) [ -z "$name" ] || die "guest: two names, $name and $1"; name=$1 ;;
        esac
        shift
    done
}

# Writes $LAB_DIR/guests/NAME/{xml,host,disks,...} and makes the disks; does not start.
prepare_guest() {
    local name=$1 host=h1 memory=128 fill=48 set=4 dirty=1 bridge='' address='' iso='' cpu='' extra='' transient='' autostart='' count='' prefix=''
    local disks=() spec number=0 kind size load filled target cmdline folder odd devices=''
    shift
    local given=$name
    name=
    parse_guest "$@"
    name=$given
    host_known "$host"
    [[ $name =~ ^[A-Za-z0-9._-]{1,60}$ ]] || die "guest name '$name': letters, digits, . _ - and at most 60"
    [[ $memory -ge $((fill + 8)) && $memory -ge $((set + 8)) ]] || die "$name: --memory $memory needs 8 MiB beyond --fill and --ws"
    [ ${#disks[@]} -le 4 ] || die "$name: at most 4 disks"
    folder=$LAB_DIR/guests/$name
    mkdir "$folder" 2>/dev/null || die "guest $name exists (lab remove $name)"
    cmdline="id=$(guest_id "$name") fill=$fill ws=$set dirty=$dirty"
    : >"$folder/disks"
    for spec in "${disks[@]}"; do
        IFS=: read -r kind size load filled <<<"$spec"
        [[ " $DISK_KINDS " == *" $kind "* && $size =~ ^[0-9]+$ && $size -ge 8 && ${load:-0} =~ ^[0-9]+$ && ${filled:-8} =~ ^[0-9]+$ &&
            ${filled:-8} -ge 8 && ${filled:-8} -le $size ]] ||
            die "$name: --disk $spec: KIND:MIB[:WRITE_MIB_PER_S[:FILLED_MIB]], KIND one of $DISK_KINDS, at least 8 MiB"
        target=hd$(printf 'abcd' | cut -c"$((number + 1))")
        make_disk "$name" "$host" "$number" "$target" "$kind" "$size" "${filled:-$size}"
        cmdline+=" $target=$((size * 2048)):${load:-0}"
        devices+=$(disk_xml "$name" "$target" "$kind")
        echo "$target $number $kind $size" >>"$folder/disks"
        number=$((number + 1))
    done
    if [ -n "$iso" ]; then
        IFS=: read -r target kind <<<"$iso"
        [[ $target =~ ^[A-Za-z0-9._-]+$ && ${kind:-mandatory} =~ ^(mandatory|requisite|optional)$ && $number -lt 4 ]] ||
            die "$name: --iso $iso: NAME[:mandatory|requisite|optional], and at most 3 disks with it"
        make_iso "$host" "$target"
        devices+=$(iso_xml "$target" "${kind:-}" hdd)
    fi
    if [ -n "$bridge" ]; then
        local model=e1000
        if [ -n "$address" ]; then model=ne2k_pci cmdline+=" ip=$address"; fi
        devices+="<interface type='bridge'><source bridge='$bridge'/><model type='$model'/><rom enabled='no'/></interface>"
    fi
    # QEMU before 9.0 forgets to reset the TLB of a TCG vCPU when it clears the dirty bits of memory whose size is a multiple
    # of 256 KiB (64 pages at a time), and a move then brings stale pages: half of all guests came over 0.3 s old. An odd
    # 8 KiB makes it take the other, right path. libvirt rounds to whole MiB, hence the arguments behind its back.
    odd=$((memory * 1048576 + 8192))
    cat >"$folder/xml.new" <<XML
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>$name</name>
  <uuid>$(cat /proc/sys/kernel/random/uuid)</uuid>
  <memory unit='MiB'>$memory</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>$LAB_DIR/build/guest.elf</kernel><cmdline>$cmdline</cmdline></os>
  <features><acpi/></features>
  $cpu
  <clock offset='utc'><timer name='hpet' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    $devices$extra
    <serial type='file'><source path='$LAB_DIR/serial/$name.log' append='on'/><target port='0'/></serial>
    <input type='mouse' bus='ps2'/>
    <video><model type='none'/></video>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-object'/><qemu:arg value='memory-backend-ram,id=lab.ram,size=$odd'/>
    <qemu:arg value='-machine'/><qemu:arg value='memory-backend=lab.ram'/>
    <qemu:arg value='-m'/><qemu:arg value='size=$((odd / 1024))k'/>
  </qemu:commandline>
</domain>
XML
    echo "$host" >"$folder/host"
    if [ -n "$transient" ]; then touch "$folder/transient"; fi
    if [ -n "$autostart" ]; then touch "$folder/autostart"; fi
    # Last, because it is what makes the guest known.
    mv "$folder/xml.new" "$folder/xml"
}

start_guest() {
    local name=$1 folder=$LAB_DIR/guests/$1 uri
    uri=$(host_uri "$(cat "$folder/host")")
    if [ -e "$folder/transient" ]; then
        virsh -q -c "$uri" create "$folder/xml" >/dev/null
    elif [ -e "$folder/autostart" ]; then
        virsh -q -c "$uri" "define '$folder/xml'; start '$name'; autostart '$name'" >/dev/null
    else
        virsh -q -c "$uri" "define '$folder/xml'; start '$name'" >/dev/null
    fi
}

start_guests() { # NAME...: two at a time, because two cores
    local name failed=0 running=0 host
    for host in $(for name in "$@"; do cat "$LAB_DIR/guests/$name/host"; done | sort -u); do
        lab_virsh "$host" pool-refresh images >/dev/null
    done
    for name in "$@"; do
        if [ "$running" -ge 2 ]; then
            wait -n || failed=1
            running=$((running - 1))
        fi
        start_guest "$name" &
        running=$((running + 1))
    done
    while [ "$running" -gt 0 ]; do
        wait -n || failed=1
        running=$((running - 1))
    done
    [ "$failed" = 0 ] || die "not all guests started"
    # A guest counts as started when it beats: a BIOS still at work is no test object.
    for name in "$@"; do
        for _ in $(seq 600); do
            ! grep -qs '^B ' "$LAB_DIR/serial/$name.log" || continue 2
            sleep 0.05
        done
        die "$name does not beat after 30 s"
    done
}

lab_guests() { # FILE: lines of "NAME OPTIONS" or "--count N --prefix P OPTIONS"; # comments
    local line names=() words
    need_up
    while read -r line; do
        [[ -n $line && $line != \#* ]] || continue
        read -ra words <<<"$line"
        expand_guest "${words[@]}"
    done <"${1:?FILE}"
    [ ${#names[@]} -eq 0 ] || start_guests "${names[@]}"
}

lab_guest() {
    local names=()
    need_up
    expand_guest "$@"
    start_guests "${names[@]}"
}

# shellcheck disable=SC2034  # parse_guest fills them; only some are wanted here
expand_guest() {
    local host memory fill set dirty bridge address iso cpu extra='' transient autostart count='' prefix='' name='' disks=() i
    parse_guest "$@"
    if [ -n "$count" ]; then
        for ((i = 1; i <= count; i++)); do names+=("${prefix:?--prefix}$i"); prepare_guest "$prefix$i" "$@"; done
    else
        [ -n "$name" ] || die "guest: NAME, or --count N --prefix P"
        names+=("$name")
        prepare_guest "$name" "$@"
    fi
}

lab_remove() {
    local name host image
    need_up
    for name in "$@"; do
        for host in $(hosts); do
            virsh -q -c "$(host_uri "$host")" destroy "$name" >/dev/null 2>&1 || true
            virsh -q -c "$(host_uri "$host")" undefine "$name" >/dev/null 2>&1 || true
            rm -f "$(images_of "$host")/$name-hd"[abcd].* "$LAB_STORE/$host/var/lib/libvirt/devices/$name-hd"[abcd]
            for image in "$LAB_STORE/$host/loop/$name-hd"[abcd].raw; do
                [ ! -e "$image" ] || { drop_devices "$(stat -c %i "$image")"; rm -f "$image"; }
            done
        done
        stop_serving "$name"
        rm -rf "$LAB_DIR/guests/$name" "$LAB_DIR/serial/$name.log"
        # Its beats stay in the log; "check" goes by the guests that are known.
    done
}

lab_kill_guest() {
    local host=${1:?HOST} name=${2:?NAME} pid
    host_known "$host"
    pid=$(in_host "$host" cat "/run/libvirt/qemu/$name.pid" 2>/dev/null) || die "$host: $name does not run"
    grep -qz "guest=$name," "/proc/$pid/cmdline" || die "$host: $name does not run"
    kill -KILL "$pid"
}
