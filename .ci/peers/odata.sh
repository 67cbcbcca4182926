#!/usr/bin/env bash
# The OData validators that `cargo test` checks the metadata document with.
source "$(dirname "$0")/../peer.sh"
peer odata package-lock.json
node_packages
installed
