//! Records one by one.

use super::*;
use crate::format::Format;

const ZEEK: &str = r#"{"ts":1504011600.5,"id.orig_h":"10.0.0.1","id.resp_h":"8.8.8.8","conn_state":"SF"}"#;
const OWN: &str = r#"{"device":"d","ip":"1.2.3.4","time":1504011600}"#;

/// Reads `records`; the devices of the connections, and all outcomes.
fn read(choice: FormatChoice, records: &[&str]) -> (Vec<String>, Tally, Vec<Option<Malformed>>) {
    let settings = Settings::default();
    let mut reader = RecordReader::new(choice, &settings);
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    let outcomes = records
        .iter()
        .map(|record| reader.read(record.as_bytes(), &settings, &mut batch, &mut tally).err())
        .collect();
    reader.finish(&settings, &mut batch, &mut tally);
    assert_eq!(tally.connections(), batch.len() as u64);
    (batch.devices().map(str::to_owned).collect(), tally, outcomes)
}

fn in_field(field: &str, line: &str) -> String {
    serde_json::json!({ "@timestamp": "2026-01-01T00:00:00Z", field: line }).to_string()
}

#[test]
fn recognizes_each_record() {
    let other = r#"{"metric":"cpu","value":1}"#;
    let (devices, tally, outcomes) = read(FormatChoice::Auto, &[other, OWN, ZEEK, "{\"a\":", "nothing"]);
    assert_eq!(devices, ["d", "10.0.0.1"]);
    assert_eq!(tally.not_a_connection().collect::<Vec<_>>(), [(NotAConnection::OtherEvent, 1)]);
    assert_eq!((tally.malformed(), tally.records()), (2, 5));
    assert_eq!(tally.issues().iter().map(|issue| issue.line).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(outcomes.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true, true]);
}

#[test]
fn reads_text_in_envelopes() {
    for field in ["message", "log", "event.original", "MESSAGE", "_raw"] {
        assert_eq!(read(FormatChoice::Auto, &[&in_field(field, ZEEK)]).0, ["10.0.0.1"], "{field}");
    }
    let nested = serde_json::json!({ "event": { "original": OWN }, "log": { "offset": 7 } }).to_string();
    assert_eq!(read(FormatChoice::Auto, &[&nested]).0, ["d"]);
    // A record of a format is not an envelope.
    let own = OWN.replacen('{', r#"{"message":"logged in",  "#, 1);
    assert_eq!(read(FormatChoice::Auto, &[&own]).0, ["d"]);
    // Formats that are not admitted are not recognized.
    let exactly = FormatChoice::Exactly(Format::IpstatsNdjson);
    let (devices, tally, _) = read(exactly, &[&in_field("message", ZEEK)]);
    assert_eq!((devices.len(), tally.malformed()), (0, 1));
}

#[test]
fn reads_rows_below_header() {
    let zeek = ["#fields\tts\tid.orig_h\tid.resp_h\tconn_state", "1504011600\t10.0.0.9\t8.8.8.8\tSF"];
    assert_eq!(read(FormatChoice::Auto, &zeek).0, ["10.0.0.9"]);
    let wrapped = zeek.map(|line| in_field("message", line));
    assert_eq!(read(FormatChoice::Auto, &[&wrapped[0], OWN, &wrapped[1]]).0, ["d", "10.0.0.9"]);
    assert_eq!(read(FormatChoice::Auto, &["device,ip,time", "a,1.2.3.4,1504011600"]).0, ["a"]);

    let (_, tally, outcomes) = read(FormatChoice::Zeek, &[zeek[1], zeek[0], zeek[1]]);
    assert_eq!((tally.malformed(), tally.connections()), (1, 1), "{outcomes:?}");
}

#[test]
fn counts_each_element_of_list() {
    let list = format!("[{OWN},{ZEEK},{{\"device\":1}}]");
    let (devices, tally, _) = read(FormatChoice::Exactly(Format::IpstatsNdjson), &[&list]);
    assert_eq!((devices.len(), tally.records(), tally.malformed()), (1, 3, 2));
}

#[test]
fn unreadable_record_is_malformed_once() {
    let (deep, long) = (format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)), "x".repeat(2 << 20));
    let (_, tally, outcomes) = read(FormatChoice::Auto, &["x", &long, "\u{0}\u{1}", "", &deep]);
    assert_eq!((tally.connections(), tally.records(), tally.malformed()), (0, 4, 3));
    assert!(matches!(outcomes[1], Some(Malformed::TooLong { .. })), "{outcomes:?}");
    assert!(outcomes[2].is_some() && outcomes[3].is_none(), "{outcomes:?}");
    let mut tally = Tally::default();
    let settings = Settings::default();
    let read = RecordReader::new(FormatChoice::Auto, &settings).read(
        b"{\"device\":\"\xff\"}",
        &settings,
        &mut Batch::new(),
        &mut tally,
    );
    assert_eq!((read, tally.malformed()), (Err(Malformed::NotUtf8), 1));
}

/// Zeek's record, in the envelopes of CASES E10 and E11, and in those of shippers.
#[test]
fn opens_envelopes_of_any_kind() {
    let text = serde_json::to_string(ZEEK).unwrap();
    for envelope in [
        format!(r#"{{"date":1.5,"log":{text}}}"#),
        format!(r#"{{"event":{{"message":{ZEEK},"severity":"info"}}}}"#),
        format!(r#"{{"event":{{"message":{{"msg":{ZEEK}}},"severity":"info"}}}}"#),
        format!(r#"{{"time":1.5,"host":"h","event":{ZEEK}}}"#),
        format!(r#"{{"conn":{ZEEK}}}"#),
        format!(r#"{{"_index":"i","_id":"1","_source":{ZEEK}}}"#),
        format!(r#"{{"took":1,"hits":{{"total":1,"hits":[{{"_source":{ZEEK}}}]}}}}"#),
        format!(r#"{{"logGroup":"g","logEvents":[{{"id":"1","timestamp":1,"message":{text}}}]}}"#),
        format!(r#"{{"records":[{ZEEK}]}}"#),
        format!("[{ZEEK}]"),
        format!("[[{ZEEK}]]"),
    ] {
        let (devices, tally, _) = read(FormatChoice::Auto, &[&envelope]);
        assert_eq!((devices, tally.records()), (vec!["10.0.0.1".to_owned()], 1), "{envelope}");
    }
}

#[test]
fn opens_network_firewall_and_log_analytics() {
    let flow = r#"{"firewall_name":"f","event_timestamp":"1","event":{"timestamp":"2026-01-01T00:00:00.0+0000","event_type":"flow","src_ip":"10.0.0.7","dest_ip":"8.8.8.8","proto":"TCP","flow":{"state":"closed","start":"2026-01-01T00:00:00.0+0000"}}}"#;
    assert_eq!(read(FormatChoice::Auto, &[flow]).0, ["10.0.0.7"]);
    let table = r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated"},{"name":"DeviceId"},{"name":"ActionType"},{"name":"RemoteIP"}],
                   "rows":[["2026-01-01T00:00:00Z","pc","ConnectionSuccess","8.8.8.8"],["2026-01-01T00:00:00Z","pc","ConnectionFailed","8.8.8.8"]]}]}"#;
    let (devices, tally, _) = read(FormatChoice::Auto, &[table]);
    assert_eq!((devices, tally.records()), (vec!["pc".to_owned()], 2));
}

#[test]
fn row_without_columns_names_the_cure() {
    let row = "1504011600.500000\tCx\t10.0.0.9\t8.8.8.8\tSF";
    let wrapped = in_field("message", row);
    for record in [row, &wrapped] {
        let (_, tally, outcomes) = read(FormatChoice::Auto, &[record]);
        assert_eq!((tally.malformed(), &outcomes[0]), (1, &Some(Malformed::NoColumns)), "{record}");
    }
    let columns = ["ts", "uid", "id.orig_h", "id.resp_h", "conn_state"].map(str::to_owned).to_vec();
    let settings = Settings { columns, ..Settings::default() };
    let mut reader = RecordReader::new(FormatChoice::Auto, &settings);
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    for record in [row, &wrapped] {
        assert_eq!(reader.read(record.as_bytes(), &settings, &mut batch, &mut tally), Ok(()));
    }
    assert_eq!((tally.connections(), tally.records()), (2, 2));
}

#[test]
fn text_for_people_is_not_a_row() {
    let zeek = "#fields\tts\tid.orig_h\tid.resp_h\tconn_state";
    let people = in_field("message", "session opened for user root");
    let (_, tally, _) = read(FormatChoice::Auto, &[&in_field("message", zeek), &people]);
    assert_eq!((tally.malformed(), tally.records()), (0, 1));
}

#[test]
fn nested_envelopes_are_bounded() {
    let mut record = ZEEK.to_owned();
    for _ in 0..100 {
        record = format!(r#"{{"event":{record}}}"#);
    }
    let (devices, tally, _) = read(FormatChoice::Auto, &[&record]);
    assert_eq!((devices.len(), tally.records(), tally.malformed()), (0, 1, 0));
}

#[test]
fn unknown_elements_do_not_hide_known_ones() {
    let other = r#"{"foo":1}"#;
    for list in [
        format!(r#"{{"hits":{{"hits":[{{"_source":{other}}},{{"_source":{ZEEK}}},{{"_source":{ZEEK}}}]}}}}"#),
        format!(r#"{{"records":[{other},{ZEEK},{ZEEK}]}}"#),
        format!("[{other},{ZEEK},{ZEEK}]"),
    ] {
        let (_, tally, _) = read(FormatChoice::Auto, &[OWN, &list]);
        assert_eq!((tally.connections(), tally.records()), (3, 4), "{list}");
    }
    let (_, tally, _) = read(FormatChoice::Auto, &[&format!("[{other},{other}]")]);
    assert_eq!(tally.not_a_connection().collect::<Vec<_>>(), [(NotAConnection::OtherEvent, 2)]);
}

#[test]
fn open_quote_does_not_hide_later_rows() {
    let rows = ["device,ip,time", "\"a,1.2.3.4,1504011600", "b,1.2.3.4,1504011600", "c,1.2.3.4,1504011600"];
    let (devices, tally, _) = read(FormatChoice::Auto, &rows);
    assert_eq!((devices, tally.records(), tally.malformed()), (vec!["b".into(), "c".into()], 3, 1));
}

#[test]
fn extra_fields_do_not_change_the_format() {
    let flow = r#"{"timestamp":"2026-01-01T00:00:00.0+0000","event_type":"flow","src_ip":"10.0.0.7","dest_ip":"8.8.8.8","flow":{"state":"new","start":"2026-01-01T00:00:00.0+0000"}}"#;
    let own = OWN.replacen('{', r#"{"event_type":"x","#, 1);
    assert_eq!(read(FormatChoice::Auto, &[&own]).0, ["d"]);
    assert_eq!(read(FormatChoice::Auto, &[flow, &own]).0, ["d"]);
}

#[test]
fn record_in_envelope_decides() {
    let refused = ZEEK.replace("SF", "REJ");
    let document = serde_json::json!({
        "@timestamp": "2026-01-01T00:00:00Z", "source": { "ip": "10.0.0.1" }, "destination": { "ip": "8.8.8.8" },
        "event": { "category": ["network"], "type": ["connection"] }, "message": refused,
    })
    .to_string();
    for records in [vec![document.as_str()], vec![&document, &document], vec![ZEEK, &document]] {
        let (_, tally, _) = read(FormatChoice::Auto, &records);
        let failed = tally.not_a_connection().find(|(reason, _)| *reason == NotAConnection::Failed);
        let documents = records.iter().filter(|record| **record == document).count() as u64;
        assert_eq!(failed, Some((NotAConnection::Failed, documents)));
    }
}
