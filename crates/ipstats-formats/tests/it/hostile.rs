//! What hostile or broken senders put into records of every JSON format: each record ends in one place, and reading goes on.

use crate::support::{read, read_auto};
use ipstats_formats::{Format, Settings};

/// For each JSON format, a record that counts, in which `VALUE` stands for another field.
const RECORDS: [(Format, &str); 9] = [
    (
        Format::ZeekJson,
        r#"{"x":VALUE,"ts":7.5,"id.orig_h":"10.0.0.1","id.resp_h":"8.8.8.8","conn_state":"SF"}"#,
    ),
    (
        Format::MdeStreaming,
        r#"{"x":VALUE,"category":"AdvancedHunting-DeviceNetworkEvents","properties":{"DeviceId":"pc","Timestamp":7,"RemoteIP":"8.8.8.8","ActionType":"ConnectionSuccess"}}"#,
    ),
    (
        Format::MdeHuntingJson,
        r#"{"x":VALUE,"Timestamp":8,"DeviceId":"pc","RemoteIP":"8.8.8.8","ActionType":"ConnectionSuccess"}"#,
    ),
    (
        Format::Suricata,
        r#"{"x":VALUE,"timestamp":"","event_type":"flow","src_ip":"10.0.0.1","dest_ip":"8.8.8.8","flow":{"start":"2026-11-01T10:00:00+0200","state":"closed"}}"#,
    ),
    (
        Format::SysmonJson,
        r#"{"x":VALUE,"EventID":3,"SourceName":"Microsoft-Windows-Sysmon","Hostname":"pc","Initiated":"true","DestinationIp":"8.8.8.8","UtcTime":"2026-11-01 10:00:00.1"}"#,
    ),
    (
        Format::Ecs,
        r#"{"x":VALUE,"@timestamp":"2026-11-01T10:00:00Z","host":{"id":"h"},"source":{"ip":"10.0.0.1"},"destination":{"ip":"8.8.8.8"},"network":{"direction":"egress"},"event":{"category":["network"]}}"#,
    ),
    (
        Format::Ocsf,
        r#"{"x":VALUE,"class_uid":4001,"activity_id":1,"time":1793527206000,"device":{"uid":"d"},"dst_endpoint":{"ip":"8.8.8.8"}}"#,
    ),
    (
        Format::Osquery,
        r#"{"x":VALUE,"hostIdentifier":"h","unixTime":7,"columns":{"action":"connect","success":"1","remote_address":"8.8.8.8"}}"#,
    ),
    (Format::IpstatsNdjson, r#"{"x":VALUE,"device":"d","ip":"8.8.8.8","time":7}"#),
];

/// Values of a field nobody reads, and whether a record with them is good JSON.
fn values() -> Vec<(Vec<u8>, bool)> {
    vec![
        (b"null".to_vec(), true),
        (b"1e308".to_vec(), true),
        ("9".repeat(300).into_bytes(), true),
        (format!("-{}.5", "9".repeat(200)).into_bytes(), true),
        (b"\"\\u0000\\ud83d\\ude00\"".to_vec(), true),
        (b"{\"x\":{\"x\":[[[]]]}}".to_vec(), true),
        (b"NaN".to_vec(), false),
        (b"-Infinity".to_vec(), false),
        (b"\"\\x\"".to_vec(), false),
        (b"\"\xff\xfe\"".to_vec(), false),
        (b"\"\xed\xa0\x80\"".to_vec(), false),
        (b"\"\x01\"".to_vec(), false),
        (b"[1,]".to_vec(), false),
        (b"01".to_vec(), false),
        // What nobody reads is skipped without recursion.
        ([vec![b'['; 10_000], vec![b']'; 10_000]].concat(), true),
        ([b"{\"x\":".repeat(10_000), b"1".to_vec(), b"}".repeat(10_000)].concat(), true),
        (vec![b'['; 10_000], false),
    ]
}

fn record(template: &str, value: &[u8]) -> Vec<u8> {
    let (before, after) = template.split_once("VALUE").unwrap();
    [before.as_bytes(), value, after.as_bytes()].concat()
}

#[test]
fn strange_values_cost_at_most_their_own_record() {
    for (format, template) in RECORDS {
        let good = record(template, b"0");
        for (value, is_json) in values() {
            let stream = [good.as_slice(), b"\n", &record(template, &value), b"\n", &good].concat();
            let shown = String::from_utf8_lossy(&value).chars().take(40).collect::<String>();
            let got = read_auto(&stream);
            assert_eq!((got.format, &got.error), (Some(format), &None), "{format} {shown}");
            let (connections, malformed) = if is_json { (3, 0) } else { (2, 1_u64) };
            assert_eq!(
                (got.tally.connections(), got.tally.malformed()),
                (connections, malformed),
                "{format} {shown}: {}",
                got.shown()
            );
            assert_eq!(
                got.tally.issues().iter().map(|issue| issue.line).collect::<Vec<_>>(),
                if malformed == 0 { Vec::new() } else { vec![2] }
            );
        }
    }
}

/// A lone surrogate is no character: in a field that is read it makes the record malformed.
#[test]
fn lone_surrogates_are_malformed_where_they_are_read() {
    for (format, template) in RECORDS {
        let broken = String::from_utf8(record(template, b"0")).unwrap().replace("8.8.8.8", "\\ud800");
        let got = read(format, &Settings::default(), broken.as_bytes());
        assert_eq!((got.tally.connections(), got.tally.malformed()), (0, 1), "{format}: {}", got.shown());
    }
}

/// Every field that is read, replaced by every kind of value: the record counts, does not, or is malformed.
#[test]
fn any_field_may_hold_anything() {
    let others =
        ["null", "true", "-1", "1e400", "1.5", "\"\"", "\"x\"", "[]", "[1,\"x\",{}]", "{}", "{\"#text\":{}}"];
    for (format, template) in RECORDS {
        let good: serde_json::Value = serde_json::from_slice(&record(template, b"0")).unwrap();
        for path in paths(&good) {
            for other in others {
                let mut changed = good.clone();
                *changed.pointer_mut(&path).unwrap() = "REPLACED".into();
                let text = changed.to_string().replace("\"REPLACED\"", other);
                let got = read(format, &Settings::default(), text.as_bytes());
                assert_eq!((got.tally.records(), got.error), (1, None), "{text:.300}");
            }
        }
    }
}

/// JSON pointers to all values inside `value`.
fn paths(value: &serde_json::Value) -> Vec<String> {
    let Some(object) = value.as_object() else { return Vec::new() };
    let inside = object.iter().flat_map(|(key, value)| {
        let key = key.replace('~', "~0").replace('/', "~1");
        let below = paths(value).into_iter().map({
            let key = key.clone();
            move |path| format!("/{key}{path}")
        });
        std::iter::once(format!("/{key}")).chain(below).collect::<Vec<_>>()
    });
    inside.collect()
}
