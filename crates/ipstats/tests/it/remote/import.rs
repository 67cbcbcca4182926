//! What `import --server` does.

use super::error;
use super::scripted::Scripted;
use crate::cli::{CONTOSO, Done, Place, ndjson};
use crate::site::{AS_OF, Site};
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A key that has the form of one.
const KEY: &str = "ipstats_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn log(count: u32) -> String {
    (0..count).map(|number| ndjson(&[(&format!("host-{number}"), "10.0.0.1", AS_OF)])).collect()
}

fn import(place: &Place, server: &Scripted, arguments: &[&str]) -> Done {
    let mut command = place.command([&["import", "--server", &server.url], arguments].concat());
    command.env("IPSTATS_INGEST_KEY", KEY);
    let done = place.done(command.spawn().unwrap());
    assert!(!done.err.contains(KEY), "secrets are never told: {done:?}");
    done
}

fn taken() -> (u16, String, String) {
    let body =
        r#"{"counted":1,"notAConnection":{"inbound":2},"outsideRetention":0,"malformed":0,"issues":[]}"#;
    (200, String::new(), body.to_owned())
}

#[test]
fn logs_of_every_kind_arrive_and_are_accounted_for_together() {
    let site = Site::new();
    let service = site.serve();
    let url = format!("http://{}", service.address);
    site.place.file("plain.log", format!("{}nonsense\n", log(3)));
    let old = ndjson(&[("host-0", "10.0.0.1", "2017-01-01T00:00:00Z")]);
    site.place.file("log.zst", zstd::encode_all((log(5) + &old).as_bytes(), 1).unwrap());
    let mut command = site.asking(&["import", "--server", &url, "--json", "plain.log", "log.zst", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, log(7).as_bytes()).unwrap();
    drop(stdin);
    let done = site.place.done(child);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(
        done.out,
        format!(
            "{{\"counted\":15,\"notAConnection\":{{}},\"outsideRetention\":1,\"malformed\":1,\"organization\":\"{CONTOSO}\",\
             \"newestEvent\":\"{AS_OF}\",\"oldestEvent\":\"2017-01-01T00:00:00Z\"}}\n"
        )
    );
    assert!(done.err.starts_with("plain.log:4: "), "{done:?}");
    let answer = site.ask(&["stats", "--server", &url, "--format", "csv", "10.0.0.1"]);
    assert_eq!(answer.out.lines().nth(1), Some(&*format!("10.0.0.1,7,{AS_OF},{AS_OF},")), "{answer:?}");

    let key_file = site.place.file("key", format!("{}\n", site.key()));
    let mut command = site.asking(&["import", "--server", &url, "--key-file", &key_file, "plain.log"]);
    let text = site.place.done(command.env_remove("IPSTATS_INGEST_KEY").spawn().unwrap());
    assert_eq!(text.code, Some(0), "{text:?}");
    let until_time = text.out.rsplit_once(", ").unwrap().0.rsplit_once(", ").unwrap().0;
    insta::assert_snapshot!(until_time, @r"
    counted                       3  connections
    not a connection              0
    outside retention             0
    malformed                     1
      plain.log:4: not a JSON object: does not start with {
    events from 2017-08-29T13:32:59Z to 2017-08-29T13:32:59Z
    organization 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    ");
}

#[test]
fn what_is_wrong_with_one_log_leaves_the_others() {
    let site = Site::new();
    let service = site.serve();
    let url = format!("http://{}", service.address);
    site.place.file("good.log", log(2));
    site.place.file("no.log", "hello\nworld\n");
    site.place.file("empty.log", "");
    let mut cut = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    cut.write_all(log(5).as_bytes()).unwrap();
    let mut cut = cut.finish().unwrap();
    cut.truncate(cut.len() - 4);
    site.place.file("cut.gz", cut);
    let logs = ["missing.log", ".", "empty.log", "no.log", "cut.gz", "good.log"];
    let done = site.ask(&[&["import", "--server", &url, "--json"], &logs[..]].concat());
    assert_eq!(done.code, Some(1));
    // What the one that breaks off brought before is in the sum.
    assert!(done.out.starts_with("{\"counted\":7,"), "{done:?}");
    let lines: Vec<_> = done.err.lines().collect();
    assert_eq!(lines.len(), 5, "{done:?}");
    for (line, (log, why)) in
        lines.iter().zip(logs.iter().zip(["no such file", "folder", "empty", "refuses it", "refuses it"]))
    {
        let kind = if *log == "empty.log" { "warning" } else { "error" };
        assert!(line.starts_with(&format!("{kind}: {log}: ")) && line.contains(why), "{line}");
    }
    // What belongs together by content goes on alone.
    let old = site.place.file("old.log", ndjson(&[("a", "10.0.0.1", "2016-01-01T00:00:00Z")]));
    let done = site.ask(&["import", "--server", &url, &old]);
    assert!(
        done.err.contains("nothing of old.log was counted") && done.err.contains("2016-01-01"),
        "{done:?}"
    );
}

#[test]
fn a_wrong_key_stops_everything_even_in_the_middle_of_a_long_log() {
    let site = Site::new();
    let service = site.serve();
    let url = format!("http://{}", service.address);
    let long = site.place.file("long.log", log(100_000));
    let short = site.place.file("short.log", log(1));
    let mut command = site.asking(&["import", "--server", &url, &long, &short]);
    let done = site.place.done(command.env("IPSTATS_INGEST_KEY", KEY).spawn().unwrap());
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert_eq!(done.err.lines().count(), 1, "{done:?}");
    assert!(done.err.contains("401") && done.err.contains("check the ingest key"), "{done:?}");

    let command = |key: &str| {
        let mut command = site.asking(&["import", "--server", &url, &short]);
        site.place.done(command.env("IPSTATS_INGEST_KEY", key).spawn().unwrap()).err
    };
    assert!(command("").contains("--key-file"));
    let no_key = command("hunter2");
    assert!(no_key.contains("not an ingest key") && !no_key.contains("hunter2"), "{no_key}");
}

#[test]
fn a_log_is_sent_again_whole() {
    let count = AtomicUsize::new(0);
    let server = Scripted::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => error(503, "Retry-After: 1\r\n", "ServiceUnavailable"),
        1 => error(429, "Retry-After: 1\r\n", "TooManyRequests"),
        _ => taken(),
    });
    let place = Place::new();
    let log = log(10_000);
    let file = place.file("log", &log);
    let done = import(&place, &server, &["--format", "ndjson", "--json", &file]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    for request in asked {
        assert_eq!(request.line, "POST /api/ingest/ndjson HTTP/1.1");
        assert!(request.headers.contains(&format!("bearer {}", KEY.to_ascii_lowercase())));
        assert!(request.body == log.as_bytes(), "{} bytes", request.body.len());
    }

    let mut command = place.command(["import", "--server", &server.url, "-"]);
    let mut child = command.env("IPSTATS_INGEST_KEY", KEY).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"something").unwrap();
    drop(stdin);
    assert_eq!(place.done(child).code, Some(0));
    assert_eq!(server.asked().last().unwrap().body, b"something");
}

#[test]
fn a_service_in_trouble_stops_everything_with_the_way_out() {
    let server =
        Scripted::new(
            |request| if request.body == b"one" { taken() } else { error(503, "", "ServiceUnavailable") },
        );
    let place = Place::new();
    let files = ["one", "two", "three"].map(|name| place.file(name, name));
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let done = import(&place, &server, &[&["--retry-seconds", "0", "--json"], &files[..]].concat());
    assert_eq!(done.code, Some(1));
    assert!(done.out.starts_with(r#"{"counted":1,"notAConnection":{"inbound":2},"#), "{done:?}");
    assert!(done.err.contains("error: two: ") && done.err.contains("nothing is counted twice"), "{done:?}");
    assert_eq!(server.asked().len(), 2, "three is not tried");
}

#[test]
fn what_the_key_says_cannot_be_said_again() {
    let place = Place::new();
    for flags in [
        &["--organization", "contoso"][..],
        &["--site", "dmz"],
        &["--count", "attempted"],
        &["--originator-is-device"],
        &["--internal-network", "10.0.0.0/8"],
        &["--not-device", "10.0.0.220"],
        &["--data-dir", "data"],
        &["--as-of", AS_OF],
    ] {
        let done = place.run(&[&["import", "--server", "https://ipstats.invalid", "log"], flags].concat());
        assert_eq!(done.code, Some(2), "{flags:?}: {done:?}");
    }
    for flags in [["--key-file", "key"], ["--ca-file", "ca"], ["--retry-seconds", "9"]] {
        assert_eq!(place.run(&[&["import", "log"], &flags[..]].concat()).code, Some(2), "{flags:?}");
    }
}
