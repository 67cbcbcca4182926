//! Followed logs whose devices are named by the leases in a dhcp.log that grows beside them.

use crate::cli::model::{Connection, Model};
use crate::service::Service;
use crate::site::{NOW, Site};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const CONN: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n";
const DHCP: &str = "#separator \\x09\n#path\tdhcp\n#fields\tts\tmac\thost_name\tassigned_addr\tlease_time\n";

const PATIENCE: Duration = Duration::from_mins(5);

/// How long connections wait for their leases.
const WAIT: Duration = Duration::from_secs(4);

const ALICE: &str = "08:00:27:00:00:0a";
const BOB: &str = "08:00:27:00:00:0b";

struct Sensor {
    site: Site,
    written: Model,
}

impl Sensor {
    fn new() -> Self {
        let site = Site::new();
        let file = site.place.path("ipstats.toml");
        let source = format!(
            "[[sources]]\nname = 'zeek'\norganization = 'contoso'\nkind = 'files'\nformat = 'zeek'\n\
             paths = ['logs/conn*.log*']\n\
             aliases = {{ files = ['logs/dhcp.log', 'logs/dhcp.*.gz'], by = 'mac', wait = '{} s' }}\n",
            WAIT.as_secs()
        );
        let rest = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("rate_limits = ['off']\n{rest}{source}")).unwrap();
        fs::create_dir(site.place.path("logs")).unwrap();
        Self { site, written: Model::default() }
    }

    fn serve(&self) -> Service {
        let mut command = self.site.serving();
        command.env("IPSTATS_LOG_LEVEL", "warn");
        Service::start(command)
    }

    fn append(&self, name: &str, header: &str, row: &str) {
        let path = self.site.place.path("logs").join(name);
        let is_new = !path.exists();
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{}{row}\n", if is_new { header } else { "" }).as_bytes()).unwrap();
    }

    /// `address` is leased to `mac`, from `ago` seconds before now on.
    fn lease(&self, mac: &str, address: &str, ago: i64) {
        self.append("dhcp.log", DHCP, &format!("{}.0\t{mac}\t-\t{address}\t3600", NOW - ago));
    }

    /// `address`, which `device` has, connects to `ip`, `ago` seconds before now.
    fn connect(&mut self, device: &str, address: &str, ip: &str, ago: i64) {
        self.append("conn.log", CONN, &format!("{}.0\t{address}\t{ip}\tSF", NOW - ago));
        let connection: Connection = (device.to_owned(), ip.parse().unwrap(), NOW - ago);
        self.written.connections.push(connection);
    }

    /// Waits until the service knows all that was written.
    fn settle(&self, service: &Service) {
        self.site.settle(service, &self.written, PATIENCE);
    }

    /// What the service tells of the source.
    fn told(&self) -> Value {
        let done = self.site.place.run(&["sources", "--json"]);
        serde_json::from_str::<Value>(&done.out).unwrap()["sources"][0].clone()
    }
}

fn compress(path: &Path, to: &Path) {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    fs::write(to, encoder.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn a_device_keeps_its_name_whatever_its_address_and_its_sensor_do() {
    let mut sensor = Sensor::new();
    sensor.lease(ALICE, "10.0.0.5", 5000);
    let service = sensor.serve();
    // Two addresses of one device, and one address of two.
    sensor.connect(ALICE, "10.0.0.5", "198.51.100.1", 4000);
    sensor.lease(ALICE, "10.0.0.6", 3000);
    sensor.lease(BOB, "10.0.0.5", 3000);
    sensor.connect(ALICE, "10.0.0.6", "198.51.100.1", 2900);
    sensor.connect(BOB, "10.0.0.5", "198.51.100.1", 2900);
    sensor.connect(BOB, "10.0.0.5", "198.51.100.2", 2900);
    // Nobody's.
    sensor.connect("10.0.0.77", "10.0.0.77", "198.51.100.2", 2900);
    sensor.settle(&service);

    // The connection is written first, as Zeek does where it ends soon.
    sensor.connect(ALICE, "10.0.0.8", "198.51.100.1", 1900);
    thread::sleep(WAIT / 2);
    sensor.lease(ALICE, "10.0.0.8", 2000);
    sensor.settle(&service);

    // Rotated while connections wait; the name of the log of leases is one that nobody follows.
    sensor.connect(BOB, "10.0.0.9", "198.51.100.1", 900);
    sensor.lease(BOB, "10.0.0.9", 1000);
    let logs = sensor.site.place.path("logs");
    fs::rename(logs.join("conn.log"), logs.join("rotated")).unwrap();
    fs::rename(logs.join("dhcp.log"), logs.join("rotated-dhcp")).unwrap();
    sensor.connect(BOB, "10.0.0.9", "198.51.100.3", 800);
    sensor.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));

    // After a restart leases are read again, from the archive.
    compress(&logs.join("rotated-dhcp"), &logs.join("dhcp.1.gz"));
    sensor.connect(ALICE, "10.0.0.8", "198.51.100.4", 700);
    let service = sensor.serve();
    sensor.connect(BOB, "10.0.0.9", "198.51.100.1", 600);
    sensor.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn logs_of_leases_that_are_all_gone_are_missed_and_connections_go_on() {
    let mut sensor = Sensor::new();
    sensor.lease(ALICE, "10.0.0.5", 200);
    sensor.connect(ALICE, "10.0.0.5", "198.51.100.1", 100);
    let service = sensor.serve();
    sensor.settle(&service);
    assert_eq!(sensor.told()["state"], "running");
    fs::remove_file(sensor.site.place.path("logs/dhcp.log")).unwrap();
    let end = Instant::now() + PATIENCE;
    let told = loop {
        let told = sensor.told();
        if told["state"] == "retrying" || Instant::now() > end {
            break told;
        }
        thread::sleep(Duration::from_millis(200));
    };
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains("logs/dhcp.log") && reason.contains("any more: connections go on"), "{told}");
    sensor.connect(ALICE, "10.0.0.5", "198.51.100.2", 90);
    sensor.settle(&service);
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn without_a_log_of_leases_connections_wait_and_it_is_said() {
    let mut sensor = Sensor::new();
    sensor.connect(ALICE, "10.0.0.5", "198.51.100.1", 100);
    let service = sensor.serve();
    let end = Instant::now() + PATIENCE;
    while sensor.told()["state"] != "retrying" && Instant::now() < end {
        thread::sleep(Duration::from_millis(200));
    }
    // Longer than the service waits for a log.
    thread::sleep(WAIT + Duration::from_secs(1));
    let told = sensor.told();
    assert_eq!((&told["state"], &told["lastHour"]["counted"]), (&"retrying".into(), &0.into()), "{told}");
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.starts_with("no lease log matches ") && reason.contains("logs/dhcp.log"), "{reason}");
    assert!(told["backlogBytes"].as_u64().unwrap() > 0, "{told}");
    sensor.lease(ALICE, "10.0.0.5", 200);
    sensor.settle(&service);
    assert_eq!(sensor.told()["state"], "running");
    assert_eq!(service.stop().status.code(), Some(0));
}
