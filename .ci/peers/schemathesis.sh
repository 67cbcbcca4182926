#!/usr/bin/env bash
# Installs schemathesis, which `cargo test` checks the OpenAPI document with, below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
source=crates/ipstats/tests/peers/schemathesis
place="${CARGO_TARGET_DIR:-target}/peers/schemathesis"

if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3 python3-venv
fi
mkdir -p "$place"
if ! cmp -s "$source/requirements.txt" "$place/installed"; then
    python3 -m venv "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$source/requirements.txt"
    cp "$source/requirements.txt" "$place/installed"
fi
