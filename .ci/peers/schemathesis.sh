#!/usr/bin/env bash
# schemathesis, which `cargo test` checks the OpenAPI document with.
source "$(dirname "$0")/../peer.sh"
peer schemathesis requirements.txt
python_packages "$place"
installed
