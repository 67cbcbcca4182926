//! The requests that clients written for Defender send, as they send them: `recorded/{client}.http` has the request for a
//! token and, after `###`, the one for the statistics.
//!
//! Only names, secrets and lengths are filled in, lines end as HTTP wants, and the connection is closed after each.

use super::{IP, site};
use crate::service::Service;
use crate::site::Site;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Clients that are kept in `recorded/`.
const CLIENTS: usize = 9;

fn recorded() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/recorded");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut recorded: Vec<_> = files
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(file).unwrap())
        })
        .collect();
    recorded.sort();
    recorded
}

/// Sends a recorded request; the status and the body of the answer.
fn send(service: &Service, site: &Site, recorded: &str, token: &str) -> (u16, String, String) {
    let basic = BASE64_STANDARD.encode(format!("{}:{}", site.client_id, site.secret()));
    let mut filled = recorded.to_owned();
    for (place, value) in [
        ("{tenant}", "contoso"),
        ("{host}", &service.address),
        ("{client_id}", site.client_id),
        ("{client_secret}", site.secret()),
        ("{basic}", &basic),
        ("{ip}", IP),
        ("{token}", token),
    ] {
        filled = filled.replace(place, value);
    }
    let (head, body) = filled.split_once("\n\n").unwrap();
    let body = body.trim_end();
    let head = head.replace("{length}", &body.len().to_string()).replace('\n', "\r\n");
    let (head, body) = service.send(&format!("{head}\r\nConnection: close\r\n\r\n{body}"));
    // Who expects to be told to go on is told so first.
    let (head, body) = match head.strip_prefix("HTTP/1.1 100 ") {
        Some(_) => {
            body.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned())).unwrap()
        }
        None => (head, body),
    };
    (crate::site::status(&head), head, body)
}

#[test]
fn clients_of_defender_get_a_token_and_an_answer() {
    let site = site();
    let service = site.serve();
    let recorded = recorded();
    assert_eq!(recorded.len(), CLIENTS);
    for (client, requests) in recorded {
        let (for_token, for_statistics) = requests.split_once("###\n").unwrap();
        let (status, head, body) = send(&service, &site, for_token, "");
        assert_eq!(status, 200, "{client}: {head}\n{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&answer["token_type"], &answer["expires_in"]),
            (&"Bearer".into(), &3599.into()),
            "{client}"
        );
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(token.split('.').count(), 3, "{client}: clients read the token's exp");

        let (status, head, body) = send(&service, &site, for_statistics, token);
        assert_eq!(status, 200, "{client}: {head}\n{body}");
        assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{client}: {head}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["ipAddress"], IP, "{client}");
        assert_eq!(
            (&answer["orgPrevalence"], &answer["organizationPrevalence"]),
            (&"2".into(), &2.into()),
            "{client}"
        );
        assert_eq!(answer["orgFirstSeen"], "2017-08-29T09:00:00Z", "{client}");
        assert_eq!(answer["orgLastSeen"], "2017-08-29T13:32:59Z", "{client}");

        let (status, head, body) = send(&service, &site, for_statistics, "not-a-token");
        assert_eq!(status, 401, "{client}: {head}\n{body}");
    }
}
