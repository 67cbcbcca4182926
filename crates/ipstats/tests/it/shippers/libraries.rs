//! Libraries for Python that programs ship their own logs with.

use super::ZeekLog;
use crate::peer;
use crate::site::Site;
use std::process::Command;

/// Sends the log twice with a library in Python.
fn sent_by_library(protocol: &str) {
    let (peer, log) = (peer::installed("shippers", "send.py"), ZeekLog::new());
    let site = Site::new();
    let service = log.serve(&site, "127.0.0.1:0");
    for _ in 0..2 {
        let mut command = Command::new(peer.join("venv/bin/python"));
        command.arg(peer.join("send.py")).args([
            protocol,
            &format!("http://{}", service.address),
            site.key(),
        ]);
        let output = command.arg(&log.path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(service.stop().status.code(), Some(0));
    assert_eq!(log.stored(&site.place), log.imported());
}

#[test]
#[ignore = "needs .ci/peers/shippers.sh"]
fn the_bulk_helper_of_elasticsearch() {
    sent_by_library("elastic");
}

#[test]
#[ignore = "needs .ci/peers/shippers.sh"]
fn the_exporter_of_opentelemetry() {
    sent_by_library("otlp");
}

#[test]
#[ignore = "needs .ci/peers/shippers.sh"]
fn a_client_of_splunks_collector() {
    sent_by_library("splunk");
}
