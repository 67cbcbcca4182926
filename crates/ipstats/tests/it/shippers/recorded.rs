//! Shippers that no package registry offers, by the requests they send, rebuilt from their documentation and sources:
//! `recorded/{shipper}.http` has them one after the other, with `###` between them.
//!
//! A request begins with the status it is to be answered with and a piece of the answer. What stands between `{each}` and
//! `{end}` is sent for each line of the log: `{text}` is the line as a text of JSON, `{line}` the line itself, `{fields}` what
//! is inside its braces. With `{each,}` there are commas in between.

use super::ZeekLog;
use crate::service::Service;
use crate::site::{Site, status};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fs;
use std::path::Path;

/// Shippers that are kept in `recorded/`.
const SHIPPERS: usize = 11;

/// Lines of the log in one request.
const BATCH_LINES: usize = 200;

/// A request, and what it is to be answered with.
struct Recorded<'a> {
    status: u16,
    piece: &'a str,
    head: &'a str,
    body: &'a str,
}

impl<'a> Recorded<'a> {
    fn read(text: &'a str) -> Self {
        let (expected, request) = text.split_once('\n').unwrap();
        let (status, piece) = expected.split_once(' ').unwrap_or((expected, ""));
        let (head, body) = request.split_once("\n\n").unwrap();
        Self { status: status.parse().unwrap(), piece, head, body: body.trim_end() }
    }

    /// Sends the request, or as many as the log needs.
    fn send(&self, shipper: &str, service: &Service, site: &Site, log: &str) {
        let lines: Vec<_> = log.lines().collect();
        let batches =
            if self.body.contains("{end}") { lines.chunks(BATCH_LINES) } else { lines.chunks(lines.len()) };
        for batch in batches {
            let body = filled(self.body, batch);
            let pair = BASE64_STANDARD.encode(format!("{shipper}:{}", site.key()));
            let head = self.head.replace("{host}", &service.address).replace("{key}", site.key());
            let head = head.replace("{pair}", &pair).replace("{length}", &body.len().to_string());
            let head = head.replace('\n', "\r\n");
            let (head, answer) = service.send(&format!("{head}\r\nConnection: close\r\n\r\n{body}"));
            assert_eq!(status(&head), self.status, "{shipper}: {}: {head}\n{answer}", self.head);
            assert!(answer.contains(self.piece), "{shipper}: {}: {answer}", self.head);
        }
    }
}

/// The body for these lines.
fn filled(body: &str, lines: &[&str]) -> String {
    let Some((before, rest)) = body.split_once("{each") else { return body.to_owned() };
    let (separator, rest) = rest.split_once("}\n").unwrap();
    let (each, after) = rest.split_once("{end}").unwrap();
    let one = |line: &&str| {
        let fields = line.trim().strip_prefix('{').and_then(|line| line.strip_suffix('}')).unwrap();
        let text = serde_json::to_string(line).unwrap();
        each.replace("{fields}", fields).replace("{text}", &text).replace("{line}", line)
    };
    format!("{before}{}{after}", lines.iter().map(one).collect::<Vec<_>>().join(separator))
}

#[test]
fn requests_of_shippers_that_cannot_be_installed() {
    let log = ZeekLog::new();
    let (text, expected) = (fs::read_to_string(&log.path).unwrap(), log.imported());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/shippers/recorded");
    let mut shippers = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let (shipper, recorded) =
            (file.file_stem().unwrap().to_str().unwrap(), fs::read_to_string(&file).unwrap());
        let site = Site::new();
        let service = log.serve(&site, "127.0.0.1:0");
        for request in recorded.split("###\n") {
            Recorded::read(request).send(shipper, &service, &site, &text);
        }
        assert_eq!(service.stop().status.code(), Some(0));
        assert_eq!(log.stored(&site.place), expected, "{shipper}");
        shippers += 1;
    }
    assert_eq!(shippers, SHIPPERS);
}
