#!/usr/bin/env bash
# Installs the OpenID provider whose tokens `cargo test` asks the service with, below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
source=crates/ipstats/tests/peers/oidc-provider
place="${CARGO_TARGET_DIR:-target}/peers/oidc-provider"

if ! command -v npm >/dev/null 2>&1; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends nodejs npm
fi
mkdir -p "$place"
if ! cmp -s "$source/package-lock.json" "$place/installed"; then
    cp "$source/package.json" "$source/package-lock.json" "$place/"
    npm ci --prefix "$place" --no-fund --no-audit --ignore-scripts
    cp "$source/package-lock.json" "$place/installed"
fi
