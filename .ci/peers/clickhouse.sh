#!/usr/bin/env bash
# ClickHouse, old and new: Debian's server with Debian's ZooKeeper, and the current engine as a Python package ships it.
source "$(dirname "$0")/../peer.sh"
export RUNLEVEL=1 # the services themselves stay off
need "clickhouse-server zookeeper" test -e /usr/sbin/clickhouse-server -a -e /usr/share/java/zookeeper.jar
peer clickhouse requirements.txt
python_packages "$place/venv"
installed
