//! CSV and JSON of no known format, whose fields the operator names.

use ipstats_formats::{FieldMap, FormatChoice, Framer, RecordReader, Settings, Tally};
use ipstats_model::Batch;
use std::sync::Arc;

fn settings(map: &str) -> Settings {
    Settings { map: Some(Arc::new(map.parse::<FieldMap>().unwrap())), ..Settings::default() }
}

fn shown(batch: &Batch) -> Vec<String> {
    let names: Vec<_> = batch.devices().collect();
    let rows = batch.rows().iter();
    rows.map(|row| format!("{} {} {}", names[row.device as usize], row.ip, row.at)).collect()
}

fn reasons(tally: &Tally) -> Vec<(&'static str, u64)> {
    tally.not_a_connection().map(|(reason, count)| (reason.name(), count)).collect()
}

fn issues(tally: &Tally) -> Vec<String> {
    tally.issues().iter().map(ToString::to_string).collect()
}

/// Reads a stream, cut after each `cut` bytes.
fn read_stream(settings: &Settings, log: &str, cut: usize) -> Result<(Vec<String>, Tally), String> {
    let mut stream = Framer::of_source(FormatChoice::Auto, settings);
    let mut frames = Vec::new();
    let fed = log.as_bytes().chunks(cut).try_for_each(|piece| stream.feed(piece, &mut frames));
    fed.and_then(|()| stream.finish(&mut frames)).map_err(|error| error.to_string())?;
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    frames.iter().for_each(|frame| frame.parse(settings, &mut batch, &mut tally));
    Ok((shown(&batch), tally))
}

fn read(settings: &Settings, log: &str) -> (Vec<String>, Tally) {
    let whole = read_stream(settings, log, log.len()).unwrap();
    assert_eq!(read_stream(settings, log, 1).unwrap(), whole, "the cut changes nothing");
    whole
}

const COUNTED: [&str; 2] = ["pc-1 198.18.8.1 2026-11-30T10:00:00Z", "pc-2 2001:db8::1 2026-11-30T10:00:01Z"];

#[test]
fn csv_columns_are_read_by_map() {
    let settings = settings("device=Host,ip=dest_ip,time=timestamp");
    let log = "timestamp,action,\"host\",dest_ip\r\n\
               2026-11-30T10:00:00Z,allow,pc-1,198.18.8.1\r\n\
               1796032801123,allow,\"pc-2\",2001:db8::1\r\n\
               1796032801,allow,pc-3,\r\n\
               1796032801,allow,,198.18.8.1\r\n\
               2026-11-30 10:00:00,allow,pc-4,198.18.8.1\r\n\
               1796032801,allow,pc-5,host.example\r\n";
    let (connections, tally) = read(&settings, log);
    assert_eq!(connections, COUNTED);
    assert_eq!(reasons(&tally), [("noRemoteIp", 1)]);
    assert_eq!(
        issues(&tally),
        [
            "line 5: no Host, which is mapped to device",
            "line 6: timestamp is \"2026-11-30 10:00:00\", not a time with its zone (2026-11-30T10:00:00Z), or counted \
             from the epoch; it is mapped to time",
            "line 7: dest_ip is \"host.example\", not an IP address; it is mapped to ip",
        ]
    );
    let error = read_stream(&settings, "time,host\n1,2\n", 4).unwrap_err();
    assert_eq!(
        error,
        "line 1: the header of mapped has no column dest_ip, timestamp; export the log with it"
    );
}

#[test]
fn json_fields_are_read_by_map() {
    let settings = settings("device=source.name,ip=destination.ip,time=@timestamp");
    let first = r#"{"@timestamp":1796032800,"source":{"name":"pc-1"},"destination":{"ip":"198.18.8.1"}}"#;
    let second =
        r#"{"destination.ip":"2001:db8::1","@timestamp":"2026-11-30T10:00:01Z","source":{"name":"pc-2"}}"#;
    let in_envelope = |record: &str| serde_json::json!({"@timestamp": 1, "message": record}).to_string();
    for log in [
        format!("{first}\n{second}\n"),
        format!("[{first},\n{second}]"),
        format!("{{\"records\":[{first},{second}]}}"),
        format!("{}\n{}\n", in_envelope(first), in_envelope(second)),
        format!("{first}\n{}\n", in_envelope(second)),
        format!("{}\n{second}\n", in_envelope(first)),
    ] {
        assert_eq!(read(&settings, &log).0, COUNTED, "{log}");
    }
    let (connections, tally) =
        read(&settings, "{\"@timestamp\":1,\"metric\":\"cpu\"}\n{\"source\":{\"name\":\"a\"}}\n");
    assert_eq!((connections.len(), reasons(&tally)), (0, vec![("otherEvent", 1), ("noRemoteIp", 1)]));
}

#[test]
fn known_formats_are_read_by_map_alone() {
    let settings = settings("device=host,ip=dst,time=t");
    let own = r#"{"device":"d","ip":"198.18.8.1","time":1796032800}"#;
    let both = r#"{"device":"d","ip":"198.18.8.2","time":7,"host":"pc-1","dst":"198.18.8.1","t":1796032800}"#;
    let (connections, tally) = read(&settings, &format!("{own}\n{both}\n"));
    assert_eq!((connections, reasons(&tally)), (vec![COUNTED[0].to_owned()], vec![("otherEvent", 1)]));
}

#[test]
fn mapped_ends_follow_flow_rules() {
    let settings = settings("originator=src,responder=dst,time=t");
    let row = |source: &str, destination: &str| format!("1796032800,{source},{destination}\n");
    let log = [
        "t,src,dst\n".to_owned(),
        row("10.0.0.7", "198.18.8.1"),
        row("198.18.8.1", "10.0.0.7"),
        row("203.0.113.1", "198.51.100.1"),
    ];
    let (connections, tally) = read(&settings, &log.concat());
    assert_eq!(connections, ["10.0.0.7 198.18.8.1 2026-11-30T10:00:00Z"]);
    assert_eq!(reasons(&tally), [("inbound", 1), ("notInternal", 1)]);
    // A device that is mapped is a name, whatever it looks like.
    let named = Settings { map: Some(Arc::new("device=src,ip=dst,time=t".parse().unwrap())), ..settings };
    assert_eq!(read(&named, &log.concat()).0.len(), 3);
}

#[test]
fn single_records_are_read_by_map() {
    let settings = settings("device=host,ip=dst,time=t");
    let mut reader = RecordReader::new(FormatChoice::Auto, &settings);
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    for record in [
        r#"{"host":"pc-1","dst":"198.18.8.1","t":1796032800}"#,
        r#"{"log":"{\"host\":\"pc-2\",\"dst\":\"2001:db8::1\",\"t\":1796032801}"}"#,
        r#"{"host":"pc-1","dst":"198.18.8.1"}"#,
        r#"{"metric":1}"#,
    ] {
        let _ = reader.read(record.as_bytes(), &settings, &mut batch, &mut tally);
    }
    assert_eq!(shown(&batch), COUNTED);
    assert_eq!(reasons(&tally), [("otherEvent", 1)]);
    assert_eq!(issues(&tally), ["line 3: no t, which is mapped to time"]);
}

#[test]
fn binary_files_are_refused_by_name() {
    let mut tar = b"conn.log".to_vec();
    tar.resize(257, 0);
    tar.extend_from_slice(b"ustar\x0000");
    tar.resize(512, 0);
    tar.extend_from_slice(b"{\"device\":\"d\",\"ip\":\"198.18.8.1\",\"time\":1}\n");
    let captures = [
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a".to_vec(), "a packet capture"),
        (b"\xd4\xc3\xb2\xa1\x02\0\x04\0".to_vec(), "a packet capture"),
        (tar, "a tar archive"),
    ];
    for (file, name) in captures {
        for cut in [1, 3, 512] {
            let mut stream = Framer::of_source(FormatChoice::Auto, &Settings::default());
            let fed = file.chunks(cut).try_for_each(|piece| stream.feed(piece, &mut Vec::new()));
            let error = fed.and_then(|()| stream.finish(&mut Vec::new())).unwrap_err().to_string();
            assert!(error.starts_with(&format!("binary data ({name}); ")), "{cut}: {error}");
        }
    }
}
