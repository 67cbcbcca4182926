//! Shippers that nobody here wrote send a real log, and the answers are those of an import.

use crate::cli::model::{Answer, rfc3339};
use crate::cli::{Place, real_log};
use crate::peer;
use crate::service::Service;
use crate::site::Site;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a shipper.
const SHIPPER_SECONDS_MAX: u64 = 60;

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
        self.serve_at(site, "127.0.0.1:0")
    }

    fn serve_at(&self, site: &Site, listen: &str) -> Service {
        let mut command = site.place.command(["serve", "--as-of", &self.end]);
        // Here it is asked about all IPs again and again.
        command.env("IPSTATS_RATE_LIMITS", "off");
        Service::start_at(command, listen)
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

/// Killed when it is dropped.
struct Shipper(Child);

impl Drop for Shipper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// rsyslog follows a file and sends its lines to the bulk API. The service is killed in the middle, and rsyslog goes on with the
/// one that follows.
#[test]
fn rsyslog_and_a_service_that_is_killed() {
    let program = Path::new("/usr/sbin/rsyslogd");
    let plugins = glob_one("/usr/lib/*/rsyslog/omelasticsearch.so");
    if !program.is_file() || plugins.is_none() {
        return peer::skip("shipping with rsyslog", "rsyslog");
    }
    let Some(log) = ZeekLog::new() else { return };
    let (site, sent) = (Site::new(), fs::read_to_string(&log.path).unwrap());
    let service = log.serve(&site);
    let (_, port) = service.address.rsplit_once(':').unwrap();
    let port = port.to_owned();
    let folder = site.place.path("rsyslog");
    fs::create_dir(&folder).unwrap();
    let followed = folder.join("conn.log");
    let lines: Vec<_> = sent.lines().collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    fs::write(&followed, first.join("\n") + "\n").unwrap();
    fs::write(folder.join("rsyslog.conf"), rsyslog_config(&folder, &followed, &port, site.key())).unwrap();
    let mut command = Command::new(program);
    command.arg("-n").arg("-i").arg(folder.join("pid")).arg("-f").arg(folder.join("rsyslog.conf"));
    let _shipper = Shipper(command.spawn().unwrap());
    thread::sleep(Duration::from_millis(700));
    service.signal("KILL");
    drop(service);
    let mut log_file = fs::OpenOptions::new().append(true).open(&followed).unwrap();
    log_file.write_all((second.join("\n") + "\n").as_bytes()).unwrap();
    let service = log.serve_at(&site, &format!("127.0.0.1:{port}"));
    let expected = log.imported();
    let began = Instant::now();
    while service_answers(&service, &site, &log) != expected {
        assert!(
            began.elapsed() < Duration::from_secs(SHIPPER_SECONDS_MAX),
            "rsyslog did not bring everything"
        );
        thread::sleep(Duration::from_millis(500));
    }
}

fn service_answers(service: &Service, site: &Site, log: &ZeekLog) -> Vec<Answer> {
    let ips: Vec<_> = log.ips.iter().map(|ip| ip.parse().unwrap()).collect();
    site.answers(service, &ips)
}

fn glob_one(pattern: &str) -> Option<PathBuf> {
    glob::glob(pattern).unwrap().find_map(Result::ok)
}

fn rsyslog_config(folder: &Path, followed: &Path, port: &str, key: &str) -> String {
    let (folder, followed) = (folder.display(), followed.display());
    format!(
        r#"global(workDirectory="{folder}")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="{followed}" tag="zeek" ruleset="ship")
ruleset(name="ship") {{
  action(type="omelasticsearch" server="http://127.0.0.1:{port}/elastic" searchIndex="zeek" searchType=""
         bulkmode="on" maxbytes="1m" template="line" uid="rsyslog" pwd="{key}"
         queue.type="linkedList" queue.dequeueBatchSize="50" action.resumeRetryCount="-1" action.resumeInterval="1")
}}
"#
    )
}
