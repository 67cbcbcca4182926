//! Shippers of others send a log, and the answers are those of an import.

mod by_syslog;
mod libraries;
mod recorded;
mod rsyslog;
mod syslog_ng;

use crate::cli::Place;
use crate::cli::model::{Answer, rfc3339};
use crate::service::Service;
use crate::site::Site;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for a shipper to bring everything.
const SHIPPER_SECONDS_MAX: u64 = 300;

/// How often the service is killed while a shipper sends.
const KILLS: usize = 3;

/// Records of the log.
const RECORDS: u32 = 1250;

/// How connections end in it, by how often in a row: the states of Zeek that count and that do not.
const STATES: [&str; 12] = ["SF", "S0", "SF", "OTH", "SF", "S1", "RSTR", "SHR", "SF", "RSTO", "REJ", "SF"];

/// The last second of the log, 2026-11-30T12:00:00Z.
const END: i64 = 1_796_040_000;

/// A log of Zeek, one JSON object a line, and what there is to know about it.
struct ZeekLog {
    _folder: TempDir,
    path: PathBuf,
    ips: Vec<IpAddr>,
    /// When it ends: what clocks are pinned to.
    end: String,
}

impl ZeekLog {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("source.log");
        fs::write(&path, (0..RECORDS).map(record).collect::<Vec<_>>().concat()).unwrap();
        let ips: BTreeSet<_> = (0..RECORDS).map(remote).collect();
        Self { _folder: folder, path, ips: ips.into_iter().collect(), end: rfc3339(END) }
    }

    /// What `ipstats stats` answers in `place` about every IP of the log.
    fn stored(&self, place: &Place) -> Vec<Answer> {
        let input = self.ips.iter().map(|ip| format!("{ip}\n")).collect::<Vec<_>>().concat();
        let done = place.run_with_input(&["stats", "-", "--json", "--as-of", &self.end], input.as_bytes());
        done.out.lines().map(Answer::read).collect()
    }

    fn imported(&self) -> Vec<Answer> {
        let place = Place::new();
        place.import(&["--as-of", &self.end, self.path.to_str().unwrap()]);
        self.stored(&place)
    }

    fn serve(&self, site: &Site, listen: &str) -> Service {
        let mut command = site.place.command(["serve", "--as-of", &self.end]);
        // Nobody reads what it says, and it is asked about all IPs again and again.
        command.env("IPSTATS_LOG_LEVEL", "warn").env("IPSTATS_RATE_LIMITS", "off");
        Service::start_at(command, listen)
    }

    /// Lets a shipper follow a file that grows by this log, and kills the service meanwhile, again and again. `shipper` makes
    /// its command, of the service's port, a folder of its own and the file in it. What the shipper says is in `told`.
    fn shipped_in_spite_of_kills(&self, site: &Site, shipper: impl FnOnce(&str, &Path, &Path) -> Command) {
        let folder = site.place.path("shipper");
        fs::create_dir(&folder).unwrap();
        let (followed, told) = (folder.join("conn.log"), folder.join("told"));
        fs::write(&followed, "").unwrap();
        let mut service = self.serve(site, "127.0.0.1:0");
        let port = service.address.rsplit_once(':').unwrap().1.to_owned();
        let mut command = shipper(&port, &folder, &followed);
        let output = fs::File::create(&told).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let _shipper = Shipper(command.spawn().unwrap());
        let service = thread::scope(|scope| {
            let writer = scope.spawn(|| self.grow(&followed));
            for _ in 0..KILLS {
                thread::sleep(Duration::from_millis(700));
                service.signal("KILL");
                drop(service);
                service = self.serve(site, &format!("127.0.0.1:{port}"));
            }
            writer.join().unwrap();
            self.wait(&service, site, &told);
            service
        });
        assert_eq!(service.stop().status.code(), Some(0));
        assert_eq!(self.stored(&site.place), self.imported());
    }

    /// Appends the log to `followed` in some seconds, as a sensor does.
    fn grow(&self, followed: &Path) {
        let mut file = OpenOptions::new().append(true).open(followed).unwrap();
        for line in fs::read_to_string(&self.path).unwrap().lines() {
            writeln!(file, "{line}").unwrap();
            thread::sleep(Duration::from_millis(3));
        }
    }

    fn wait(&self, service: &Service, site: &Site, told: &Path) {
        let (expected, began) = (self.imported(), Instant::now());
        while site.answers(service, &self.ips) != expected {
            assert!(
                began.elapsed() < Duration::from_secs(SHIPPER_SECONDS_MAX),
                "the shipper did not bring everything; it says: {}",
                fs::read_to_string(told).unwrap()
            );
            thread::sleep(Duration::from_millis(500));
        }
    }
}

/// The address that a record's connection leads to; every eighth is of IPv6.
fn remote(number: u32) -> IpAddr {
    let host = number.wrapping_mul(7919) % 300;
    match number % 8 {
        0 => Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(host)).into(),
        _ => Ipv4Addr::from(0xcb00_7100 + host).into(),
    }
}

/// One line, as Zeek writes it: with text that shippers must escape, and fields of all kinds. Some records are older than
/// what is kept.
fn record(number: u32) -> String {
    let age = if number % 100 == 99 { 40 * 86_400 } else { i64::from(RECORDS - 1 - number) * 900 };
    let local = Ipv4Addr::from(0x0a00_0001 + number % 37);
    let state = STATES[number as usize % STATES.len()];
    let mut line = json!({
        "ts": f64::from(u32::try_from(END - age).unwrap()) - 0.25,
        "uid": format!("C{number:017}"),
        "id.orig_h": local.to_string(),
        "id.orig_p": 49_152 + number % 16_000,
        "id.resp_h": remote(number).to_string(),
        "id.resp_p": 443,
        "proto": "tcp",
        "service": "ssl,größe \"quoted\" \\ %msg% ${MSG}",
        "conn_state": state,
        "local_orig": true,
        "local_resp": false,
        "history": "ShADadFf",
        "orig_bytes": number * 3,
        "tunnel_parents": ["CHhAvVGS1DHFjwGM9"],
    })
    .to_string();
    line.push('\n');
    line
}

/// Killed when it is dropped.
struct Shipper(Child);

impl Drop for Shipper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
