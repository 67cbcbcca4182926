//! SIGKILL at any moment loses nothing that the service acknowledged.

use crate::serve::Service;
use ipstats::ingest_key::IngestKey;
use serde_json::Value;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const KILLS: u64 = 10;
const SENDERS: usize = 3;
const IPS: usize = 5;
const AS_OF: &str = "2017-08-29T13:32:59Z";

/// Logs that were sent and that were acknowledged. Each is of one new device, which contacts every IP.
#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

struct Place {
    folder: TempDir,
    key: IngestKey,
}

impl Place {
    fn new() -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), IngestKey::generate().unwrap());
        let text = format!(
            "[[organizations]]\nid = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'\nname = 'contoso'\n\
             [[applications]]\nname = 'reader'\nclient_id = '9c6cf3a1-2f6b-4d0e-8b8a-51c1a5c1f0aa'\n\
             organization = 'contoso'\nsecret_hash = '{}'\npermissions = ['Ip.Read.All']\n\
             [[ingest_keys]]\nname = 'sensor'\nkey_hash = '{}'\norganization = 'contoso'\n",
            ipstats::secret::Secret::generate().unwrap().hash().unwrap().as_str(),
            key.hash()
        );
        fs::write(folder.path().join("ipstats.toml"), text).unwrap();
        Self { folder, key }
    }

    fn serve(&self) -> Service {
        let config = self.folder.path().join("ipstats.toml");
        let arguments = ["--as-of", AS_OF, "--config", config.to_str().unwrap()];
        Service::start_with(&self.folder.path().join("data"), &arguments)
    }

    fn token(&self) -> String {
        let config = self.folder.path().join("ipstats.toml");
        let mut command = crate::serve::ipstats(&self.folder.path().join("data"));
        let output = command.args(["token", "--app", "reader", "--config"]).arg(config).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn log(device: &str) -> String {
    let line =
        |last| format!("{{\"device\":\"{device}\",\"ip\":\"198.51.100.{last}\",\"time\":\"{AS_OF}\"}}\n");
    (0..IPS).map(line).collect()
}

/// Sends logs until the service is gone.
fn send(service: &Service, key: &IngestKey, name: &str, counts: &Counts) {
    for number in 0.. {
        counts.sent.fetch_add(1, Ordering::SeqCst);
        let log = log(&format!("{name}-{number}"));
        let answer = service.try_send(&format!(
            "POST /api/ingest/ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{log}",
            key.reveal(),
            log.len()
        ));
        match answer {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {
                counts.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            _ => return,
        }
    }
}

fn prevalence(service: &Service, token: &str, last: usize) -> u64 {
    let (head, body) = service.get(&format!("/api/ips/198.51.100.{last}/stats"), token);
    match &head[9..12] {
        "404" => 0,
        _ => serde_json::from_str::<Value>(&body).unwrap()["organizationPrevalence"].as_u64().unwrap(),
    }
}

#[test]
fn what_was_acknowledged_is_there_after_every_kill() {
    let place = Place::new();
    let token = place.token();
    let counts = Counts::default();
    for round in 0..=KILLS {
        let service = place.serve();
        let (sent, acknowledged) =
            (counts.sent.load(Ordering::SeqCst), counts.acknowledged.load(Ordering::SeqCst));
        for last in 0..IPS {
            let known = prevalence(&service, &token, last);
            assert!(
                (acknowledged..=sent).contains(&known),
                "round {round}: {acknowledged} <= {known} <= {sent}"
            );
        }
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (service, key, counts) = (&service, &place.key, &counts);
                scope.spawn(move || send(service, key, &format!("host-{round}-{sender}"), counts));
            }
            thread::sleep(Duration::from_millis(20 + round * 37 % 200));
            service.signal("KILL");
        });
        service.wait();
    }
    let acknowledged = counts.acknowledged.into_inner();
    assert!(acknowledged > KILLS, "something was acknowledged in between: {acknowledged}");
}
