//! The demo: what it prints works when it is pasted, and nothing is left of it.

use super::Place;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

/// Sends the request of a printed curl line.
fn paste(curl: &str) -> String {
    let quoted: Vec<_> = curl.split('\'').skip(1).step_by(2).collect();
    let [header, url] = quoted[..] else { panic!("{curl}") };
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_curl_line_answers_and_ctrl_c_leaves_nothing() {
    let place = Place::new();
    fs::create_dir(place.path("tmp")).unwrap();
    let mut command = place.command(["demo", "--listen", "127.0.0.1:0"]);
    let mut demo = command.env("TMPDIR", place.path("tmp")).spawn().unwrap();
    let printed = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (mut addresses, mut curl) = (Vec::new(), None);
    for line in printed {
        if line.starts_with("curl -s -H") {
            curl = Some(line);
            break;
        }
        addresses.extend(line.split_whitespace().next().map(str::to_owned));
    }
    for ip in ["10.209.67.177", "203.0.113.77", "198.51.100.23"] {
        assert!(addresses.contains(&ip.to_owned()), "{addresses:?}");
    }

    let answer = paste(&curl.unwrap());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["ipAddress"], "10.209.67.177");
    assert!(body["organizationPrevalence"].as_u64().unwrap() > 200, "{body}");

    assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 1);
    assert!(Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap().success());
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0);
}
