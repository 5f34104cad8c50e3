#!/bin/sh
# Makes what a trial with TLS needs, once: an authority of its own, certificates of servers, and passwords.
#   sh deploy/secure/certificates.sh FOLDER [NAME…]
# For each server NAME (default: kafka valkey): FOLDER/NAME.pem with certificate and key, good for NAME, localhost and
# 127.0.0.1; for clients FOLDER/ca.pem. In production these come from your own authority and secret store.
set -eu
umask 077
folder=${1:?name a folder}
shift
[ $# -gt 0 ] || set -- kafka valkey
days=${DAYS:-365}
mkdir -p "$folder"
cd "$folder"
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
if [ ! -e ca.pem ]; then
    # shellcheck disable=SC2086
    openssl req -x509 $key -keyout ca.key -out ca.pem -days 3650 -subj "/CN=Restock trial authority" 2>/dev/null
fi
for name in "$@"; do
    [ ! -e "$name.pem" ] || continue
    # shellcheck disable=SC2086
    openssl req $key -keyout "$name.key" -out "$name.csr" -subj "/CN=$name" 2>/dev/null
    printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\n' "$name" >"$name.names"
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" \
        -extfile "$name.names" -out "$name.crt" 2>/dev/null
    cat "$name.crt" "$name.key" >"$name.pem"
    rm "$name.csr" "$name.names"
done
