#!/usr/bin/env bash
# softflowd, an exporter of NetFlow and IPFIX that `cargo test` lets read captured packets: usr/sbin/softflowd.
source "$(dirname "$0")/../peer.sh"
peer netflow packages.txt
libraries libpcap0.8
unpacked_packages
installed
