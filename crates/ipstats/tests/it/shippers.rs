//! Shippers that nobody here wrote send a real log, and the answers are those of an import.

use crate::cli::model::{Answer, rfc3339};
use crate::cli::{Place, real_log};
use crate::peer;
use crate::service::Service;
use crate::site::Site;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A real log of Zeek, one JSON object a line, and what there is to know about it.
struct ZeekLog {
    path: PathBuf,
    ips: BTreeSet<String>,
    /// When it ends: what clocks are pinned to.
    end: String,
}

impl ZeekLog {
    fn new() -> Option<Self> {
        let path = real_log("zeek/ocsf-conn.json.log")?;
        let text = fs::read_to_string(&path).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ips = rows.iter().map(|row| row["id.resp_h"].as_str().unwrap().to_owned()).collect();
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds are meant")]
        let seconds = |row: &Value| row["ts"].as_f64().unwrap() as i64;
        let end = rfc3339(rows.iter().map(seconds).max().unwrap());
        Some(Self { path, ips, end })
    }

    /// What `ipstats stats` answers in `place` about every IP of the log.
    fn answers(&self, place: &Place) -> Vec<Answer> {
        let input = self.ips.iter().map(|ip| format!("{ip}\n")).collect::<Vec<_>>().concat();
        let done = place.run_with_input(&["stats", "-", "--json", "--as-of", &self.end], input.as_bytes());
        done.out.lines().map(Answer::read).collect()
    }

    fn imported(&self) -> Vec<Answer> {
        let place = Place::new();
        place.import(&["--as-of", &self.end, self.path.to_str().unwrap()]);
        self.answers(&place)
    }

    fn serve(&self, site: &Site) -> Service {
        Service::start(site.place.command(["serve", "--as-of", &self.end]))
    }
}

/// Sends the log twice with a library in Python.
fn sent_by_library(protocol: &str) {
    let (Some(peer), Some(log)) = (peer::installed("shippers", "send.py"), ZeekLog::new()) else { return };
    let site = Site::new();
    let service = log.serve(&site);
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
    assert_eq!(log.answers(&site.place), log.imported());
}

#[test]
fn the_bulk_helper_of_elasticsearch() {
    sent_by_library("elastic");
}

#[test]
fn the_exporter_of_opentelemetry() {
    sent_by_library("otlp");
}

#[test]
fn a_client_of_splunks_collector() {
    sent_by_library("splunk");
}
