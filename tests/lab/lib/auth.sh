# shellcheck shell=bash
# How hosts and operator prove who they are: not at all, by TLS certificates of a CA of the lab, by Kerberos with a KDC of
# the lab, or by ssh keys. Written as an administrator would set it up: see examples/authentication.

CERTIFICATES=$HERE/../../examples/authentication/certificates.sh
REALM=LAB.TEST
KDC_ADDRESS=$MANAGEMENT.253

# The operator's own view: names of hosts as the hosts know them, the ticket. Replaces the shell, so that signals reach CMD.
operator() {
    [ "$(setting auth)" != none ] || exec "$@"
    # shellcheck disable=SC2016  # the inner shell's words
    local own='mount --bind "$0/hosts-file" /etc/hosts'
    # shellcheck disable=SC2016
    [ "$(setting auth)" != ssh ] || own+=' && mount --bind "$0/auth/operator" /etc/ssh'
    # shellcheck disable=SC2016,SC2046  # words on purpose
    exec env $(operator_environment) unshare -m --propagation private /bin/sh -c "$own"' && exec "$@"' "$LAB_DIR" "$@" 9>&-
}
virsh() { (operator virsh "$@"); }
virsh_within() { (operator timeout "$1" virsh "${@:2}"); } # SECONDS ARGS...

operator_environment() {
    [ "$(setting auth)" != kerberos ] || echo "KRB5_CONFIG=$LAB_DIR/auth/krb5.conf KRB5CCNAME=FILE:$LAB_DIR/auth/operator.cc"
}
# The client keytab is what lets libvirtd reach the next host by itself: no ticket of the operator's is handed on.
auth_environment() { # HOST
    [ "$(setting auth)" != kerberos ] || echo "KRB5_CONFIG=$LAB_DIR/auth/krb5.conf KRB5_KTNAME=/etc/libvirt/krb5.tab" \
        "KRB5_CLIENT_KTNAME=/etc/libvirt/krb5.tab KRB5CCNAME=FILE:/run/libvirt/krb5cc"
}
auth_folders() {
    case $(setting auth) in
    tls) echo etc/pki ;;
    kerberos) echo etc/sasl2 ;;
    ssh) echo etc/ssh ;;
    esac
}
why_no_auth() { # AUTH
    local tool tools=''
    case $1 in
    tls) tools=openssl ;;
    kerberos) tools="krb5kdc kdb5_util kadmin.local kinit" ;;
    ssh) tools="ssh ssh-keygen /usr/sbin/sshd virt-ssh-helper nc" ;;
    esac
    for tool in $tools; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed"; return; }
    done
    [ "$1" != kerberos ] || compgen -G "/usr/lib/*/sasl2/libgssapiv2.so" >/dev/null || echo "libsasl2-modules-gssapi-mit is not installed"
}

auth_libvirtd_conf() {
    case $(setting auth) in
    tls)
        printf 'listen_tls = 1\nlisten_tcp = 0\nauth_tls = "none"\ntls_allowed_dn_list = ["O=drover,CN=*"]\n'
        ;;
    kerberos)
        printf 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "sasl"\nsasl_allowed_username_list = ["operator", "libvirt/h*"]\n'
        ;;
    ssh) printf 'listen_tls = 0\nlisten_tcp = 0\n' ;;
    *) printf 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\n' ;;
    esac
}

# CA, or realm and KDC, once for a lab; they know the hosts by auth_host_files.
auth_begin() {
    mkdir -p "$LAB_DIR/auth"
    case $(setting auth) in
    tls)
        "$CERTIFICATES" "$LAB_DIR/auth" -o operator
        ;;
    kerberos)
        [ -e "$LAB_DIR/auth/kdc.conf" ] || make_realm
        start_kdc
        kerberos_ticket
        ;;
    ssh) make_keys ;;
    esac
}
auth_host_files() { # HOST
    case $(setting auth) in
    tls)
        "$CERTIFICATES" "$LAB_DIR/auth" "$1"
        cp -r "$LAB_DIR/auth/$1/etc/pki" "$LAB_STORE/$1/etc/"
        ;;
    kerberos) [ -e "$LAB_STORE/$1/etc/libvirt/krb5.tab" ] || make_host_keytab "$1" ;;
    ssh) cp -r "$LAB_DIR/auth/$1/." "$LAB_STORE/$1/etc/ssh/" ;;
    esac
}
auth_host_begin() { # HOST: its namespaces are there
    [ "$(setting auth)" != ssh ] || start_sshd "$1"
}

# --- Kerberos ---

kadmin() { KRB5_CONFIG=$LAB_DIR/auth/krb5.conf KRB5_KDC_PROFILE=$LAB_DIR/auth/kdc.conf kadmin.local >/dev/null; }
make_realm() {
    local folder=$LAB_DIR/auth
    cat >"$folder/krb5.conf" <<CONF
[libdefaults]
 default_realm = $REALM
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 $REALM = {
  kdc = $KDC_ADDRESS:88
 }
CONF
    cat >"$folder/kdc.conf.new" <<CONF
[kdcdefaults]
 kdc_listen = $KDC_ADDRESS:88
 kdc_tcp_listen = $KDC_ADDRESS:88
[realms]
 $REALM = {
  database_name = $folder/principal
  key_stash_file = $folder/stash
  acl_file = $folder/kadm5.acl
 }
CONF
    KRB5_CONFIG=$folder/krb5.conf KRB5_KDC_PROFILE=$folder/kdc.conf.new kdb5_util create -r "$REALM" -s -P lab >/dev/null
    mv "$folder/kdc.conf.new" "$folder/kdc.conf"
    kadmin <<ADMIN
addprinc -randkey operator
ktadd -k $folder/operator.keytab operator
ADMIN
}
make_host_keytab() { # HOST
    kadmin <<ADMIN
addprinc -randkey libvirt/$1
ktadd -k $LAB_STORE/$1/etc/libvirt/krb5.tab libvirt/$1
ADMIN
    printf 'mech_list: gssapi\nkeytab: /etc/libvirt/krb5.tab\n' >"$LAB_STORE/$1/etc/sasl2/libvirt.conf"
}
start_kdc() { # on the switch, where every host and the operator reach it
    local try
    host_ns sw ip address replace "$KDC_ADDRESS/24" dev br-mgmt
    ! recorded_pid "$LAB_DIR/kdc.pid" >/dev/null || return 0
    KRB5_CONFIG=$LAB_DIR/auth/krb5.conf KRB5_KDC_PROFILE=$LAB_DIR/auth/kdc.conf \
        setsid ip netns exec "$NS-sw" krb5kdc -n -r "$REALM" </dev/null >"$LAB_DIR/kdc.log" 2>&1 9>&- &
    record_pid "$LAB_DIR/kdc.pid" $!
    disown
    for try in $(seq 100); do
        [ -z "$(host_ns sw ss -Hltn "src $KDC_ADDRESS:88")" ] || return 0
        sleep 0.1
    done
    die "the KDC does not answer after $((try / 10)) s: $(cat "$LAB_DIR/kdc.log")"
}
kerberos_ticket() {
    [ "$(setting auth)" = kerberos ] || die "a ticket is for --auth kerberos"
    KRB5_CONFIG=$LAB_DIR/auth/krb5.conf kinit -k -t "$LAB_DIR/auth/operator.keytab" -c "FILE:$LAB_DIR/auth/operator.cc" operator
}

# --- ssh ---

# Each host has a key that it is known by, and root there one of its own by which it reaches the others; the operator names
# his in the uri. A host that is not in known_hosts is never asked about.
make_keys() {
    local folder=$LAB_DIR/auth name
    for name in operator $(hosts); do
        mkdir -p "$folder/$name"
        [ -e "$folder/$name/id" ] || ssh-keygen -q -t ed25519 -N '' -C "root@$name" -f "$folder/$name/id"
        [ "$name" = operator ] || [ -e "$folder/$name/host_key" ] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$folder/$name/host_key"
    done
    for name in $(hosts); do echo "$name $(cat "$folder/$name/host_key.pub")"; done >"$folder/known_hosts"
    for name in operator $(hosts); do
        cp "$folder/known_hosts" "$folder/$name/known_hosts"
        cat "$folder"/*/id.pub >"$folder/$name/authorized_keys"
        printf '%s\n' 'GlobalKnownHostsFile /etc/ssh/known_hosts' 'UserKnownHostsFile /dev/null' 'StrictHostKeyChecking yes' \
            'IdentityAgent none' 'IdentitiesOnly yes' >"$folder/$name/ssh_config"
        [ "$name" = operator ] || echo 'IdentityFile /etc/ssh/id' >>"$folder/$name/ssh_config"
        printf '%s\n' 'HostKey /etc/ssh/host_key' 'AuthorizedKeysFile /etc/ssh/authorized_keys' 'AuthenticationMethods publickey' \
            'PermitRootLogin prohibit-password' 'StrictModes no' 'UsePAM no' 'PidFile none' >"$folder/$name/sshd_config"
    done
}
start_sshd() { # HOST
    mkdir -p /run/sshd
    [ -z "$(host_ns "$1" ss -Hltn sport = :22)" ] || return 0
    in_host "$1" setsid /usr/sbin/sshd -D -e </dev/null >>"$LAB_DIR/hosts/$1/sshd.log" 2>&1 9>&- &
    disown
    for _ in $(seq 100); do
        [ -z "$(host_ns "$1" ss -Hltn sport = :22)" ] || return 0
        sleep 0.1
    done
    die "$1: sshd does not answer after 10 s: $(cat "$LAB_DIR/hosts/$1/sshd.log")"
}
