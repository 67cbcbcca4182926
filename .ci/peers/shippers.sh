#!/usr/bin/env bash
# The libraries of shippers that `cargo test` sends real logs with.
source "$(dirname "$0")/../peer.sh"
peer shippers requirements.txt
python_packages "$place/venv"
installed
