//! TLS served directly, by the real binary and to a client that checks certificates.

use crate::service::{STATE_TIME_MAX, Service, are_open, retry_race};
use ipstats::config::TlsFiles;
use ipstats::http::Identity;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use reqwest::blocking::Client;
use reqwest::tls::Version;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// After this the service gives up a handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// A folder with a configuration and a certificate.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("ipstats.toml", "data_dir = 'data'\n[tls]\ncertificate = 'tls.crt'\nkey = 'tls.key'\n");
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Puts a new certificate and its key in place; what a client has to trust.
    fn certify(&self, expires: (i32, u8, u8)) -> reqwest::Certificate {
        let (certificate, key) = certificate(expires);
        self.write("tls.crt", &certificate);
        self.write("tls.key", &key);
        reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap()
    }

    fn serve(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipstats"));
        command.env_clear().current_dir(self.path()).args(["serve", "--config", "ipstats.toml"]);
        command
    }

    fn start(&self) -> Service {
        Service::start(self.serve())
    }

    /// What the command says when it does not start.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.serve().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A certificate for `localhost` and its key, in PEM.
fn certificate((year, month, day): (i32, u8, u8)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, month, day);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The status of `/readyz` for a client that trusts `certificate` and nothing else, on a connection of its own.
fn ready(service: &Service, certificate: &reqwest::Certificate, version: Version) -> reqwest::Result<u16> {
    let client = Client::builder().tls_certs_only([certificate.clone()]).tls_version_min(version);
    let client = client.tls_version_max(version).timeout(STATE_TIME_MAX).build().unwrap();
    let port = service.address.rsplit_once(':').unwrap().1;
    client.get(format!("https://localhost:{port}/readyz")).send().map(|answer| answer.status().as_u16())
}

#[test]
fn both_versions_of_tls_are_served_and_the_url_says_so() {
    let place = Place::new();
    let certificate = place.certify((2099, 1, 1));
    let service = place.start();
    assert!(service.printed.starts_with("listening on https://127.0.0.1:"), "{}", service.printed);
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        assert_eq!(ready(&service, &certificate, version).unwrap(), 200, "{version:?}");
    }
    let (other, _) = self::certificate((2099, 1, 1));
    let other = reqwest::Certificate::from_pem(other.as_bytes()).unwrap();
    assert!(ready(&service, &other, Version::TLS_1_3).is_err(), "clients check the certificate");
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn a_new_certificate_is_in_force_after_sighup_and_a_broken_one_never() {
    let place = Place::new();
    let first = place.certify((2099, 1, 1));
    let service = place.start();
    assert_eq!(ready(&service, &first, Version::TLS_1_3).unwrap(), 200);

    let second = place.certify((2099, 1, 1));
    assert!(ready(&service, &second, Version::TLS_1_3).is_err(), "not before it is told");
    service.signal("HUP");
    let answered = |certificate: &reqwest::Certificate| {
        (0..6000).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            ready(&service, certificate, Version::TLS_1_3).is_ok()
        })
    };
    assert!(answered(&second), "the new certificate is in force");
    assert!(ready(&service, &first, Version::TLS_1_3).is_err());

    // The key of another certificate.
    place.write("tls.key", &certificate((2099, 1, 1)).1);
    place.write(
        "ipstats.toml",
        "data_dir = 'data'\nunknown_ip = 'zero'\n[tls]\ncertificate = 'tls.crt'\nkey = 'tls.key'\n",
    );
    service.signal("HUP");
    service.wait_for_log("stays as it was: tls: the certificate ", 1);
    assert_eq!(ready(&service, &second, Version::TLS_1_3).unwrap(), 200, "the old certificate stays");
    let log = String::from_utf8(service.stop().stderr).unwrap();
    assert!(log.contains("stays as it was: tls: the certificate ") && log.contains("tls.key"), "{log}");
}

#[test]
fn handshakes_that_never_end_keep_nobody_waiting() {
    let place = Place::new();
    let certificate = place.certify((2099, 1, 1));
    retry_race(|| {
        let service = place.start();
        let started = Instant::now();
        let idle: Vec<_> = (0..50).map(|_| TcpStream::connect(&service.address).unwrap()).collect();
        assert_eq!(ready(&service, &certificate, Version::TLS_1_3).unwrap(), 200);
        // The answer arrives before the service gives up any of the handshakes, and so does its end.
        let is_answered_before = are_open(&idle);
        let stopped = service.stop();
        assert_eq!(stopped.status.code(), Some(0));
        let log = String::from_utf8(stopped.stderr).unwrap();
        assert!(!log.contains("took too long"), "{log}");
        is_answered_before && started.elapsed() < HANDSHAKE_TIME_MAX
    });
}

#[test]
fn plain_http_to_the_tls_port_gets_no_answer_of_the_service() {
    let place = Place::new();
    place.certify((2099, 1, 1));
    let service = place.start();
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(STATE_TIME_MAX)).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_with_what_is_wrong() {
    let place = Place::new();
    place.certify((2099, 1, 1));
    let (certificate, key) = certificate((2099, 1, 1));
    for (name, text, expected) in [
        ("tls.crt", "", "tls.crt: there is no certificate in PEM in it"),
        ("tls.crt", &key, "tls.crt: there is no certificate in PEM in it"),
        (
            "tls.crt",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate is damaged",
        ),
        ("tls.key", "", "tls.key: there is no private key in PEM in it"),
        ("tls.key", &certificate, "tls.key: there is no private key in PEM in it"),
        ("tls.key", "-----BEGIN PRIVATE KEY-----\nAA", "tls.key: it is damaged"),
        ("tls.key", &key, "cannot be used together: keys may not be consistent: KeyMismatch"),
    ] {
        place.certify((2099, 1, 1));
        place.write(name, text);
        let refusal = place.refusal(&["--listen", "127.0.0.1:0"]);
        assert!(refusal.contains(expected), "{expected}: {refusal}");
        assert!(!refusal.contains("PRIVATE KEY"), "keys are not shown: {refusal}");
    }
    fs::remove_file(place.path().join("tls.key")).unwrap();
    assert!(place.refusal(&["--listen", "127.0.0.1:0"]).contains("tls.key: No such file"));
    place.write("ipstats.toml", "[tls]\ncertificate = 'tls.crt'\n");
    let refusal = place.refusal(&[]);
    assert!(refusal.contains("ipstats.toml:1:1: tls.key: is missing"), "{refusal}");
}

#[test]
fn a_certificate_is_warned_about_two_weeks_before_its_end() {
    let place = Place::new();
    place.certify((2030, 1, 31));
    let path = |name: &str| place.path().join(name);
    let identity = Identity::load(&TlsFiles { certificate: path("tls.crt"), key: path("tls.key") }).unwrap();
    let warning = |now: &str| identity.warning(now.parse().unwrap()).unwrap_or_default();
    assert_eq!(warning("2030-01-16T23:59:59Z"), "");
    assert!(warning("2030-01-17T00:00:00Z").contains("expires on 2030-01-31T00:00:00Z: renew it"));
    assert!(warning("2030-01-31T00:00:00Z").contains("has expired on 2030-01-31T00:00:00Z"));

    place.certify((2020, 1, 1));
    let log = String::from_utf8(place.start().stop().stderr).unwrap();
    assert!(log.contains("has expired on 2020-01-01T00:00:00Z"), "{log}");
}

#[test]
fn others_are_listened_to_over_tls_or_when_told() {
    let place = Place::new();
    place.certify((2099, 1, 1));
    let start = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = place.serve();
        command.args(arguments).envs(environment.iter().copied());
        Service::start_at(command, "0.0.0.0:0").printed.clone()
    };
    assert!(start(&[], &[]).starts_with("listening on https://0.0.0.0:"));

    place.write("ipstats.toml", "data_dir = 'data'\n");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refusal = place.refusal(&["--listen", address]);
        assert!(refusal.contains("without TLS") && refusal.contains("--insecure-listen"), "{refusal}");
    }
    assert!(start(&["--insecure-listen"], &[]).starts_with("listening on http://0.0.0.0:"));
    assert!(start(&[], &[("IPSTATS_INSECURE_LISTEN", "true")]).starts_with("listening on http://0.0.0.0:"));
    place.write("ipstats.toml", "data_dir = 'data'\ninsecure_listen = true\n");
    assert!(start(&[], &[]).starts_with("listening on http://0.0.0.0:"));
}

#[test]
fn a_check_finds_what_a_start_would_stumble_over() {
    let place = Place::new();
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipstats"));
        command.env_clear().current_dir(place.path()).args(["config", "check", "--config", "ipstats.toml"]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = check();
    assert!(code == Some(1) && said.contains("tls.crt"), "{said}");
    place.certify((2099, 1, 1));
    assert_eq!(check().0, Some(0));
    place.write("ipstats.toml", "audit_log = '/nowhere/audit.log'\n");
    let (code, said) = check();
    assert!(code == Some(1) && said.contains("audit_log: there is no folder /nowhere"), "{said}");
}
