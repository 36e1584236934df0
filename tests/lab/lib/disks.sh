# shellcheck shell=bash
# Disks of guests, of every kind that a move has to tell apart, and the servers behind those that are not local.
#
#   raw qcow2   a file in the host's pool `images`         chain   a qcow2 file on a backing file in the same pool (NAME-hdX.base.qcow2)
#   block       a loop device, in no pool                   nbd iscsi   an export of a server that all hosts reach
#   iso         a CD-ROM image in the pool `images`; OPTION is its startupPolicy

# shellcheck disable=SC2034 # read by guests.sh
DISK_KINDS="raw qcow2 chain block nbd iscsi"
SERVER=$MANAGEMENT.254 # the root namespace's address on the management switch
NBD_FIRST_PORT=10809
ISCSI_PORT=3260
ISCSI_NAME=iqn.2026-01.test.drover
ISCSI_CONTROL=8302 # of our tgtd, apart from one that the machine may have

images_of() { echo "$LAB_STORE/$1/var/lib/libvirt/images"; }
disk_path() { # NAME KIND TARGET: the path in the guest's XML, of those that have one
    case $2 in
    raw | qcow2) echo "/var/lib/libvirt/images/$1-$3.$2" ;;
    chain) echo "/var/lib/libvirt/images/$1-$3.qcow2" ;;
    block) echo "/var/lib/libvirt/devices/$1-$3" ;;
    esac
}
disk_format() { case $1 in qcow2 | chain) echo qcow2 ;; *) echo raw ;; esac; }
served_image() { echo "$LAB_STORE/served/$1-$2.raw"; } # NAME TARGET

# A raw image of which the first FILLED MiB say whose they are; the rest is a hole.
fill_image() { # FILE MIB GUEST NUMBER FILLED
    [ ! -e "$1" ] || die "$1 exists"
    mkdir -p "$(dirname "$1")"
    "$LAB_DIR/build/labdisk" fill "$1" "$5" "$(guest_id "$3")" "$4"
    truncate -s "$2M" "$1"
}

# The places of the beats in the overlay itself: a cluster that is new to the guest is found from outside only after its next
# flush, and until then the backing file's would be read for it.
own_beats() { # HOST RAW OVERLAY
    head -c 2M "$2" >"$2.head"
    in_host "$1" qemu-io -f qcow2 -c "write -q -s $2.head 0 2M" "$3"
    rm "$2.head"
}

make_disk() { # NAME HOST NUMBER TARGET KIND MIB FILLED
    local name=$1 host=$2 number=$3 target=$4 kind=$5 size=$6 filled=$7 file
    file=$(images_of "$host")/$name-$target
    case $kind in
    raw) fill_image "$file.raw" "$size" "$name" "$number" "$filled" ;;
    qcow2 | chain)
        [ ! -e "$file.qcow2" ] || die "$file.qcow2 exists"
        fill_image "$file.raw" "$size" "$name" "$number" "$filled"
        if [ "$kind" = qcow2 ]; then
            qemu-img convert -q -f raw -O qcow2 "$file.raw" "$file.qcow2"
        else
            qemu-img convert -q -f raw -O qcow2 "$file.raw" "$file.base.qcow2"
            # By its absolute path, as libvirt's own tools make them; only the host itself can follow that.
            in_host "$host" qemu-img create -q -f qcow2 -F qcow2 -b "/var/lib/libvirt/images/$name-$target.base.qcow2" \
                "/var/lib/libvirt/images/$name-$target.qcow2"
            own_beats "$host" "$file.raw" "/var/lib/libvirt/images/$name-$target.qcow2"
        fi
        rm "$file.raw"
        ;;
    block)
        fill_image "$LAB_STORE/$host/loop/$name-$target.raw" "$size" "$name" "$number" "$filled"
        make_device "$host" "$(disk_path "$name" block "$target")" "$LAB_STORE/$host/loop/$name-$target.raw"
        ;;
    nbd | iscsi)
        fill_image "$(served_image "$name" "$target")" "$size" "$name" "$number" "$filled"
        "serve_$kind" "$name" "$target"
        ;;
    esac
}

# A block device that only this host has under this path. Loop devices are the machine's: what we took is noted with the inode
# of its file, so that none of another lab is ever let go.
make_device() { # HOST PATH FILE
    local device
    device=$(losetup --find --show "$3") || die "$1: no loop device for $3"
    echo "$device $(stat -c %i "$3")" >>"$LAB_DIR/loops"
    mkdir -p "$(dirname "$LAB_STORE/$1$2")"
    mknod "$LAB_STORE/$1$2" b $((0x$(stat -c %t "$device"))) $((0x$(stat -c %T "$device")))
}
drop_devices() { # [INODE]: of that file, or all
    local device inode
    [ -e "$LAB_DIR/loops" ] || return 0
    while read -r device inode; do
        [ -z "${1:-}" ] || [ "$inode" = "$1" ] || continue
        [ "$(losetup --list --noheadings --output BACK-INO "$device" 2>/dev/null | xargs)" != "$inode" ] || losetup --detach "$device" || true
    done <"$LAB_DIR/loops"
}

# What a server has under a number is noted in servers/KIND-NUMBER.for: "NAME-TARGET".
served_number() { basename "$(grep -lxF "$2-$3" "$LAB_DIR/servers/$1"-*.for)" .for | sed 's/.*-//'; } # KIND NAME TARGET
take_number() { # KIND FIRST NAME TARGET
    local number=$2
    mkdir -p "$LAB_DIR/servers"
    while [ -e "$LAB_DIR/servers/$1-$number.for" ]; do number=$((number + 1)); done
    echo "$3-$4" >"$LAB_DIR/servers/$1-$number.for"
    echo "$number"
}

serve_nbd() { # NAME TARGET: the number is its port
    local port
    port=$(take_number nbd "$NBD_FIRST_PORT" "$1" "$2")
    setsid qemu-nbd --format=raw --cache=none --aio=threads --persistent --shared=8 --bind="$SERVER" --port="$port" --export-name="$1-$2" \
        "$(served_image "$1" "$2")" </dev/null >>"$LAB_DIR/servers/nbd.log" 2>&1 9>&- &
    record_pid "$LAB_DIR/servers/nbd-$port.pid" $!
    disown
    wait_port "$port"
}

tgt() { tgtadm --control-port "$ISCSI_CONTROL" --lld iscsi --mode "$@"; }
serve_iscsi() { # NAME TARGET: the number is the target's of tgt
    local number
    command -v tgtd >/dev/null || die "tgtd is not installed"
    number=$(take_number iscsi 1 "$1" "$2")
    if ! recorded_pid "$LAB_DIR/servers/tgtd.pid" >/dev/null; then
        setsid tgtd --foreground --control-port "$ISCSI_CONTROL" --iscsi "portal=$SERVER:$ISCSI_PORT" \
            </dev/null >>"$LAB_DIR/servers/tgtd.log" 2>&1 9>&- &
        record_pid "$LAB_DIR/servers/tgtd.pid" $!
        disown
        wait_port "$ISCSI_PORT"
    fi
    tgt target --op new --tid "$number" --targetname "$ISCSI_NAME:$1-$2"
    tgt logicalunit --op new --tid "$number" --lun 1 --backing-store "$(served_image "$1" "$2")"
    tgt target --op bind --tid "$number" --initiator-address ALL
}
wait_port() {
    for _ in $(seq 100); do
        [ -z "$(ss -Hltn "src $SERVER:$1")" ] || return 0
        sleep 0.1
    done
    die "no server at $SERVER:$1: $(tail -n 2 "$LAB_DIR"/servers/*.log)"
}
stop_servers() { for pid in "$LAB_DIR"/servers/*.pid; do [ ! -e "$pid" ] || kill_recorded "$pid"; done; }
stop_serving() { # NAME
    local note number
    for note in "$LAB_DIR/servers/"*.for; do
        grep -qsx "$1-hd[abcd]" "$note" || continue
        number=${note##*-}
        case $note in
        */nbd-*) kill_recorded "${note%.for}.pid" ;;
        */iscsi-*) tgt target --op delete --force --tid "${number%.for}" ;;
        esac
        rm -f "$note"
    done
    rm -f "$LAB_STORE/served/$1-hd"[abcd].raw
}

disk_xml() { # NAME TARGET KIND
    local path
    path=$(disk_path "$1" "$3" "$2")
    echo "<disk type='$(case $3 in block) echo block ;; nbd | iscsi) echo network ;; *) echo file ;; esac)' device='disk'>"
    echo "<driver name='qemu' type='$(disk_format "$3")'$(case $3 in nbd | iscsi | block) echo " cache='none'" ;; esac)/>"
    case $3 in
    nbd) echo "<source protocol='nbd' name='$1-$2'><host name='$SERVER' port='$(served_number nbd "$1" "$2")'/></source>" ;;
    iscsi) echo "<source protocol='iscsi' name='$ISCSI_NAME:$1-$2/1'><host name='$SERVER' port='$ISCSI_PORT'/></source>" ;;
    block) echo "<source dev='$path'/>" ;;
    *) echo "<source file='$path'/>" ;;
    esac
    echo "<target dev='$2' bus='ide'/></disk>"
}

make_iso() { # HOST NAME
    truncate -s 1M "$(images_of "$1")/$2.iso"
}
iso_xml() { # NAME POLICY TARGET
    echo "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>"
    echo "<source file='/var/lib/libvirt/images/$1.iso'${2:+ startupPolicy='$2'}/><target dev='$3' bus='ide'/><readonly/></disk>"
}

# A file through which the disk's content can be read from here; a copy of the head (or all of it) when it is not raw.
readable_disk() { # NAME HOST TARGET KIND COPY DEEP
    local path
    case $4 in
    nbd | iscsi) served_image "$1" "$3"; return ;;
    esac
    path=$(virsh_within 20 -q -c "$(host_uri "$2")" domblklist "$1" 2>/dev/null | awk -v t="$3" '$1 == t { print $2 }')
    [ -n "$path" ] || return 1
    if [ "$(disk_format "$4")" = raw ]; then
        echo "/proc/$(holder_pid "$2")/root$path"
        return
    fi
    # In the host, which alone can follow backing paths; without the image's lock, because the guest runs.
    if [ -n "$6" ]; then
        in_host "$2" qemu-img convert -U -f qcow2 -O raw "$path" "$5" 2>/dev/null || true
    else
        in_host "$2" qemu-img dd -U -f qcow2 -O raw bs=1M count=3 if="$path" of="$5" >/dev/null 2>&1 || true
    fi
    echo "$5"
}
