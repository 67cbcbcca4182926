//! Shippers that nobody here wrote send a real log, and the answers are those of an import.

mod by_syslog;
mod libraries;
mod recorded;
mod rsyslog;
mod syslog_ng;

use crate::cli::model::{Answer, rfc3339};
use crate::cli::{Place, real_log};
use crate::service::Service;
use crate::site::Site;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a shipper to bring everything.
const SHIPPER_SECONDS_MAX: u64 = 90;

/// How often the service is killed while a shipper sends.
const KILLS: usize = 3;

/// A real log of Zeek, one JSON object a line, and what there is to know about it.
struct ZeekLog {
    path: PathBuf,
    ips: Vec<IpAddr>,
    /// When it ends: what clocks are pinned to.
    end: String,
}

impl ZeekLog {
    fn new() -> Option<Self> {
        let path = real_log("zeek/ocsf-conn.json.log")?;
        let text = fs::read_to_string(&path).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ips: BTreeSet<_> =
            rows.iter().map(|row| row["id.resp_h"].as_str().unwrap().parse().unwrap()).collect();
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds are meant")]
        let seconds = |row: &Value| row["ts"].as_f64().unwrap() as i64;
        let end = rfc3339(rows.iter().map(seconds).max().unwrap());
        Some(Self { path, ips: ips.into_iter().collect(), end })
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

/// Killed when it is dropped.
struct Shipper(Child);

impl Drop for Shipper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
