//! Files that a service follows: live, rotated, emptied, compressed, and across its kill.

use crate::cli::model::{Connection, Model};
use crate::service::Service;
use crate::site::{NOW, Site};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const HEADER: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n";

/// How long the service may take to see what was written.
const PATIENCE: Duration = Duration::from_mins(5);

/// A sensor that writes Zeek logs, and what it wrote.
struct Sensor {
    site: Site,
    written: Model,
}

impl Sensor {
    fn new() -> Self {
        let site = Site::new();
        let config = "[[sources]]\nname = 'zeek'\norganization = 'contoso'\nkind = 'files'\nformat = 'zeek'\n\
                      paths = ['current/conn.log', 'archive/*.log*']\n";
        let file = site.place.path("ipstats.toml");
        let rest = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("rate_limits = ['off']\n{rest}{config}")).unwrap();
        fs::create_dir(site.place.path("current")).unwrap();
        fs::create_dir(site.place.path("archive")).unwrap();
        Self { site, written: Model::default() }
    }

    /// Nobody reads the log of the service while it runs: it must not fill the pipe.
    fn serve(&self) -> Service {
        let mut command = self.site.serving();
        command.env("IPSTATS_LOG_LEVEL", "warn");
        Service::start(command)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.site.place.path(name)
    }

    fn live(&self) -> PathBuf {
        self.path("current/conn.log")
    }

    fn begin(&self) -> File {
        let mut file = File::create(self.live()).unwrap();
        file.write_all(HEADER.as_bytes()).unwrap();
        file
    }

    /// Rows of new connections, numbered.
    fn rows(&mut self, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            let number = u32::try_from(self.written.connections.len()).unwrap();
            let (device, ip, at): Connection = (
                format!("10.1.0.{}", number % 40),
                IpAddr::from([198, 51, 100, (number % 20) as u8]),
                NOW - i64::from(number) * 7,
            );
            writeln!(text, "{at}.5\t{device}\t{ip}\tSF").unwrap();
            self.written.connections.push((device, ip, at));
        }
        text
    }

    fn write(&mut self, file: &mut File, count: usize) {
        let rows = self.rows(count);
        file.write_all(rows.as_bytes()).unwrap();
    }

    /// Waits until the service knows all that was written.
    fn settle(&self, service: &Service) {
        self.site.settle(service, &self.written, PATIENCE);
    }

    fn gzip(rows: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(HEADER.as_bytes()).unwrap();
        encoder.write_all(rows.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }
}

#[test]
fn a_live_log_is_followed_through_its_rotation() {
    let mut sensor = Sensor::new();
    let service = sensor.serve();
    // Nothing there yet; then a line that is written in two parts.
    let mut live = sensor.begin();
    sensor.write(&mut live, 100);
    sensor.settle(&service);
    let rows = sensor.rows(1);
    let (first, second) = rows.split_at(9);
    live.write_all(first.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(1500));
    live.write_all(second.as_bytes()).unwrap();
    sensor.settle(&service);

    // Written, and at once renamed to a name that nobody follows; then more is written, without a last line end.
    sensor.write(&mut live, 50);
    fs::rename(sensor.live(), sensor.path("current/conn-rotated")).unwrap();
    let rows = sensor.rows(10);
    live.write_all(rows.trim_end().as_bytes()).unwrap();
    drop(live);
    let mut next = sensor.begin();
    sensor.write(&mut next, 70);
    sensor.settle(&service);

    // Emptied and written anew, longer than it was.
    next.set_len(0).unwrap();
    drop(next);
    let mut anew = sensor.begin();
    sensor.write(&mut anew, 500);
    sensor.settle(&service);

    // An archive.
    let rows = sensor.rows(30);
    fs::write(sensor.path("archive/conn.log.gz"), Sensor::gzip(&rows)).unwrap();
    sensor.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn a_service_that_was_stopped_reads_on_and_reads_nothing_twice() {
    let mut sensor = Sensor::new();
    let mut live = sensor.begin();
    sensor.write(&mut live, 200);
    let rows = sensor.rows(30);
    let archive = sensor.path("archive/conn.log.gz");
    fs::write(&archive, Sensor::gzip(&rows)).unwrap();
    let service = sensor.serve();
    sensor.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));

    // What was read is damaged without a trace in length and last bytes: reading it again would show.
    let text = fs::read(sensor.live()).unwrap();
    let other = String::from_utf8(text).unwrap().replacen("\t10.1.0.", "\t10.2.0.", 50);
    fs::write(sensor.live(), other).unwrap();
    let mut live = OpenOptions::new().append(true).open(sensor.live()).unwrap();
    sensor.write(&mut live, 20);
    let service = sensor.serve();
    sensor.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn a_kill_loses_nothing() {
    let mut sensor = Sensor::new();
    let mut live = sensor.begin();
    for round in 0..6_u64 {
        let service = sensor.serve();
        for step in 0..20 {
            sensor.write(&mut live, 40);
            thread::sleep(Duration::from_millis(20 + round * 13));
            if step == 10 {
                fs::rename(sensor.live(), sensor.path(&format!("archive/conn-{round}.log"))).unwrap();
                live = sensor.begin();
            }
        }
        service.end("KILL");
    }
    let service = sensor.serve();
    sensor.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
}

/// Makes a file look as if it was last written to `seconds` from now.
fn touch(path: &Path, seconds: i64) {
    let offset = Duration::from_secs(seconds.unsigned_abs());
    let now = fs::metadata(path).unwrap().modified().unwrap();
    let time = if seconds < 0 { now - offset } else { now + offset };
    OpenOptions::new().append(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn odd_files_are_read_as_an_import_reads_them() {
    let mut sensor = Sensor::new();
    // The last line has no end, and nobody writes any more.
    let rows = sensor.rows(40);
    let quiet = sensor.path("archive/quiet.log");
    fs::write(&quiet, format!("{HEADER}{}", rows.trim_end())).unwrap();
    touch(&quiet, -3600);
    // The sender's clock is fast.
    let rows = sensor.rows(10);
    let future = sensor.path("archive/future.log.gz");
    fs::write(&future, Sensor::gzip(&rows)).unwrap();
    touch(&future, 7200);
    // No log at first.
    let junk = sensor.path("archive/junk.log");
    fs::write(&junk, "this is no log\n").unwrap();
    // Damaged at first, and as long as the intact one.
    let rows = sensor.rows(10);
    let (intact, mended) = (Sensor::gzip(&rows), sensor.path("archive/mended.log.gz"));
    let mut damaged = intact.clone();
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0);
    fs::write(&mended, &damaged).unwrap();
    touch(&mended, -3600);

    let service = sensor.serve();
    service.wait_for_log("junk.log", 1);
    service.wait_for_log("mended.log.gz", 1);
    fs::write(&mended, &intact).unwrap();
    touch(&mended, -1800);
    let rows = sensor.rows(20);
    fs::write(&junk, format!("{HEADER}{rows}")).unwrap();
    sensor.settle(&service);

    // The line goes on after all, and is another one.
    let row = sensor.rows(1);
    fs::write(&quiet, format!("{}\n{row}", fs::read_to_string(&quiet).unwrap())).unwrap();
    sensor.settle(&service);
    let said = String::from_utf8(service.stop().stderr).unwrap();
    for name in ["junk.log", "mended.log.gz"] {
        let times = said.lines().filter(|line| line.contains(name)).count();
        assert_eq!(times, 1, "{name}: {said}");
    }
}

#[test]
fn records_of_which_none_counts_are_said_with_the_reason() {
    let sensor = Sensor::new();
    fs::write(sensor.path("archive/outside.log"), format!("{HEADER}7\t10.0.0.1\t8.8.8.8\tSF\n")).unwrap();
    let service = sensor.serve();
    let why = "none of them counts: the only record: older than 30 days";
    service.wait_for_log(why, 1);
    let said = String::from_utf8(service.stop().stderr).unwrap();
    assert_eq!(said.lines().filter(|line| line.contains(why)).count(), 1, "{said}");
}

#[test]
fn what_hinders_a_source_is_said_once() {
    let sensor = Sensor::new();
    fs::write(sensor.path("archive/readme.log"), "this is no log\n").unwrap();
    let cut = Sensor::gzip("7\t10.0.0.1\t8.8.8.8\tSF\n");
    fs::write(sensor.path("archive/cut.log.gz"), &cut[..cut.len() - 4]).unwrap();
    let service = sensor.serve();
    service.wait_for_log("readme.log", 1);
    service.wait_for_log("cut.log.gz", 1);
    // The service looks at the files again several times.
    thread::sleep(Duration::from_secs(5));
    let said = String::from_utf8(service.stop().stderr).unwrap();
    for name in ["readme.log", "cut.log.gz"] {
        assert_eq!(said.lines().filter(|line| line.contains(name)).count(), 1, "{name}: {said}");
    }
}

#[test]
fn padding_and_trailing_bytes_keep_all_records() {
    let mut sensor = Sensor::new();
    for (name, trailing) in [("padded.log.gz", vec![0; 1024]), ("trailing.log.gz", b"more".to_vec())] {
        let rows = sensor.rows(3);
        fs::write(sensor.path("archive").join(name), [Sensor::gzip(&rows), trailing].concat()).unwrap();
    }
    let rows = sensor.rows(3);
    let zeros = "\0".repeat(4096);
    fs::write(sensor.path("archive/crashed.log"), format!("{zeros}{HEADER}{rows}")).unwrap();
    let service = sensor.serve();
    sensor.settle(&service);

    let done = sensor.site.place.run(&["sources", "--json"]);
    let sources: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let source = &sources["sources"][0];
    assert_eq!((&source["state"], &source["reason"]), (&"running".into(), &serde_json::Value::Null));
    let warning = source["warning"].as_str().unwrap();
    assert!(warning.contains("trailing.log.gz: 4 bytes after the end of the gzip data"), "{warning}");
    let table = sensor.site.place.run(&["sources"]).out;
    assert!(table.contains("warning: ") && table.contains("trailing.log.gz: 4 bytes"), "{table}");
    drop(service);
}

#[test]
fn truncation_under_writer_without_append_is_survived() {
    let mut sensor = Sensor::new();
    let service = sensor.serve();
    let mut live = sensor.begin();
    sensor.write(&mut live, 200);
    sensor.settle(&service);
    // The writer keeps its offset, so what it writes next follows a run of zeros.
    OpenOptions::new().write(true).open(sensor.live()).unwrap().set_len(0).unwrap();
    live.write_all(HEADER.as_bytes()).unwrap();
    sensor.write(&mut live, 50);
    sensor.settle(&service);
    sensor.write(&mut live, 5);
    sensor.settle(&service);
    drop(service);
}
