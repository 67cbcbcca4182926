#!/usr/bin/env bash
# Installs MSAL for Python and for Node, and the Python that runs the examples of docs/api.md, below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
source=crates/ipstats/tests/peers/msal
place="${CARGO_TARGET_DIR:-target}/peers/msal"

missing=()
command -v npm >/dev/null 2>&1 || missing+=(nodejs npm)
command -v curl >/dev/null 2>&1 || missing+=(curl ca-certificates)
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3 python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
mkdir -p "$place"
if ! cat "$source/package-lock.json" "$source/requirements.txt" | cmp -s - "$place/installed"; then
    cp "$source/package.json" "$source/package-lock.json" "$source/requirements.txt" "$place/"
    npm ci --prefix "$place" --no-fund --no-audit --ignore-scripts
    python3 -m venv "$place/venv"
    "$place/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$place/requirements.txt"
    cat "$source/package-lock.json" "$source/requirements.txt" >"$place/installed"
fi
