# Debian 12 packages that drover needs, in groups, and how to get them. Sourced by tests/run.sh and examples/quickstart.sh.
# shellcheck shell=bash disable=SC2034,SC2086

packages_build="gcc libc6-dev cmake ninja-build pkg-config libvirt-dev libsqlite3-dev libuv1-dev libiniparser-dev libxml2-dev
    libjansson-dev libsmartcols-dev nettle-dev libcmocka-dev"
packages_lab="gcc-multilib libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils
    qemu-block-extra tgt iproute2 nftables iputils-ping jq procps openssl krb5-kdc krb5-admin-server krb5-user libsasl2-modules-gssapi-mit openssh-server openssh-client
    netcat-openbsd"
packages_lint="git shellcheck cppcheck binutils"

packages_missing() { # PACKAGE... -> those that are not installed
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# Installs what is missing of these packages; without the right to, it says which and fails.
packages_need() { # PACKAGE...
    local missing as_root=""
    command -v dpkg-query >/dev/null || { echo "not a Debian system: install by hand what the build asks for" >&2; return 0; }
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            echo "missing packages, and no right to install them; run: sudo apt-get install --no-install-recommends" $missing >&2
            return 1
        fi
        as_root="sudo -n"
    fi
    echo "installing:" $missing >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing </dev/null >/dev/null
}
