//! Conservation: of random good, odd and damaged records, each transport reports the same outcomes, and they add up.
//!
//! Kafka and NetFlow, whose messages are not lines, have tests of their own (`kafka`, `listen::netflow`).

use crate::listen::Post;
use crate::service::Service;
use crate::site::{AS_OF, NOW, Protocol, Site, status};
use crate::{otlp_request, service};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// How long a source may take to read what was sent.
const WAIT_TIME_MAX: Duration = Duration::from_mins(5);

/// Records of one trial.
const RECORDS: usize = 400;

/// How many records ended where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    counted: u64,
    reasons: BTreeMap<String, u64>,
    outside_retention: u64,
    malformed: u64,
}

/// Where a record must end.
#[derive(Debug, Clone, Copy)]
enum Place {
    Counted,
    Reason(&'static str),
    Outside,
    Malformed,
}

impl Places {
    fn of_report(report: &Value) -> Self {
        let number = |name: &str| report[name].as_u64().unwrap();
        let reasons = report["notAConnection"].as_object().unwrap().iter();
        Self {
            counted: number("counted"),
            reasons: reasons.map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect(),
            outside_retention: number("outsideRetention"),
            malformed: number("malformed"),
        }
    }

    fn add(&mut self, place: Place) {
        match place {
            Place::Counted => self.counted += 1,
            Place::Reason(reason) => *self.reasons.entry(reason.to_owned()).or_default() += 1,
            Place::Outside => self.outside_retention += 1,
            Place::Malformed => self.malformed += 1,
        }
    }

    fn records(&self) -> u64 {
        self.counted + self.outside_retention + self.malformed + self.reasons.values().sum::<u64>()
    }

    /// What was added since `before`.
    fn since(mut self, before: &Self) -> Self {
        self.counted -= before.counted;
        self.outside_retention -= before.outside_retention;
        self.malformed -= before.malformed;
        for (reason, count) in &before.reasons {
            *self.reasons.get_mut(reason).unwrap() -= count;
        }
        self.reasons.retain(|_, count| *count > 0);
        self
    }
}

/// A random record, one line, and where it must end.
fn record(rng: &mut SmallRng) -> (String, Place) {
    let (device, peer) = (rng.random_range(1..50), rng.random_range(1..250));
    let at = NOW - rng.random_range(1..86_400);
    let zeek = |from: &str, to: &str, state: &str, at: i64| {
        json!({ "ts": at, "uid": "C", "id.orig_h": from, "id.resp_h": to, "conn_state": state }).to_string()
    };
    let (inside, outside) = (format!("10.0.0.{device}"), format!("198.51.100.{peer}"));
    let good = zeek(&inside, &outside, "SF", at);
    let own = json!({ "device": inside, "ip": outside, "time": at }).to_string();
    let filebeat = |message: &str| {
        json!({ "@timestamp": AS_OF, "agent": { "type": "filebeat" }, "host": { "name": "c" }, "message": message })
            .to_string()
    };
    match rng.random_range(0..16) {
        0 => (good, Place::Counted),
        1 => (own, Place::Counted),
        2 => (filebeat(&good), Place::Counted),
        3 => (json!({ "date": 1.5, "log": good }).to_string(), Place::Counted),
        4 => (format!("{{\"event\":{{\"message\":{good},\"severity\":\"info\"}}}}"), Place::Counted),
        5 => (format!("{{\"conn\":{good}}}"), Place::Counted),
        6 => (zeek(&inside, &outside, "REJ", at), Place::Reason("failed")),
        7 => (zeek(&outside, &inside, "SF", at), Place::Reason("inbound")),
        8 => (zeek(&outside, "203.0.113.1", "SF", at), Place::Reason("notInternal")),
        9 => (json!({ "metric": "cpu", "value": device }).to_string(), Place::Reason("otherEvent")),
        10 => (filebeat("session opened for user root"), Place::Reason("otherEvent")),
        11 => (zeek(&inside, &outside, "SF", NOW - 40 * 86_400), Place::Outside),
        12 => (own.replace(&outside, "not an address"), Place::Malformed),
        13 => (good[..good.len() - 1].to_owned(), Place::Malformed),
        14 => (filebeat(&zeek(&inside, &outside, "S9", at)), Place::Malformed),
        _ => (json!({ "device": inside, "ip": outside }).to_string(), Place::Malformed),
    }
}

/// A log of random records, a record a line, and where they must end.
fn random_log(seed: u64) -> (String, Places) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut log, mut places) = (String::new(), Places::default());
    for _ in 0..RECORDS {
        let (line, place) = record(&mut rng);
        log.push_str(&line);
        log.push('\n');
        places.add(place);
    }
    assert_eq!(places.records(), RECORDS as u64);
    (log, places)
}

/// The outcomes of the source or key `name` since the service started.
fn reported(site: &Site, name: &str) -> Places {
    let done = site.place.run(&["sources", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let sources = report["sources"].as_array().unwrap();
    let source = sources.iter().find(|source| source["name"] == name).unwrap();
    Places::of_report(&source["sinceStart"])
}

/// Waits until a source has reported as many records as were sent to it.
fn wait_for(site: &Site, name: &str, before: &Places, records: u64) -> Places {
    let started = Instant::now();
    loop {
        let places = reported(site, name).since(before);
        if places.records() >= records {
            return places;
        }
        assert!(started.elapsed() < WAIT_TIME_MAX, "{name}: {places:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A request body with one record for each line, whose text is the line.
fn texts(protocol: Protocol, log: &str) -> Vec<u8> {
    let each = |one: &dyn Fn(&str) -> String| log.lines().map(one).collect::<Vec<_>>().concat();
    match protocol {
        Protocol::Hec => each(&|line| json!({ "event": line }).to_string()).into(),
        Protocol::Plain | Protocol::Bulk | Protocol::Otlp => protocol.wrapped(log),
        Protocol::OtlpBinary => otlp_request::binary_texts(log.lines()),
    }
}

fn post(site: &Site, service: &Service, protocol: Protocol, log: &str) {
    let path = if protocol == Protocol::Plain { "/api/ingest/auto" } else { protocol.path() };
    let body = texts(protocol, log);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        site.key(),
        protocol.media_type(),
        body.len()
    );
    let (head, answer) = service::send(&service.address, [head.as_bytes(), &body].concat()).unwrap();
    assert_eq!(status(&head), 200, "{protocol:?}: {answer}");
}

fn syslog_message(line: &str) -> String {
    format!("<13>1 2026-11-01T10:00:00.1Z host app 7 conn - {line}\n")
}

#[test]
fn every_transport_reports_the_same_outcomes() {
    let setup = Post::new(
        "syslog",
        &["tcp", "udp"],
        "[[sources]]\nname = 'files'\norganization = 'contoso'\nkind = 'files'\npaths = ['followed/*.json']\n",
    );
    let site = &setup.site;
    fs::create_dir(site.place.path("followed")).unwrap();
    let service = setup.serve();
    for seed in 0..3 {
        let (log, expected) = random_log(seed);
        let records = expected.records();
        for protocol in Protocol::ALL {
            let before = reported(site, "sensor");
            post(site, &service, protocol, &log);
            let places = wait_for(site, "sensor", &before, records);
            assert_eq!(places, expected, "{protocol:?}, seed {seed}");
        }

        let before = reported(site, "files");
        fs::write(site.place.path(&format!("followed/{seed}.json")), &log).unwrap();
        assert_eq!(wait_for(site, "files", &before, records), expected, "files, seed {seed}");

        let before = reported(site, "post");
        let mut connection = TcpStream::connect(setup.address()).unwrap();
        log.lines().for_each(|line| connection.write_all(syslog_message(line).as_bytes()).unwrap());
        drop(connection);
        assert_eq!(wait_for(site, "post", &before, records), expected, "syslog over TCP, seed {seed}");

        // A datagram at a time: the system drops what arrives faster than it is read.
        let before = reported(site, "post");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (number, line) in (1..).zip(log.lines()) {
            socket.send_to(syslog_message(line).as_bytes(), setup.address()).unwrap();
            if number % 20 == 0 {
                wait_for(site, "post", &before, number);
            }
        }
        assert_eq!(wait_for(site, "post", &before, records), expected, "syslog over UDP, seed {seed}");
    }
    drop(service);
}

#[test]
fn import_reports_the_outcomes_of_uploads() {
    let site = Site::new();
    for seed in 3..6 {
        let (log, expected) = random_log(seed);
        fs::write(site.place.path("records.json"), &log).unwrap();
        let done = site.place.run(&["import", "--as-of", AS_OF, "--json", "records.json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let report: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(Places::of_report(&report), expected, "seed {seed}");
    }
}
