#!/usr/bin/env bash
# rsyslog, which `cargo test` lets send real logs: usr/sbin/rsyslogd, with its modules in usr/lib/*/rsyslog.
source "$(dirname "$0")/../peer.sh"
peer rsyslog packages.txt
libraries libestr0 libfastjson4 liblognorm5 libcurl4
unpacked_packages
installed
