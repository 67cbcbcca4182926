//! A place with everything a service needs: an organization, a source that sends logs and an application that asks.

use crate::cli::model::{Answer, Model, rfc3339};
use crate::cli::{CONTOSO, Done, Place, ndjson};
use crate::otlp_request;
use crate::service::{self, Service};
use ipstats::ingest_key::IngestKey;
use ipstats::secret::Secret;
use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use strum::VariantArray;

/// What the clock of the data is pinned to.
pub(crate) const AS_OF: &str = "2017-08-29T13:32:59Z";
/// The same, in seconds since the epoch.
pub(crate) const NOW: i64 = 1_504_013_579;

pub(crate) struct Site {
    pub(crate) place: Place,
    key: IngestKey,
    /// The id of its application.
    pub(crate) client_id: &'static str,
    secret: Secret,
    token: String,
}

const CLIENT_ID: &str = "aaaaaaaa-0000-4000-8000-000000000001";

impl Site {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let (key, secret) = (IngestKey::generate().unwrap(), Secret::generate().unwrap());
        let config = format!(
            "[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n\
             [[ingest_keys]]\nname = 'sensor'\norganization = 'contoso'\nkey_hash = '{}'\n\
             [[applications]]\nname = 'reader'\nclient_id = '{CLIENT_ID}'\n\
             organization = 'contoso'\nsecret_hash = '{}'\npermissions = ['Ip.Read.All']\n",
            key.hash(),
            secret.hash().unwrap().as_str(),
        );
        fs::write(place.path("ipstats.toml"), config).unwrap();
        let token = place.run(&["token", "--app", "reader"]).out.trim().to_owned();
        Self { place, key, client_id: CLIENT_ID, secret, token }
    }

    /// The `ipstats serve` to start.
    pub(crate) fn serving(&self) -> Command {
        self.place.command(["serve", "--as-of", AS_OF])
    }

    pub(crate) fn serve(&self) -> Service {
        Service::start(self.serving())
    }

    /// `ipstats …` of somebody elsewhere, who has the application's id and secret, and the ingest key.
    pub(crate) fn asking(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.env_remove("IPSTATS_CONFIG").env_remove("IPSTATS_DATA_DIR").env("IPSTATS_TENANT", "contoso");
        command.env("IPSTATS_CLIENT_ID", self.client_id).env("IPSTATS_CLIENT_SECRET", self.secret());
        command.env("IPSTATS_INGEST_KEY", self.key());
        command
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Done {
        self.place.done(self.asking(arguments).spawn().unwrap())
    }

    pub(crate) fn secret(&self) -> &str {
        self.secret.reveal()
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn key(&self) -> &str {
        self.key.reveal()
    }

    /// Sends a batch to the service at `address`; the status and the body of the answer.
    pub(crate) fn ingest(&self, address: &str, batch: &Model) -> std::io::Result<(u16, String)> {
        self.ingest_in(Protocol::Plain, address, batch)
    }

    /// As [`ingest`](Self::ingest), in one of all protocols.
    pub(crate) fn ingest_in(
        &self,
        protocol: Protocol,
        address: &str,
        batch: &Model,
    ) -> std::io::Result<(u16, String)> {
        self.post(address, protocol.path(), protocol, &log(batch))
    }

    /// Sends a log, a record a line, to this path in one of all protocols. An answer that broke off is none.
    pub(crate) fn post(
        &self,
        address: &str,
        path: &str,
        protocol: Protocol,
        log: &str,
    ) -> std::io::Result<(u16, String)> {
        let body = protocol.wrapped(log);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.key.reveal(),
            protocol.media_type(),
            body.len()
        );
        let (head, answer) = service::send(address, [head.as_bytes(), &body].concat())?;
        if is_whole(&head, &answer) {
            Ok((status(&head), answer))
        } else {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// What the service answers about every IP of `ips`.
    pub(crate) fn answers(&self, service: &Service, ips: &[IpAddr]) -> Vec<Answer> {
        let ask = |ip| Answer::read(&service.get(&format!("/api/ips/{ip}/stats"), &self.token).1);
        ips.iter().map(ask).collect()
    }

    /// Waits until the service answers as the model about every IP it knows.
    pub(crate) fn settle(&self, service: &Service, model: &Model, patience: Duration) {
        let ips: Vec<IpAddr> = model.ips().into_iter().collect();
        let (begun, wanted) = (Instant::now(), expected(model, &ips));
        loop {
            let told = self.answers(service, &ips);
            if told == wanted {
                return;
            }
            assert!(begun.elapsed() < patience, "{told:?}, not {wanted:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The refused uploads of the key, as `ipstats sources` shows them.
    pub(crate) fn refused_uploads(&self) -> u64 {
        let shown = self.place.run(&["sources", "--json"]).out;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["sources"][0]["refused"].as_u64().unwrap()
    }

    /// What `ipstats stats` answers, which opens the data folder itself.
    pub(crate) fn stored(&self, ips: &[IpAddr]) -> Vec<Answer> {
        let input = ips.iter().map(|ip| format!("{ip}\n")).collect::<Vec<_>>().concat();
        let done = self.place.run_with_input(&["stats", "-", "--json", "--as-of", AS_OF], input.as_bytes());
        done.out.lines().map(Answer::read).collect()
    }

    pub(crate) fn import(&self, file: &str) -> Done {
        self.place.run(&["import", "--as-of", AS_OF, file])
    }
}

/// How logs can be sent in over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub(crate) enum Protocol {
    Plain,
    Bulk,
    Hec,
    Otlp,
    OtlpBinary,
}

impl Protocol {
    pub(crate) const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.first_chunk().unwrap();

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Plain => "/api/ingest/ndjson",
            Self::Bulk => "/elastic/_bulk",
            Self::Hec => "/services/collector/event",
            Self::Otlp | Self::OtlpBinary => "/v1/logs",
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Plain | Self::Bulk | Self::Hec | Self::Otlp => "application/json",
            Self::OtlpBinary => "application/x-protobuf",
        }
    }

    /// Whether an answer says that nothing of the log was refused.
    pub(crate) fn is_success(self, answer: &str) -> bool {
        match self {
            Self::Plain => answer.contains("\"malformed\":0"),
            Self::Bulk => answer.contains("\"errors\":false"),
            Self::Hec => answer.contains("\"code\":0"),
            Self::Otlp => answer == "{}",
            Self::OtlpBinary => answer.is_empty(),
        }
    }

    /// The log, a record a line, as a body.
    pub(crate) fn wrapped(self, log: &str) -> Vec<u8> {
        let each =
            |one: &dyn Fn(&str) -> String, between| log.lines().map(one).collect::<Vec<_>>().join(between);
        match self {
            Self::Plain => log.into(),
            Self::Bulk => each(&|line| format!("{{\"create\":{{}}}}\n{line}\n"), "").into(),
            Self::Hec => each(&|line| format!("{{\"event\":{line}}}"), "").into(),
            Self::Otlp => {
                let text = |line: &str| serde_json::Value::from(line);
                let records = each(&|line| format!("{{\"body\":{{\"stringValue\":{}}}}}", text(line)), ",");
                otlp_request::json(&records).into()
            }
            Self::OtlpBinary => otlp_request::binary_texts(log.lines()),
        }
    }
}

/// Whether an answer with this head did not break off.
fn is_whole(head: &str, body: &str) -> bool {
    let length = format!("content-length: {}", body.len());
    head.lines().any(|line| match line {
        "transfer-encoding: chunked" => body.ends_with("\r\n0\r\n\r\n"),
        line => line == length,
    })
}

/// The status of an answer with this head.
pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// What has to be answered about every IP of `ips`.
pub(crate) fn expected(model: &Model, ips: &[IpAddr]) -> Vec<Answer> {
    ips.iter().map(|ip| model.answer(*ip, NOW, 720)).collect()
}

/// The connections as NDJSON.
pub(crate) fn log(model: &Model) -> String {
    let line = |(device, ip, at): &(String, IpAddr, i64)| ndjson(&[(device, &ip.to_string(), &rfc3339(*at))]);
    model.connections.iter().map(line).collect()
}
