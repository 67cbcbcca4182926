//! Files that are odd but can be read: padding, bytes after compressed data, empty files, logs of other kinds, fields of no
//! known format.

use super::{Place, ndjson};
use serde_json::{Value, json};
use std::io::Write;

const AS_OF: [&str; 2] = ["--as-of", "2026-11-30T12:00:00Z"];

fn rows(hosts: &[&str]) -> String {
    hosts.iter().map(|host| ndjson(&[(host, "198.18.8.1", "2026-11-30T10:00:00Z")])).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Exit code, summary and notes of an import.
fn import(place: &Place, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let done = place.run(&[&["import", "--json"], &AS_OF[..], arguments].concat());
    let summary = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{done:?}"));
    (done.code, summary, done.err)
}

#[test]
fn zeros_after_compressed_data_are_padding() {
    let place = Place::new();
    let text = rows(&["a", "b", "c"]);
    for (name, mut log) in
        [("log.gz", gzip(&text)), ("log.zst", zstd::encode_all(text.as_bytes(), 1).unwrap())]
    {
        log.resize(log.len() + 1024, 0);
        place.file(name, log);
        let (code, summary, notes) = import(&place, &[name]);
        assert_eq!((code, &summary["counted"], notes.as_str()), (Some(0), &json!(3), ""), "{name}");
        assert_eq!(summary.get("warnings"), None);
    }
}

#[test]
fn bytes_after_compressed_data_are_warned_about() {
    let place = Place::new();
    let text = rows(&["a", "b", "c"]);
    for (name, compression, mut log) in
        [("log.gz", "gzip", gzip(&text)), ("log.zst", "zstd", zstd::encode_all(text.as_bytes(), 1).unwrap())]
    {
        log.extend_from_slice(b"not compressed\n");
        place.file(name, log);
        let (code, summary, notes) = import(&place, &[name]);
        assert_eq!((code, &summary["counted"]), (Some(0), &json!(3)), "{notes}");
        let warning =
            format!("{name}: 15 bytes after the end of the {compression} data are not {compression} data: ");
        assert!(notes.starts_with(&format!("warning: {warning}")), "{notes}");
        assert!(summary["warnings"][0].as_str().unwrap().starts_with(&warning), "{summary}");
    }
}

#[test]
fn runs_of_nul_bytes_are_skipped() {
    let place = Place::new();
    let zeros = "\0".repeat(4096);
    for (name, log) in [
        ("start.log", format!("{zeros}{}", rows(&["a", "b"]))),
        ("middle.log", format!("{}{zeros}{}", rows(&["a"]), rows(&["b"]))),
        ("end.log", format!("{}{zeros}", rows(&["a", "b"]))),
    ] {
        place.file(name, log);
        let (code, summary, notes) = import(&place, &[name]);
        assert_eq!((code, &summary["counted"]), (Some(0), &json!(2)), "{name}: {notes}");
        assert!(summary["malformed"].as_u64().unwrap() <= 1, "{name}: {summary}");
    }
}

#[test]
fn imports_folder_with_other_logs_and_empty_file() {
    let place = Place::new();
    place.file("empty.log", "");
    place.file("conn.log", rows(&["a"]));
    let others = [
        (
            "dhcp.log",
            r#"{"ts":1796032700.5,"uids":["C1"],"mac":"08:00:27:00:00:01","assigned_addr":"10.3.0.1"}"#,
        ),
        ("x509.log", r#"{"ts":1796032700.5,"fingerprint":"ab","certificate.version":3}"#),
        ("files.log", r#"{"ts":1796032700.5,"fuid":"F1","tx_hosts":["198.18.8.1"],"rx_hosts":["10.3.0.1"]}"#),
        ("notice.log", r#"{"ts":1796032700.5,"note":"Scan::Port_Scan","src":"10.3.0.1","dst":"198.18.8.1"}"#),
    ];
    for (name, record) in others {
        place.file(name, format!("{record}\n"));
    }
    let names = ["conn.log", "dhcp.log", "empty.log", "files.log", "notice.log", "x509.log"];
    let (code, summary, notes) = import(&place, &names);
    assert_eq!((code, &summary["counted"]), (Some(0), &json!(1)), "{notes}");
    assert_eq!(summary["notAConnection"], json!({"otherEvent": 4}));
    assert!(notes.contains("warning: empty.log: is empty: "), "{notes}");
}

#[test]
fn fields_of_unknown_format_are_mapped() {
    let place = Place::new();
    let map = ["--map", "device=src_host,ip=dest_ip,time=timestamp"];
    place.file(
        "fw.csv",
        "timestamp,src_host,dest_ip\n1796032800123,pc-1,198.18.8.1\n1796032800,,198.18.8.1\n",
    );
    place.file(
        "fw.json",
        "{\"src_host\":\"pc-2\",\"dest_ip\":\"198.18.8.1\",\"timestamp\":\"2026-11-30T10:00:00Z\"}\n",
    );
    let (code, summary, notes) = import(&place, &[&map[..], &["fw.csv", "fw.json"]].concat());
    assert_eq!((code, &summary["counted"], &summary["malformed"]), (Some(0), &json!(2), &json!(1)));
    assert!(notes.contains("fw.csv:3: no src_host, which is mapped to device"), "{notes}");
    for (map, message) in [
        ("device=a,time=t", "ip is not mapped; map device, ip and time, or originator, responder and time"),
        ("host=a,ip=b,time=t", "\"host\" cannot be mapped; map device, ip and time"),
    ] {
        let refused = place.run(&["import", "--map", map, "fw.csv"]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains(message), "{refused:?}");
    }
}

#[test]
fn zeek_rows_without_header_are_read_by_columns() {
    let place = Place::new();
    let row = "1796032800.5\tC1\t10.3.0.1\t40000\t198.18.8.1\t443\tSF";
    place.file("rows.log", format!("{row}\n"));
    place.file("beats.json", format!("{}\n", json!({"agent": {"type": "filebeat"}, "message": row})));
    let columns = ["--columns", "ts,uid,id.orig_h,id.orig_p,id.resp_h,id.resp_p,conn_state"];
    for name in ["rows.log", "beats.json"] {
        let (code, summary, notes) = import(&place, &[&columns[..], &[name]].concat());
        assert_eq!((code, &summary["counted"]), (Some(0), &json!(1)), "{name}: {notes}");
    }
    let refused = place.run(&["import", "--columns", "ts,id.orig_h", "rows.log"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("--columns: no column id.resp_h, conn_state: list all columns"),
        "{refused:?}"
    );
}

#[test]
fn binary_files_are_named_with_fix() {
    let place = Place::new();
    let mut tar = b"conn.log".to_vec();
    tar.resize(257, 0);
    tar.extend_from_slice(b"ustar\x0000");
    tar.resize(512, 0);
    let packed = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap()
    };
    for (name, content, message) in [
        (
            "a.pcap",
            b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0".to_vec(),
            "binary data (a packet capture); run `zeek -r FILE",
        ),
        ("nfcapd.1", b"\x0c\xa5\x02\0\0\0\0\0".to_vec(), "binary data (flows of nfcapd); "),
        ("a.tar", tar, "binary data (a tar archive); unpack it; `tar xOf FILE`"),
        ("a.tgz", packed, "binary data (a tar archive); unpack it; `tar xOf FILE`"),
    ] {
        place.file(name, content);
        let done = place.run(&["import", name]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains(message), "{name}: {done:?}");
    }
}

#[test]
fn note_advises_on_most_frequent_reason() {
    let place = Place::new();
    let header = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\thistory\n";
    let row = "1796032800.5\t10.3.0.1\t198.18.8.1\tSHR\tCh\n";
    place.file("offload.log", format!("{header}{}", row.repeat(3)));
    place.file(
        "dns.log",
        "#separator \\x09\n#path\tdns\n#fields\tts\tid.orig_h\tid.resp_h\n1796032800.5\t10.3.0.1\t198.18.8.1\n",
    );
    let outside =
        r#"{"ts":1796032800.5,"id.orig_h":"203.0.113.1","id.resp_h":"198.18.8.1","conn_state":"SF"}"#;
    place.file("outside.log", format!("{outside}\n"));
    let (code, _, notes) = import(&place, &["offload.log", "dns.log", "outside.log"]);
    assert_eq!(code, Some(0), "{notes}");
    for part in [
        "note: offload.log: 3 of 3 records: midstream traffic, its start was not seen, with wrong checksums: ",
        "redef ignore_checksums = T;",
        "note: dns.log: 1 of 1 records: rows of dns.log of Zeek; send conn.log",
        "note: outside.log: 1 of 1 records: both ends external; set internal_networks",
    ] {
        assert!(notes.contains(part), "{part} in {notes}");
    }
}
