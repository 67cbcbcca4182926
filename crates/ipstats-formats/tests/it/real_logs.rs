//! Real logs of others against parsers that are as naive as can be.

use crate::support::{Read, read, read_pieces};
use ipstats_formats::{Format, FormatChoice, Originator, Settings};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;

const OPENED: [&str; 6] = ["SF", "S1", "S2", "S3", "RSTO", "RSTR"];
const ATTEMPTED: [&str; 4] = ["S0", "REJ", "RSTOS0", "SH"];

/// The bytes of a shared log. It is not a part of the project: tests that read one are ignored unless they are asked for.
fn shared(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("IPSTATS_SHARED_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: set IPSTATS_SHARED_DATA", path.display()))
}

/// One conn.log record, read naively.
struct Conn {
    ts: f64,
    originator: IpAddr,
    responder: IpAddr,
    state: String,
    local: Option<bool>,
    responder_local: Option<bool>,
    /// Of ICMP: the type, and the packets of originator and responder.
    icmp: Option<(u64, [u64; 2])>,
}

fn is_internal(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// What conn.log records say: connections in order, and counts by reason.
fn expected(
    records: impl Iterator<Item = Conn>,
    settings: &Settings,
) -> (Vec<String>, BTreeMap<&'static str, u64>) {
    let (mut connections, mut reasons) = (Vec::new(), BTreeMap::new());
    for conn in records {
        let inside = conn.local.unwrap_or_else(|| is_internal(conn.originator));
        let to_inside = conn.responder_local.unwrap_or_else(|| is_internal(conn.responder));
        let request = if conn.originator.is_ipv4() { 8 } else { 128 };
        let (opened, attempted) = match conn.icmp {
            Some((_, packets)) => (!packets.contains(&0), packets.contains(&0)),
            None => (OPENED.contains(&conn.state.as_str()), ATTEMPTED.contains(&conn.state.as_str())),
        };
        let reason = if conn.icmp.is_some_and(|(kind, _)| kind != request) {
            "otherEvent"
        } else if !inside && to_inside {
            "inbound"
        } else if !inside && settings.originator == Originator::ByNetworks {
            "notInternal"
        } else if attempted {
            "failed"
        } else if !opened {
            "startNotSeen"
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "times of real logs fit")]
            let at = jiff::Timestamp::from_second(conn.ts.floor() as i64).unwrap();
            connections.push(format!("{} {} {at}", conn.originator, conn.responder));
            continue;
        };
        *reasons.entry(reason).or_default() += 1;
    }
    (connections, reasons)
}

fn zeek_tsv(text: &str) -> Vec<Conn> {
    let rows = text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
    let names: Vec<&str> =
        text.lines().find(|line| line.starts_with("#fields")).unwrap().split('\t').skip(1).collect();
    let conn = |row: &str| {
        let row: BTreeMap<&str, &str> = names.iter().copied().zip(row.split('\t')).collect();
        let flag = |name| row.get(name).filter(|flag| **flag != "-").map(|flag| *flag == "T");
        Conn {
            ts: row["ts"].parse().unwrap(),
            originator: row["id.orig_h"].parse().unwrap(),
            responder: row["id.resp_h"].parse().unwrap(),
            state: row["conn_state"].to_owned(),
            local: flag("local_orig"),
            responder_local: flag("local_resp"),
            icmp: (row["proto"] == "icmp").then(|| {
                let number = |name| row[name].parse().unwrap();
                (number("id.orig_p"), ["orig_pkts", "resp_pkts"].map(number))
            }),
        }
    };
    rows.map(conn).collect()
}

fn zeek_json(text: &str) -> Vec<Conn> {
    let conn = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        Conn {
            ts: record["ts"].as_f64().unwrap(),
            originator: record["id.orig_h"].as_str().unwrap().parse().unwrap(),
            responder: record["id.resp_h"].as_str().unwrap().parse().unwrap(),
            state: record["conn_state"].as_str().unwrap().to_owned(),
            local: record["local_orig"].as_bool(),
            responder_local: record["local_resp"].as_bool(),
            icmp: (record["proto"] == "icmp").then(|| {
                let number = |name: &str| record[name].as_u64().unwrap();
                (number("id.orig_p"), ["orig_pkts", "resp_pkts"].map(number))
            }),
        }
    };
    text.lines().map(conn).collect()
}

#[track_caller]
fn agree(got: &Read, format: Format, expected: &(Vec<String>, BTreeMap<&'static str, u64>)) {
    assert_eq!(got.error, None);
    assert_eq!(got.format, Some(format));
    assert_eq!(got.issues(), [""; 0]);
    assert_eq!(got.connections, expected.0);
    assert_eq!(got.reasons().into_iter().collect::<BTreeMap<_, _>>(), expected.1);
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn zeek_logs_agree_with_a_naive_parser() {
    type Naive = fn(&str) -> Vec<Conn>;
    let logs: [(&str, Format, Naive, usize); 4] = [
        ("zeek/zat-conn.log", Format::ZeekTsv, zeek_tsv, 360),
        ("zeek/slips-test10-conn.log", Format::ZeekTsv, zeek_tsv, 141),
        ("zeek/slips-test9-conn.json.log", Format::ZeekJson, zeek_json, 576),
        ("zeek/ocsf-conn.json.log", Format::ZeekJson, zeek_json, 1250),
    ];
    for (name, format, naive, rows) in logs {
        let bytes = shared(name);
        let records = naive(std::str::from_utf8(&bytes).unwrap());
        assert_eq!(records.len(), rows, "{name}");
        for originator in [Originator::ByNetworks, Originator::AlwaysDevice] {
            let settings = Settings { originator, ..Settings::default() };
            let expected = expected(naive(std::str::from_utf8(&bytes).unwrap()).into_iter(), &settings);
            for choice in [FormatChoice::Auto, FormatChoice::Zeek, FormatChoice::Exactly(format)] {
                agree(&read(choice, &settings, &bytes), format, &expected);
            }
            agree(&read_pieces(FormatChoice::Auto, &settings, bytes.chunks(1)), format, &expected);
        }
    }
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn logs_one_behind_the_other_are_read_as_one() {
    let (a, b) = (shared("zeek/zat-conn.log"), shared("zeek/slips-test10-conn.log"));
    let settings = Settings { originator: Originator::AlwaysDevice, ..Settings::default() };
    let both: Vec<u8> = [a.as_slice(), &b, &a].concat();
    let read = |bytes: &[u8]| read(FormatChoice::Auto, &settings, bytes);
    let (one, other) = (read(&a), read(&b));
    let got = read(&both);
    assert_eq!(got.issues(), [""; 0]);
    assert_eq!(got.connections, [one.connections.as_slice(), &other.connections, &one.connections].concat());
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn the_hunting_export_agrees_with_a_naive_parser() {
    let bytes = shared("mde/plaso-advanced-hunting.csv");
    let rows = naive_csv(std::str::from_utf8(&bytes).unwrap());
    let column = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    let (time, device, ip, action) =
        (column("Timestamp"), column("DeviceId"), column("RemoteIP"), column("ActionType"));
    assert_eq!(rows.len(), 130);
    let opened = rows[1..].iter().filter(|row| {
        let actions = ["ConnectionSuccess", "ConnectionRequest", "ConnectionFound"];
        actions.contains(&row[action].as_str()) && !row[ip].is_empty()
    });
    let expected: Vec<String> = opened
        .map(|row| {
            let at = &row[time][.."2023-12-21T19:04:59".len()];
            format!("{} {} {at}Z", row[device], row[ip].trim_start_matches("::ffff:"))
        })
        .collect();
    assert!(!expected.is_empty());
    for choice in [FormatChoice::Auto, FormatChoice::Mde, Format::MdeHuntingCsv.into()] {
        let got = read(choice, &Settings::default(), &bytes);
        assert_eq!((got.error.as_ref(), got.format), (None, Some(Format::MdeHuntingCsv)));
        assert_eq!(got.connections, expected);
        assert_eq!(got.issues(), [""; 0]);
        assert_eq!(got.tally.records(), 129);
    }
}

/// The lines of a gzipped log as JSON.
fn shared_json_lines(name: &str) -> (Vec<u8>, Vec<Value>) {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(shared(name).as_slice()).read_to_end(&mut text).unwrap();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    (text, records)
}

/// A time as jiff reads it, in whole seconds.
fn seconds(text: &str) -> jiff::Timestamp {
    let time: jiff::Timestamp = text.parse().unwrap();
    jiff::Timestamp::from_second(time.as_second()).unwrap()
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn the_suricata_log_agrees_with_a_naive_parser() {
    let (bytes, records) = shared_json_lines("suricata/slips-test6-eve.json.gz");
    let (mut connections, mut reasons) = (Vec::new(), BTreeMap::<&str, u64>::new());
    for record in &records {
        let ip = |field: &str| record[field].as_str().unwrap().parse::<IpAddr>().unwrap();
        let state = record["flow"]["state"].as_str();
        let reason = if record["event_type"] != "flow" {
            "otherEvent"
        } else if !is_internal(ip("src_ip")) {
            if is_internal(ip("dest_ip")) { "inbound" } else { "notInternal" }
        } else if state == Some("new") {
            "failed"
        } else {
            assert!(matches!(state, Some("established" | "closed")), "{record}");
            let at = seconds(record["flow"]["start"].as_str().unwrap());
            connections.push(format!("{} {} {at}", ip("src_ip"), ip("dest_ip")));
            continue;
        };
        *reasons.entry(reason).or_default() += 1;
    }
    assert_eq!(records.len(), 5000);
    assert!(connections.len() > 200, "{}", connections.len());
    for choice in [FormatChoice::Auto, Format::Suricata.into()] {
        let got = read_pieces(choice, &Settings::default(), bytes.chunks(1 << 16));
        agree(&got, Format::Suricata, &(connections.clone(), reasons.clone()));
    }
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn the_windows_log_agrees_with_a_naive_parser() {
    let (bytes, records) = shared_json_lines("sysmon/otrf-covenant-psremoting.json.gz");
    let (mut connections, mut reasons) = (Vec::new(), BTreeMap::<&str, u64>::new());
    for record in &records {
        let text = |field: &str| record[field].as_str().unwrap();
        let reason = if record["EventID"] == 5156 {
            if text("Direction") == "%%14593" {
                let ip: IpAddr = text("DestAddress").parse().unwrap();
                let at = seconds(text("@timestamp"));
                connections.push(format!("{} {ip} {at}", text("Hostname").to_lowercase()));
                continue;
            }
            "inbound"
        } else if record["EventID"] != 3 || text("Channel") != "Microsoft-Windows-Sysmon/Operational" {
            "otherEvent"
        } else if text("Initiated") != "true" {
            "inbound"
        } else {
            let at = seconds(&format!("{}Z", text("UtcTime")));
            let ip: IpAddr = text("DestinationIp").parse().unwrap();
            connections.push(format!("{} {ip} {at}", text("Hostname").to_lowercase()));
            continue;
        };
        *reasons.entry(reason).or_default() += 1;
    }
    assert_eq!((connections.len(), reasons["inbound"]), (185 + 249, 91 + 90));
    for choice in [FormatChoice::Auto, FormatChoice::Sysmon, Format::SysmonJson.into()] {
        let got = read_pieces(choice, &Settings::default(), bytes.chunks(1 << 16));
        agree(&got, Format::SysmonJson, &(connections.clone(), reasons.clone()));
    }
}

/// Rows of CSV, character by character.
fn naive_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}
