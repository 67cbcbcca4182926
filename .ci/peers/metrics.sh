#!/usr/bin/env bash
# The parser that `cargo test` reads the page of metrics with.
source "$(dirname "$0")/../peer.sh"
peer metrics requirements.txt
python_packages "$place/venv"
installed
