#!/bin/sh
# Makes all that the compose profile `secure` needs, once: certificates, passwords, users, rights.
#   sh deploy/secure/prepare.sh FOLDER
# FOLDER/PART.password for each user restock-PART, FOLDER/users.acl for Valkey, FOLDER/rights.sh for Kafka.
set -eu
folder=${1:?name a folder}
here=$(cd "$(dirname "$0")" && pwd)
sh "$here/certificates.sh" "$folder" kafka-secure valkey-secure
umask 077
cd "$folder"
for part in worker trainer page operator; do
    [ -e "$part.password" ] || openssl rand -hex 24 >"$part.password"
done
{
    echo "user default off"
    for part in worker page operator; do
        restock acl redis --for "$part" --password-file "$part.password"
    done
} >users.acl
{
    echo "set -eu"
    for part in worker trainer page operator; do
        secret="SCRAM-SHA-512=[password=$(cat "$part.password")]"
        echo "kafka-configs.sh --bootstrap-server $RESTOCK_KAFKA --alter --add-config '$secret'" \
            "--entity-type users --entity-name restock-$part"
        restock acl kafka --for "$part"
    done
} >rights.sh
# on a volume of this trial only: broker, Valkey and worker each run as a user of their own
chmod -R a+rX .
