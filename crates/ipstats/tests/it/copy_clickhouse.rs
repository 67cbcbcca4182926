//! `ipstats copy` between a data folder and a real ClickHouse, as an operator moves: both services run and take records
//! meanwhile, and copies are killed.

use crate::cli::Done;
use crate::cli::model::{Model, rfc3339};
use crate::peer;
use crate::service::Service;
use crate::site::{AS_OF, NOW, Site};
use crate::store::clickhouse::gate::Gate;
use crate::store::clickhouse::server::Server;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const IPS: u8 = 61;
const CONNECTIONS: i64 = 60_000;
/// Connections of one upload meanwhile.
const UPLOAD: i64 = 400;
/// Bytes until the first kill; four times as many for each that follows.
const FIRST_KILL_BYTES: u64 = 1 << 10;
const KILLS_MIN: usize = 4;
const LOOK_BACKS: [i64; 5] = [1, 23, 101, 400, 720];

fn ips() -> Vec<IpAddr> {
    (0..IPS).map(|last| Ipv4Addr::new(198, 51, 100, last).into()).collect()
}

/// Connections of a month to few IPs; each number another device, minute or day.
fn connections(numbers: std::ops::Range<i64>, prefix: &str) -> Model {
    let one = |number: i64| {
        let scattered = number.wrapping_mul(0x9e37_79b9) >> 8 & 0xff_ffff;
        let ip = ips()[usize::try_from(scattered).unwrap() % usize::from(IPS)];
        (format!("{prefix}-{}", scattered % 997), ip, NOW - scattered * 7919 % 2_591_000)
    };
    Model { connections: numbers.map(one).collect() }
}

/// A site with a data folder, and a ClickHouse that `clickhouse.toml` names.
struct Move {
    site: Site,
    server: Server,
    /// What all reach the server through.
    gate: Gate,
}

impl Move {
    fn new() -> Self {
        let (site, server) = (Site::new(), Server::start());
        let gate = Gate::new(&server.url());
        let store =
            format!("\n[store]\nbackend = 'clickhouse'\nurls = ['{}']\ntimeout = '180 s'\n", gate.url);
        // The same organizations and keys, and a data folder of its own.
        let ours = fs::read_to_string(site.place.path("ipstats.toml")).unwrap();
        site.place.file("clickhouse.toml", format!("data_dir = 'other'\n{ours}{store}"));
        let init = site.place.run(&["clickhouse", "init", "--config", "clickhouse.toml"]);
        assert_eq!(init.code, Some(0), "{init:?}");
        Self { site, server, gate }
    }

    fn serve_clickhouse(&self) -> Service {
        let mut command = self.site.place.command(["serve", "--as-of", AS_OF, "--config", "clickhouse.toml"]);
        command.env_remove("IPSTATS_DATA_DIR").env("IPSTATS_LOG_LEVEL", "warn");
        Service::start(command)
    }

    fn serve_folder(&self) -> Service {
        let mut command = self.site.serving();
        command.env("IPSTATS_LOG_LEVEL", "warn");
        Service::start(command)
    }

    fn copying(&self, from: &str, to: &str) -> std::process::Command {
        self.site.place.command(["copy", "--from", from, "--to", to, "--as-of", AS_OF])
    }

    fn copy(&self, from: &str, to: &str) -> Done {
        let done = self.site.place.done(self.copying(from, to).spawn().unwrap());
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.starts_with("copied 1 organization: "), "{done:?}");
        done
    }

    /// What the store at `place` (arguments) answers: every IP, every look-back, with devices and first contacts.
    fn answers(&self, place: &[&str]) -> Vec<serde_json::Value> {
        let ips = ips().iter().map(|ip| format!("{ip}\n")).collect::<Vec<_>>().concat();
        let over = |hours: i64| {
            let hours = hours.to_string();
            let arguments = ["stats", "-", "--json", "--as-of", AS_OF, "--look-back-hours", &hours];
            let mut command = self.site.place.command([&arguments, place].concat());
            if place.contains(&"--config") {
                command.env_remove("IPSTATS_DATA_DIR");
            }
            let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), ips.as_bytes()).unwrap();
            let done = self.site.place.done(child);
            assert_eq!(done.code, Some(0), "{done:?}");
            done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()
        };
        LOOK_BACKS.into_iter().flat_map(over).collect()
    }
}

const FOLDER: [&str; 2] = ["--data-dir", "data"];
const CLICKHOUSE: [&str; 2] = ["--config", "clickhouse.toml"];

/// Every answer is that of the model.
fn assert_known(answers: &[serde_json::Value], model: &Model) {
    let ips = ips();
    assert_eq!(answers.len(), ips.len() * LOOK_BACKS.len());
    for (hours, answers) in LOOK_BACKS.iter().zip(answers.chunks(ips.len())) {
        for (ip, answer) in ips.iter().zip(answers) {
            let expected = model.answer(*ip, NOW, *hours);
            assert_eq!(crate::cli::model::Answer::read(&answer.to_string()), expected, "{ip}, {hours} hours");
        }
    }
}

/// What of `model` an answer over the whole window lacks: fewer devices, or times that are not as far apart.
fn assert_at_least(answers: &[serde_json::Value], model: &Model) {
    let ips = ips();
    for (ip, answer) in ips.iter().zip(&answers[answers.len() - ips.len()..]) {
        let (devices, first, last) = model.statistics(*ip, NOW, 720).unwrap();
        let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        assert!(answer["organizationPrevalence"].as_u64().unwrap() >= devices, "{ip}: {answer}");
        assert!(
            text("orgFirstSeen") <= rfc3339(first) && text("orgLastSeen") >= rfc3339(last),
            "{ip}: {answer}"
        );
    }
}

/// Uploads to `service` until told to stop; all that was acknowledged.
fn uploads(moving: &Move, service: &Service, prefix: &str, stop: &AtomicBool) -> Model {
    let mut acknowledged = Model::default();
    let mut number = 0;
    while number < 3 || !stop.load(Ordering::Relaxed) {
        let batch = connections(number * UPLOAD..(number + 1) * UPLOAD, prefix);
        let (status, body) = moving.site.ingest(&service.address, &batch).unwrap();
        assert_eq!(status, 200, "{body}");
        acknowledged.connections.extend(batch.connections);
        number += 1;
    }
    acknowledged
}

fn together(models: &[&Model]) -> Model {
    Model { connections: models.iter().flat_map(|model| model.connections.clone()).collect() }
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn there_and_back_while_both_services_take_records() {
    peer::place("clickhouse");
    let moving = Move::new();
    let before = connections(0..CONNECTIONS, "host");
    let file = moving.site.place.file("log", crate::site::log(&before));
    assert_eq!(moving.site.import(&file).code, Some(0));
    let (old, new) = (moving.serve_folder(), moving.serve_clickhouse());
    let stop = AtomicBool::new(false);
    let (to_old, to_new) = thread::scope(|scope| {
        let old = scope.spawn(|| uploads(&moving, &old, "old", &stop));
        let new = scope.spawn(|| uploads(&moving, &new, "new", &stop));
        thread::sleep(Duration::from_millis(500));
        let done = moving.copy("data", "clickhouse.toml");
        assert!(done.err.contains("asking the service that runs on data"), "{done:?}");
        assert_at_least(&moving.answers(&CLICKHOUSE), &before);
        stop.store(true, Ordering::Relaxed);
        (old.join().unwrap(), new.join().unwrap())
    });
    // What came meanwhile is taken along by the next one.
    moving.copy("data", "clickhouse.toml");
    let all = together(&[&before, &to_old, &to_new]);
    let there = moving.answers(&CLICKHOUSE);
    assert_known(&there, &all);
    // And back, into the service that runs, which lacks what only the new one was sent.
    moving.copy("clickhouse.toml", "data");
    assert_eq!(old.stop().status.code(), Some(0));
    assert_eq!(new.stop().status.code(), Some(0));
    let back = moving.answers(&FOLDER);
    assert_known(&back, &all);
    assert_eq!(back, there, "with everything that is told about an IP");
}

/// Copies until `bytes` have passed between the copy and the server, which then hangs, and kills the copy. Returns false where
/// the copy needed fewer.
fn is_killed_after(moving: &Move, from: &str, to: &str, bytes: u64) -> bool {
    moving.gate.shut_after(bytes);
    let mut copy = moving.copying(from, to);
    let mut copy = copy.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = loop {
        match copy.try_wait().unwrap() {
            None if moving.gate.is_shut() => break None,
            None => thread::sleep(Duration::from_millis(5)),
            status => break status,
        }
    };
    copy.kill().unwrap();
    copy.wait().unwrap();
    moving.gate.shut_after(u64::MAX);
    assert!(status.is_none_or(|status| status.success()), "{status:?}");
    status.is_none()
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn killed_in_both_directions_and_copied_again() {
    peer::place("clickhouse");
    let moving = Move::new();
    let model = connections(0..CONNECTIONS, "host");
    let file = moving.site.place.file("log", crate::site::log(&model));
    assert_eq!(moving.site.import(&file).code, Some(0));
    for (from, to, place) in
        [("data", "clickhouse.toml", &CLICKHOUSE), ("clickhouse.toml", "back", &["--data-dir", "back"])]
    {
        let lengths = (0..).map(|round| FIRST_KILL_BYTES << (2 * round));
        let killed_count = lengths.take_while(|bytes| is_killed_after(&moving, from, to, *bytes)).count();
        assert!(killed_count >= KILLS_MIN, "{killed_count} copies were killed");
        moving.copy(from, to);
        assert_known(&moving.answers(place), &model);
    }
    drop(moving.server);
}
