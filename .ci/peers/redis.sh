#!/usr/bin/env bash
# Redis, in which `cargo test` lets replicas count calls together.
source "$(dirname "$0")/../peer.sh"
export RUNLEVEL=1 # the service itself stays off
need redis-server command -v redis-server
