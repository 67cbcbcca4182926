//! Real logs, imported with the clock at their end, answer as a naive reader of the same files does.

use super::model::{Answer, Connection, Model, rfc3339};
use super::{Place, real_log};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn zeek_tsv() {
    answers_as_a_naive_reader("zeek/zat-conn.log", zeek_tsv_rows);
    answers_as_a_naive_reader("zeek/slips-test10-conn.log", zeek_tsv_rows);
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn zeek_json() {
    answers_as_a_naive_reader("zeek/slips-test9-conn.json.log", zeek_json_rows);
    answers_as_a_naive_reader("zeek/ocsf-conn.json.log", zeek_json_rows);
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn defender_hunting_export() {
    answers_as_a_naive_reader("mde/plaso-advanced-hunting.csv", hunting_rows);
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn logs_of_hosts_are_counted() {
    let sources = [
        ("suricata/slips-test6-eve.json.gz", "2021-06-07T14:00:00Z", 211),
        // 185 events of Sysmon, and 249 of Windows' security log that say the same (5156, outbound).
        ("sysmon/otrf-covenant-psremoting.json.gz", "2019-12-05T02:00:00Z", 434),
    ];
    for (name, as_of, counted) in sources {
        let log = real_log(name);
        let place = Place::new();
        let done = place.run(&["import", "--json", "--as-of", as_of, log.to_str().unwrap()]);
        let summary: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!((&summary["counted"], &summary["malformed"]), (&json!(counted), &json!(0)), "{summary}");
    }
}

#[test]
#[ignore = "needs real logs in ../shared/data (or IPSTATS_SHARED_DATA)"]
fn old_log_suggests_clock() {
    let log = real_log("zeek/zat-conn.log");
    let done = Place::new().run(&["import", "--json", log.to_str().unwrap()]);
    assert!(done.out.starts_with("{\"counted\":0,"), "{done:?}");
    assert!(done.err.contains("use --as-of 2013-09-"), "{done:?}");
}

fn answers_as_a_naive_reader(name: &str, rows: fn(&str) -> Vec<Option<Connection>>) {
    let path = real_log(name);
    let rows = rows(&fs::read_to_string(&path).unwrap());
    let mut model = Model { connections: rows.iter().flatten().cloned().collect() };
    let now = model.end().unwrap_or(1_700_000_000);
    // One of these logs spans years: what is older than 30 days at its end is outside retention.
    let all = model.connections.len();
    model.connections.retain(|(_, _, at)| *at >= now - now % 60 - 720 * 3600);

    let place = Place::new();
    let summary = import(&place, &path, now);
    assert_eq!(summary["counted"], model.connections.len(), "{name}: {summary}");
    assert_eq!(summary["outsideRetention"], all - model.connections.len(), "{name}: {summary}");
    assert_eq!(summary["malformed"], 0, "{name}: {summary}");
    if all > 0 {
        assert_eq!(summary["newestEvent"], rfc3339(now), "{name}");
    }
    let others: u64 = summary["notAConnection"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(others, rows.iter().filter(|row| row.is_none()).count() as u64, "{name}: {summary}");
    same_answers(&place, &model, now);

    // Once more: the same log again changes no answer.
    import(&place, &path, now);
    same_answers(&place, &model, now);
}

fn import(place: &Place, path: &Path, now: i64) -> Value {
    place.import(&["--as-of", &rfc3339(now), path.to_str().unwrap()])
}

fn same_answers(place: &Place, model: &Model, now: i64) {
    let mut ips = model.ips();
    ips.insert("192.0.2.99".parse().unwrap());
    let input = ips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join("\n");
    for hours in [1, 2, 24, 720] {
        let arguments =
            ["stats", "-", "--json", "--look-back-hours", &hours.to_string(), "--as-of", &rfc3339(now)];
        let done = place.run_with_input(&arguments, input.as_bytes());
        assert_eq!(done.code, Some(0), "{done:?}");
        let answers: Vec<_> = done.out.lines().map(Answer::read).collect();
        let expected: Vec<_> = ips.iter().map(|ip| model.answer(*ip, now, hours)).collect();
        assert_eq!(answers, expected, "look-back {hours} hours");
    }
}

/// One entry a row; a connection where a device of the organization opened one.
fn zeek_tsv_rows(log: &str) -> Vec<Option<Connection>> {
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    for line in log.lines() {
        if let Some(names) = line.strip_prefix("#fields\t") {
            columns = names.split('\t').collect();
        } else if !line.trim_start().starts_with('#') {
            let cells: BTreeMap<&str, &str> = columns.iter().copied().zip(line.split('\t')).collect();
            rows.push(zeek_row(|name| cells.get(name).map(|cell| (*cell).to_owned())));
        }
    }
    rows
}

fn zeek_json_rows(log: &str) -> Vec<Option<Connection>> {
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        zeek_row(|name| match &row[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(if *flag { "T" } else { "F" }.to_owned()),
            other => Some(other.to_string()),
        })
    };
    log.lines().map(row).collect()
}

fn zeek_row(field: impl Fn(&str) -> Option<String>) -> Option<Connection> {
    let needed = |name: &str| field(name).unwrap();
    let (from, to): (IpAddr, IpAddr) =
        (needed("id.orig_h").parse().unwrap(), needed("id.resp_h").parse().unwrap());
    let opened = if needed("proto") == "icmp" {
        // An echo request with an answer.
        let request = if from.is_ipv4() { "8" } else { "128" };
        needed("id.orig_p") == request && needed("orig_pkts") != "0" && needed("resp_pkts") != "0"
    } else {
        ["SF", "S1", "S2", "S3", "RSTO", "RSTR"].contains(&needed("conn_state").as_str())
    };
    if !opened {
        return None;
    }
    let from_inside = match field("local_orig").as_deref() {
        Some("T") => true,
        Some("F") => false,
        _ => is_internal(from),
    };
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are meant")]
    let at = needed("ts").parse::<f64>().unwrap().floor() as i64;
    from_inside.then(|| (from.to_string(), to, at))
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

fn hunting_rows(log: &str) -> Vec<Option<Connection>> {
    let mut rows = csv(log).into_iter();
    let header = rows.next().unwrap();
    rows.map(|row| {
        let field = |name: &str| row[header.iter().position(|column| column == name).unwrap()].clone();
        let opened = ["ConnectionSuccess", "ConnectionRequest", "ConnectionFound"];
        let (ip, at) = (field("RemoteIP").parse::<IpAddr>().ok()?, field("Timestamp"));
        let at: ipstats_model::Timestamp = at.parse().unwrap();
        opened.contains(&field("ActionType").as_str()).then(|| (field("DeviceId"), ip, at.second()))
    })
    .collect()
}

/// RFC 4180, one character after the other.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quoted) {
            ('"', true) if characters.peek() == Some(&'"') => cell.extend(characters.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (other, _) => cell.push(other),
        }
    }
    if !row.is_empty() || !cell.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}
