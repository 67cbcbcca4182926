#!/usr/bin/env bash
# syslog-ng, which `cargo test` lets send real logs: usr/sbin/syslog-ng, to be started with SYSLOGNG_PREFIX=…/usr.
source "$(dirname "$0")/../peer.sh"
peer syslog-ng packages.txt
libraries libglib2.0-0 libivykis0 libjson-c5 libnet1 libpcre3 libwrap0 libcurl4
unpacked_packages
installed
