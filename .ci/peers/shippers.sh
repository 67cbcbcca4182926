#!/usr/bin/env bash
# Installs the libraries of shippers that `cargo test` sends real logs with, below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
source=crates/ipstats/tests/peers/shippers
place="${CARGO_TARGET_DIR:-target}/peers/shippers"

if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -m pip --version >/dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3 python3-pip python3-venv
fi
mkdir -p "$place"
if ! cmp -s "$source/requirements.txt" "$place/installed"; then
    python3 -m venv "$place/venv"
    "$place/venv/bin/pip" install --quiet --disable-pip-version-check -r "$source/requirements.txt"
    cp "$source/requirements.txt" "$place/installed"
fi
