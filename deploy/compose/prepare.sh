#!/usr/bin/env bash
# Makes the secrets that compose.yaml names, once. Only their owner can read them, and containers run as that user: whoever
# runs this, or user 65532 where that is root.
set -euo pipefail
cd "$(dirname "$0")"
if [ -e secrets ]; then
    echo "secrets/ is there already: nothing is changed" >&2
    exit 0
fi
umask 077
mkdir secrets
random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
random >secrets/clickhouse-password
random >secrets/valkey-password
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out secrets/signing-key.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout secrets/tls.key -out secrets/tls.crt 2>/dev/null
user=$(id -u) group=$(id -g)
if [ "$user" = 0 ]; then
    user=65532 group=65532
    chown "$user:$group" secrets/*
fi
chmod 0400 secrets/*
printf 'PASSWORD_SHA256=%s\nIPSTATS_UID=%s\nIPSTATS_GID=%s\n' \
    "$(sha256sum <secrets/clickhouse-password | cut -d' ' -f1)" "$user" "$group" >.env
echo "made secrets/ and .env; tls.crt is self-signed: replace tls.crt and tls.key for real use" >&2
