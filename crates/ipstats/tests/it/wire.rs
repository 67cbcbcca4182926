//! Attacks on paths, headers and framing, each by its name, over a socket and against the real binary.

use crate::service::{Answer, Service, are_open, retry_race};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const PATH: &str = "/api/ips/192.0.2.1/stats";

/// A service without data: what gets through to the store is `ResourceNotFound`.
struct Target {
    service: Service,
    token: String,
    _folder: TempDir,
}

impl Target {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ipstats = |command: &str| {
            let mut ipstats = Command::new(env!("CARGO_BIN_EXE_ipstats"));
            ipstats.env_clear().env("IPSTATS_DATA_DIR", folder.path()).arg(command);
            ipstats
        };
        let service = Service::start(ipstats("serve"));
        let token = String::from_utf8(ipstats("token").output().unwrap().stdout).unwrap();
        Self { service, token: token.trim().to_owned(), _folder: folder }
    }

    /// Head lines that every good request has.
    fn credentials(&self) -> String {
        format!("Authorization: Bearer {}\r\nConnection: close\r\n", self.token)
    }

    /// The answer to a GET of `target` as it stands, with more head lines.
    fn get(&self, target: &str, lines: &str) -> Answer {
        let credentials = self.credentials();
        self.service.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\n{credentials}{lines}\r\n",
            self.service.address
        ))
    }

    /// All that comes back for some bytes, until the connection is closed or nothing follows for two seconds.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.service.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(CLOSE_SECONDS_MAX))).unwrap();
        // It may be closed before all is sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut part) {
            answer.extend_from_slice(&part[..length]);
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn assert_well(&self) {
        let (head, body) = self.get(PATH, "");
        assert_eq!(
            (status(&head), code(&body).as_str()),
            (404, "ResourceNotFound"),
            "the service goes on: {head}"
        );
    }
}

fn status(head: &str) -> u16 {
    head.strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

fn code(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
    body["error"]["code"].as_str().unwrap().to_owned()
}

/// How many answers there are in what came back.
fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[test]
fn dots_in_the_path() {
    let target = Target::new();
    for (path, expected) in [
        ("/api/ips/../ips/192.0.2.1/stats", (404, "NotFound")),
        ("/api/./ips/192.0.2.1/stats", (404, "NotFound")),
        ("/x/../api/ips/192.0.2.1/stats", (404, "NotFound")),
        ("/api/ips/../stats", (400, "InvalidIpAddress")),
        ("/api/ips/%2e%2e/stats", (400, "InvalidIpAddress")),
        ("/api/ips/..%2f192.0.2.1/stats", (400, "InvalidIpAddress")),
        ("/%2e%2e/api/ips/192.0.2.1/stats", (404, "NotFound")),
    ] {
        let (head, body) = target.get(path, "");
        assert_eq!((status(&head), code(&body).as_str()), expected, "{path}");
    }
    target.assert_well();
}

#[test]
fn encoded_slashes_and_nulls_in_the_path() {
    let target = Target::new();
    for (path, expected) in [
        ("/api/ips/192.0.2.1%2fstats", (404, "NotFound")),
        ("/api%2fips/192.0.2.1/stats", (404, "NotFound")),
        ("/api/ips/192.0.2.1%2fx/stats", (400, "InvalidIpAddress")),
        ("/api/ips/192.0.2.1%00/stats", (400, "InvalidIpAddress")),
        ("/api/ips/%00192.0.2.1/stats", (400, "InvalidIpAddress")),
        ("/api/ips/192.0.2.1%0d%0aX-Evil:%201/stats", (400, "InvalidIpAddress")),
        ("/api/ips/192.0.2.1/stats%00", (404, "NotFound")),
        ("/api/ips/%252e%252e/stats", (400, "InvalidIpAddress")),
    ] {
        let (head, body) = target.get(path, "");
        assert_eq!((status(&head), code(&body).as_str()), expected, "{path}");
        assert!(!head.contains("X-Evil"), "{head}");
    }
}

#[test]
fn double_slashes_semicolons_and_backslashes_in_the_path() {
    let target = Target::new();
    for (path, expected) in [
        ("//api/ips/192.0.2.1/stats", (404, "NotFound")),
        ("/api//ips/192.0.2.1/stats", (404, "NotFound")),
        ("/api/ips//192.0.2.1/stats", (404, "NotFound")),
        ("/api/ips/192.0.2.1//stats", (404, "NotFound")),
        ("/api/ips;x=1/192.0.2.1/stats", (404, "NotFound")),
        ("/api/ips/192.0.2.1;x=1/stats", (400, "InvalidIpAddress")),
        ("/api/ips/192.0.2.1/stats;x=1", (404, "NotFound")),
        ("/api/ips/192.0.2.1\\..\\/stats", (400, "InvalidIpAddress")),
        ("/api\\ips\\192.0.2.1\\stats", (404, "NotFound")),
        ("/API/ips/192.0.2.1/stats", (404, "NotFound")),
    ] {
        let (head, body) = target.get(path, "");
        assert_eq!((status(&head), code(&body).as_str()), expected, "{path}");
    }
}

#[test]
fn unicode_digits_and_full_width_addresses() {
    let target = Target::new();
    for ip in ["１９２.0.2.1", "192。0。2。1", "१९२.0.2.1", "①.0.2.1", "192.0.2.1\u{200b}", "ﬀ02::1", "::１"]
    {
        let encoded = percent_encoding::percent_encode(ip.as_bytes(), percent_encoding::NON_ALPHANUMERIC);
        let (head, body) = target.get(&format!("/api/ips/{encoded}/stats"), "");
        assert_eq!((status(&head), code(&body).as_str()), (400, "InvalidIpAddress"), "{ip}");
    }
}

#[test]
fn an_absolute_target_with_another_host_is_not_echoed() {
    let target = Target::new();
    let (head, body) =
        target.get("http://evil.example.com/default/v2.0/.well-known/openid-configuration", "");
    assert_eq!(status(&head), 200, "{head}");
    assert!(!body.contains("evil") && body.contains(&target.service.address), "{body}");
    let (head, body) = target.get(
        "/default/v2.0/.well-known/openid-configuration",
        "X-Forwarded-Host: evil.example.com\r\nForwarded: host=evil.example.com\r\n",
    );
    assert!(status(&head) == 200 && !body.contains("evil"), "{body}");
}

#[test]
fn two_authorization_headers() {
    let target = Target::new();
    for lines in ["Authorization: Bearer x\r\n", &target.credentials(), "Authorization: Basic eDp5\r\n"] {
        let (head, body) = target.get(PATH, lines);
        assert_eq!((status(&head), code(&body).as_str()), (401, "Unauthorized"), "{lines}");
    }
    let joined = format!("Bearer {0}, Bearer {0}", target.token);
    let request =
        format!("GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {joined}\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&target.service.send(&request).0), 401, "nor two in one");
}

#[test]
fn no_host_or_two_hosts() {
    let target = Target::new();
    let credentials = target.credentials();
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n"] {
        let (head, body) = target.service.send(&format!("GET {PATH} HTTP/1.1\r\n{hosts}{credentials}\r\n"));
        assert_eq!((status(&head), code(&body).as_str()), (400, "BadRequest"), "{hosts:?}");
    }
}

#[test]
fn heads_that_are_too_long_or_have_too_many_headers() {
    let target = Target::new();
    let long = "x".repeat(200_000);
    let many = "X-Header: 1\r\n".repeat(200);
    for (request, expected) in [
        (format!("GET {PATH} HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"), 431),
        (format!("GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {long}\r\n\r\n"), 431),
        (format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), 414),
    ] {
        let answer = target.raw(request.as_bytes());
        // It may be reset before it was read.
        assert!(answer.is_empty() || [expected, 431].contains(&status(&answer)), "{answer}");
    }
    target.assert_well();
}

/// A request that the sender's proxy may have seen as one, and that must not be two here.
fn smuggled(target: &Target, head: &str, body: &str) -> String {
    let path = "/default/oauth2/token";
    target.raw(format!("POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n{body}").as_bytes())
}

#[test]
fn length_and_chunks_in_one_request() {
    let target = Target::new();
    let hidden = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n{}\r\n", target.credentials());
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let answer = smuggled(&target, head, &format!("0\r\n\r\n{hidden}"));
        assert_eq!(answers(&answer), 1, "what comes behind is not read: {answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
        assert!(!answer.contains("ResourceNotFound"), "{answer}");
    }
}

#[test]
fn lengths_and_encodings_that_are_disputable() {
    let target = Target::new();
    let hidden = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n{}\r\n", target.credentials());
    for (head, body) in [
        ("Content-Length: 4\r\nContent-Length: 5\r\n", "abcd"),
        ("Content-Length: +4\r\n", "abcd"),
        ("Content-Length: 4, 5\r\n", "abcd"),
        ("Content-Length: -1\r\n", ""),
        ("Content-Length: 0x4\r\n", "abcd"),
        ("Content-Length: 99999999999999999999\r\n", ""),
        ("Transfer-Encoding: gzip\r\n", "abcd"),
        ("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"),
        ("X: 1\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("X: 1\r\n\tfolded\r\n", ""),
        (" X: 1\r\n", ""),
        ("X\0: 1\r\n", ""),
        ("X: a\rb\r\n", ""),
    ] {
        let answer = smuggled(&target, head, &format!("{body}{hidden}"));
        assert!(answers(&answer) <= 1, "{head:?}: {answer}");
        assert!(answer.is_empty() || status(&answer) == 400, "{head:?}: {answer}");
    }
    target.assert_well();
}

#[test]
fn chunks_that_are_no_chunks() {
    let target = Target::new();
    let hidden = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n{}\r\n", target.credentials());
    for body in ["zz\r\n", "-1\r\n", "fffffffffffffffff\r\n", "1\r\nab\r\n0\r\n\r\n", "1 \x00\r\na\r\n"] {
        let answer = smuggled(&target, "Transfer-Encoding: chunked\r\n", &format!("{body}{hidden}"));
        assert!(answers(&answer) <= 1 && !answer.contains("ResourceNotFound"), "{body:?}: {answer}");
    }
    target.assert_well();
}

#[test]
fn bare_line_feeds_make_no_second_request() {
    let target = Target::new();
    let answer = target.raw(format!("GET {PATH} HTTP/1.1\nHost: x\n{}\n", target.credentials()).as_bytes());
    assert!(answers(&answer) <= 1, "{answer}");
    let answer =
        target.raw(b"GET /healthz HTTP/1.1\r\nHost: x\nConnection: close\r\nX: GET / HTTP/1.1\r\n\r\n");
    assert!(answers(&answer) <= 1, "{answer}");
}

#[test]
fn old_and_unknown_versions_of_http() {
    let target = Target::new();
    let request = format!("GET {PATH} HTTP/1.0\r\n{}\r\n", target.credentials());
    let (head, body) = target.service.send(&request);
    assert_eq!((status(&head), code(&body).as_str()), (404, "ResourceNotFound"), "HTTP/1.0 needs no host");
    let chunked = "POST /default/oauth2/token HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status(&target.raw(chunked.as_bytes())), 400);
    for first in [
        "GET /healthz",
        "GET /healthz HTTP/0.9",
        "GET /healthz HTTP/1.2",
        "GET /healthz HTTP/3.0",
        "GET  /healthz HTTP/1.1",
        "\x16\x03\x01\x02",
    ] {
        let answer = target.raw(format!("{first}\r\nHost: x\r\n\r\n").as_bytes());
        assert!(answer.is_empty() || status(&answer) == 400, "{first}: {answer}");
    }
    // HTTP/2 without TLS is not spoken.
    let answer = target.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(answers(&answer) <= 1 && !answer.contains(" 200 "), "{answer}");
    target.assert_well();
}

#[test]
fn methods_that_are_none_of_ours() {
    let target = Target::new();
    let credentials = target.credentials();
    for method in ["CONNECT", "TRACE", "OPTIONS", "PUT", "get", "G\u{c9}T", "MAKE-COFFEE"] {
        let path = if method == "CONNECT" { "evil.example.com:443" } else { PATH };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{credentials}\r\n");
        let answer = target.raw(request.as_bytes());
        assert!(matches!(status(&answer), 400 | 404 | 405), "{method}: {answer}");
        assert!(
            !answer.contains("ResourceNotFound") && !answer.contains(&target.token),
            "{method}: {answer}"
        );
    }
    let answer = target.raw(format!("OPTIONS * HTTP/1.1\r\nHost: x\r\n{credentials}\r\n").as_bytes());
    assert!(matches!(status(&answer), 400 | 404 | 405), "{answer}");
}

#[test]
fn headers_that_override_method_or_path() {
    let target = Target::new();
    for line in ["X-HTTP-Method-Override: POST", "X-Method-Override: DELETE", "X-HTTP-Method: POST"] {
        let (head, body) = target.get(PATH, &format!("{line}\r\n"));
        assert_eq!((status(&head), code(&body).as_str()), (404, "ResourceNotFound"), "{line}");
    }
    for line in ["X-Original-URL: /healthz", "X-Rewrite-URL: /healthz", "X-Forwarded-Prefix: /healthz"] {
        let (head, _) = target.get(PATH, &format!("{line}\r\n"));
        assert_eq!(status(&head), 404, "{line}");
    }
}

#[test]
fn a_head_that_never_ends_keeps_nobody_waiting() {
    let target = Target::new();
    // The answer arrives before the service gives up any of the slow heads.
    retry_race(|| {
        let slow: Vec<_> = (0..100)
            .map(|_| {
                let mut stream = TcpStream::connect(&target.service.address).unwrap();
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
                stream
            })
            .collect();
        target.assert_well();
        are_open(&slow)
    });
}

/// Longest wait for the end of a connection: far more than any time limit of the service.
const CLOSE_SECONDS_MAX: u64 = 180;

/// Whether the service closes a connection on which nothing (more) is sent, within some seconds.
fn is_closed_within(stream: &mut TcpStream, seconds: u64) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(seconds))).unwrap();
    match stream.read(&mut [0; 16]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn idle_connections_of_one_address_are_limited_and_must_ask_soon() {
    let target = Target::new();
    let connect = || TcpStream::connect(&target.service.address).unwrap();
    retry_race(|| {
        let mut idle: Vec<_> = (0..256).map(|_| connect()).collect();
        idle[0].write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
        assert!(is_closed_within(&mut connect(), CLOSE_SECONDS_MAX), "one too many");
        // The newest ends before those that were there: it was refused, not idle for too long.
        let is_refused = are_open(&idle);
        // Not even the beginning of a head helps.
        assert!(is_closed_within(&mut idle[0], CLOSE_SECONDS_MAX));
        assert!(is_closed_within(&mut idle[255], CLOSE_SECONDS_MAX));
        is_refused
    });
    target.assert_well();
}

#[test]
fn a_connection_that_asked_may_be_idle_for_longer_than_a_new_one() {
    let target = Target::new();
    let mut stream = TcpStream::connect(&target.service.address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
    assert!(!is_closed_within(&mut stream, 12));
}
