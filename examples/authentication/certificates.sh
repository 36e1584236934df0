#!/bin/bash
# Certificates for hosts that move guests to each other, and for the machine that runs drover.
# usage: certificates.sh FOLDER [-o OPERATOR]... HOST...
#   FOLDER/cakey.pem            the CA's key: stays with you, never goes onto a host
#   FOLDER/HOST/etc/pki/...     copied to / of the host
#   FOLDER/OPERATOR/            for pkipath=FOLDER/OPERATOR in drover.conf, or into /etc/pki of that machine
# HOST is the name in the uris of the host, which its certificate has to bear. What exists is kept.
set -euo pipefail
umask 077
folder=${1:?FOLDER}
shift
[ $# -gt 0 ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 64; }
mkdir -p "$folder"

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1" 2>/dev/null; }
new_ca() {
    new_key "$folder/cakey.pem"
    openssl req -x509 -key "$folder/cakey.pem" -days 3650 -subj "/O=drover/CN=CA of the hosts" \
        -addext "basicConstraints=critical,CA:true" -addext "keyUsage=critical,keyCertSign" -out "$folder/cacert.pem"
}
# libvirt wants a key usage that permits key encipherment, and QEMU and libvirt both the name of the host.
new_certificate() { # NAME USES KEY CERTIFICATE
    new_key "$3"
    openssl req -new -key "$3" -subj "/O=drover/CN=$1" -out "$4.request"
    printf 'subjectAltName=DNS:%s\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=%s\n' "$1" "$2" >"$4.extensions"
    openssl x509 -req -in "$4.request" -CA "$folder/cacert.pem" -CAkey "$folder/cakey.pem" -CAcreateserial -days 730 \
        -extfile "$4.extensions" -out "$4" 2>/dev/null
    rm "$4.request" "$4.extensions"
}
operator() { # NAME: a client only
    [ ! -e "$folder/$1/clientcert.pem" ] || return 0
    mkdir -p "$folder/$1"
    cp "$folder/cacert.pem" "$folder/$1/cacert.pem"
    new_certificate "$1" clientAuth "$folder/$1/clientkey.pem" "$folder/$1/clientcert.pem"
}
# A host is server and client, for libvirt's connections and for what QEMU sends: one certificate under all the names.
host() { # NAME
    local pki=$folder/$1/etc/pki side
    [ ! -e "$pki/libvirt/servercert.pem" ] || return 0
    mkdir -p "$pki/CA" "$pki/libvirt/private" "$pki/libvirt-migrate"
    cp "$folder/cacert.pem" "$pki/CA/cacert.pem"
    cp "$folder/cacert.pem" "$pki/libvirt-migrate/ca-cert.pem"
    new_certificate "$1" serverAuth,clientAuth "$pki/libvirt/private/serverkey.pem" "$pki/libvirt/servercert.pem"
    cp "$pki/libvirt/private/serverkey.pem" "$pki/libvirt/private/clientkey.pem"
    cp "$pki/libvirt/servercert.pem" "$pki/libvirt/clientcert.pem"
    for side in server client; do
        cp "$pki/libvirt/private/serverkey.pem" "$pki/libvirt-migrate/$side-key.pem"
        cp "$pki/libvirt/servercert.pem" "$pki/libvirt-migrate/$side-cert.pem"
    done
}

[ -e "$folder/cacert.pem" ] || new_ca
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then operator "${2:?OPERATOR}"; shift; else host "$1"; fi
    shift
done
