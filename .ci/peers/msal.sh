#!/usr/bin/env bash
# MSAL for Python and for Node, and the Python that runs the examples of docs/api.md.
source "$(dirname "$0")/../peer.sh"
need "curl ca-certificates" command -v curl
peer msal package-lock.json requirements.txt
node_packages
python_packages "$place/venv"
installed
