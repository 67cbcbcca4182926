#!/usr/bin/env bash
# The validators of Compose files and of Kubernetes manifests that `cargo test` checks deploy/ with: both bring their schemas.
source "$(dirname "$0")/../peer.sh"
peer deploy requirements.txt
python_packages "$place/venv"
installed
