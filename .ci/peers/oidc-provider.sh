#!/usr/bin/env bash
# The OpenID provider whose tokens `cargo test` asks the service with.
source "$(dirname "$0")/../peer.sh"
peer oidc-provider package-lock.json
node_packages
installed
