//! Logs that are sent in: one file a protocol.

mod accounts;
mod elastic;
mod hec;
mod hostile;
mod otlp;
mod plain;

use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::write::GzEncoder;
use std::io::Write;

/// Three connections of contoso's devices to 10.209.67.177, one of them long ago, and two lines that are none.
const LOG: &str = concat!(
    "{\"device\":\"laptop-1\",\"ip\":\"10.209.67.177\",\"time\":\"2017-08-29T13:00:00Z\"}\n",
    "{\"device\":\"laptop-2\",\"ip\":\"10.209.67.177\",\"time\":\"2017-08-28T13:00:00Z\"}\n",
    "{\"device\":\"laptop-3\",\"ip\":\"10.209.67.177\",\"time\":\"2016-08-28T13:00:00Z\"}\n",
    "{\"device\":\"laptop-4\",\"ip\":\"no address\",\"time\":\"2017-08-28T13:00:00Z\"}\n",
    "{\"device\":\"laptop-5\"",
);
const IP_PATH: &str = "/api/ips/10.209.67.177/stats";

impl TestApp {
    async fn post(&self, path: &str, authorization: &str, encoding: &str, log: impl Into<Body>) -> Answer {
        let request = get(path).method(Method::POST).header("Authorization", authorization);
        self.send(request.header("Content-Encoding", encoding).body(log.into()).unwrap()).await
    }

    async fn post_plain(&self, format: &str, log: impl Into<Body>) -> Answer {
        self.post(&format!("/api/ingest/{format}"), &bearer(0), "", log).await
    }

    async fn prevalence(&self) -> Value {
        self.get(IP_PATH).await.json()["organizationPrevalence"].clone()
    }
}

fn bearer(key: usize) -> String {
    format!("Bearer {}", KEYS[key].reveal())
}

/// The base64 of a user or an id, a colon and a key.
fn pair(key: usize) -> String {
    BASE64_STANDARD.encode(format!("shipper:{}", KEYS[key].reveal()))
}

fn gzip(log: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(log).unwrap();
    encoder.finish().unwrap()
}

/// A connection of `device` to 10.209.67.177.
fn connection(device: &str) -> String {
    format!(r#"{{"device":"{device}","ip":"10.209.67.177","time":"2017-08-29T13:00:00Z"}}"#)
}
