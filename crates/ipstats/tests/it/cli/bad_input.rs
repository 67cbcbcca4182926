//! Bad input: one clear message each, that names the file, the line or the key, and the way out.

use super::{Place, ndjson};
use std::io::Write;
use std::process::Stdio;

const AS_OF: [&str; 2] = ["--as-of", "2017-08-29T13:32:59Z"];

fn good(host: &str) -> String {
    ndjson(&[(host, "10.0.0.1", "2017-08-29T00:00:00Z")])
}

/// Imports one bad log between two good ones: the good ones are counted, the message is returned.
fn message(place: &Place, bad: &str) -> String {
    place.file("before.log", good("before"));
    place.file("after.log", good("after"));
    let done = place.run(&[&["import", "--json"], &AS_OF[..], &["before.log", bad, "after.log"]].concat());
    assert_eq!(done.code, Some(1), "{done:?}");
    let summary: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert!(summary["counted"].as_u64().unwrap() >= 2, "the good logs are counted: {done:?}");
    done.err
}

#[test]
fn files_that_are_not_there_or_not_files() {
    let place = Place::new();
    insta::assert_snapshot!(message(&place, "gone.log"), @"error: gone.log: there is no such file (any more): check the name");
    let alone = place.run(&["import", "gone.log"]);
    assert_eq!((alone.code, alone.out.as_str()), (Some(1), ""), "there is nothing to account for");
    std::fs::create_dir(place.path("logs")).unwrap();
    insta::assert_snapshot!(message(&place, "logs"), @"error: logs: is a folder: name the files in it, for example logs/*.log");
    let empty = place.run_with_input(&["import", "-"], b"");
    assert_eq!(empty.code, Some(1));
    assert_eq!(empty.err.trim_end(), "error: standard input: is empty: check what should have written it");
}

#[test]
fn files_that_are_no_logs() {
    let place = Place::new();
    place.file("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0\xff\xfe");
    insta::assert_snapshot!(message(&place, "picture.png"), @"error: picture.png: binary data (no text in UTF-8); export the log as text");
    place.file("letter.txt", "Dear reader,\nthis is no log.\n");
    insta::assert_snapshot!(message(&place, "letter.txt"), @r#"error: letter.txt: format not recognized: it starts with "Dear reader,"; name the format (zeek, mde, sysmon, json, zeek-tsv, zeek-json, mde-streaming, mde-hunting-csv, mde-hunting-json, suricata, sysmon-json, sysmon-evtx, ecs, ocsf, osquery, vpc-flow, ndjson, csv) with --format"#);
    place.file("short.csv", "device,time\na,2017-08-29T00:00:00Z\n");
    insta::assert_snapshot!(message(&place, "short.csv"), @"error: short.csv: line 1: the header of csv has no column ip; export the log with it");
    place.file("http.log", "#fields\tts\tid.orig_h\thost\n1504013579.5\t10.0.0.1\texample.com\n");
    insta::assert_snapshot!(message(&place, "http.log"), @"error: http.log: line 1: the header of zeek-tsv has no column id.resp_h, conn_state; export the log with it");
}

#[test]
fn a_truncated_gzip_counts_up_to_the_cut() {
    let place = Place::new();
    let lines = (0..5000).map(|number| good(&format!("host-{}", number % 1000))).collect::<Vec<_>>().concat();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines.as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    place.file("cut.gz", &whole[..whole.len() / 2]);
    insta::assert_snapshot!(message(&place, "cut.gz"), @"error: cut.gz: the gzip data ends too early (the file is truncated, or still being written): what comes before the cut was imported; import the complete file again, nothing is counted twice");
    let done = place.run(&[&["import", "--json"], &AS_OF[..], &["cut.gz"]].concat());
    let summary: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let counted = summary["counted"].as_u64().unwrap();
    assert!((1000..4999).contains(&counted) && summary["malformed"] == 0, "{summary}");

    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    place.file("damaged.gz", damaged);
    let said = message(&place, "damaged.gz");
    assert!(
        said.starts_with("error: damaged.gz: the gzip data is damaged (") && said.contains("altered records"),
        "{said}"
    );
}

#[test]
fn a_line_without_end_is_one_malformed_line() {
    let place = Place::new();
    let arguments = [&["import", "--json"], &AS_OF[..], &["-"]].concat();
    let mut import = place.command(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = import.stdin.take().unwrap();
    let id = import.id();
    input.write_all(good("before").as_bytes()).unwrap();
    input.write_all(b"{\"device\":\"").unwrap();
    let mut resident_kib_max = 0;
    let part = vec![b'x'; 1 << 18];
    for _ in 0..1024 {
        input.write_all(&part).unwrap();
        resident_kib_max = resident_kib_max.max(resident_kib(id));
    }
    input.write_all(b"\"}\n").unwrap();
    input.write_all(good("after").as_bytes()).unwrap();
    drop(input);
    let done = place.done(import);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.starts_with("{\"counted\":2,"), "{done:?}");
    assert!(done.out.contains("\"malformed\":1,"), "{done:?}");
    insta::assert_snapshot!(done.err, @"standard input:2: longer than 1048576 bytes");
    assert!(resident_kib_max < 128 << 10, "{resident_kib_max} KiB for a line of 256 MiB");
}

/// Memory of a process, where the system says; else 0.
fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

#[test]
fn malformed_lines_are_named_and_do_not_fail() {
    let place = Place::new();
    let bad = [
        "{\"device\":5,\"ip\":\"10.0.0.1\",\"time\":\"2017-08-29T00:00:00Z\"}",
        "{\"device\":\"a\",\"ip\":\"10.0.0.256\",\"time\":\"2017-08-29T00:00:00Z\"}",
        "{\"device\":\"a\",\"ip\":\"10.0.0.1\",\"time\":\"yesterday\"}",
        "{\"device\":\"a\",\"ip\":\"10.0.0.1\"}",
        "no json at all",
        "{\"device\":\"a\",\"ip\":\"10.0.0.1\",\"time\":\"2017-08-",
    ];
    let far = ndjson(&[("a", "10.0.0.1", "1970-01-01T00:00:00Z"), ("a", "10.0.0.1", "2200-01-01T00:00:00Z")]);
    place.file("some.log", [good("a"), bad.join("\n"), "\n".to_owned(), far].concat());
    let done = place.run(&[&["import"], &AS_OF[..], &["some.log"]].concat());
    assert_eq!(done.code, Some(0), "malformed lines alone do not fail: {done:?}");
    let (summary, _) = done.out.rsplit_once("organization ").unwrap();
    insta::assert_snapshot!(summary, @r#"
    counted                       1  connections
    not a connection              0
    outside retention             2
                                  1  older than 30 days
                                  1  in the future
    malformed                     6
      some.log:2: device is 5, not text
      some.log:3: ip is "10.0.0.256", not an IP address
      some.log:4: time is "yesterday", not a time
      some.log:5: no time
      some.log:6: not a JSON object: does not start with {
      and 1 more
    events from 1970-01-01T00:00:00Z to 2200-01-01T00:00:00Z
    "#);
}

#[test]
fn bad_usage_and_places_that_cannot_be_used() {
    let place = Place::new();
    place.file("good.log", good("a"));
    let failed = |arguments: &[&str], code| {
        let done = place.run(&[&["import"], &AS_OF[..], arguments].concat());
        assert_eq!(done.code, Some(code), "{done:?}");
        done.err
    };
    insta::assert_snapshot!(failed(&["--organization", "nobody", "good.log"], 1), @r#"error: organization "nobody" is not configured; known: contoso = 3f2504e0-4f89-41d3-9a0c-0305e82c3301"#);
    place.file("file", "");
    let folder = failed(&["--data-dir", "file", "good.log"], 1);
    assert!(folder.contains("data folder file: is a file; name a folder with --data-dir"), "{folder}");
    for usage in [
        &[][..],
        &["--format", "netflow", "good.log"],
        &["--internal-network", "10.0.0", "good.log"],
        &["--not-device", "10.0.0.0/33", "good.log"],
    ] {
        failed(usage, 2);
    }
}

#[test]
fn a_format_that_a_log_does_not_have_is_told_with_the_one_it_seems_to_have() {
    let place = Place::new();
    let log = place.file("odd.log", ndjson(&[("pc", "203.0.113.7", "2026-11-01T10:00:00Z")]));
    let note = "it looks like ndjson; pass --format ndjson or auto";
    for format in ["zeek-json", "csv", "suricata"] {
        let done = place.run(&["import", "--format", format, &log]);
        assert!(done.err.contains(note), "{format}: {done:?}");
    }
    // A group of formats is recognized among themselves: the log is refused.
    let done = place.run(&["import", "--format", "zeek", &log]);
    assert!(
        done.err.contains("looks like ndjson, not zeek")
            && done.err.contains("name ndjson or auto with --format"),
        "{done:?}"
    );
    assert_eq!(done.err.matches("looks like").count(), 1, "it is told once: {done:?}");
    // What was read as what it is has no such note, even if nothing counts.
    let done = place.run(&["import", "--format", "ndjson", &log]);
    assert!(!done.err.contains("looks like"), "{done:?}");

    let done = place.run(&["import", "--format", "surikata", &log]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("'suricata'") && done.err.contains("vpc-flow"), "{done:?}");
}

#[test]
fn a_check_counts_all_that_is_configured() {
    let place = Place::new();
    let done = place.run(&["config", "check"]);
    let counted = "1 organization, 0 applications, 0 users, 0 roles, 0 issuers, 0 ingest keys, 0 sources";
    assert_eq!(done.out.trim(), format!("the configuration is fine: {counted}"));
}
