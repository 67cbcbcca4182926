//! What a stream as a whole is: recognized, refused, empty, over its limits.

use crate::support::{frames, read, read_auto, read_pieces};
use ipstats_formats::{Format, FormatChoice, Limits, Settings, StreamError};

const ROW: &str = r#"{"device":"pc","ip":"203.0.113.7","time":60}"#;

fn error(choice: FormatChoice, text: impl AsRef<[u8]>) -> String {
    let read = read(choice, &Settings::default(), text.as_ref());
    assert_eq!(read.connections, [""; 0]);
    read.error.map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

#[test]
fn nothing_is_no_error() {
    for text in ["", "\n", "\r\n\r\n", "   ", "\u{feff}", "\u{feff}\n  \n"] {
        for choice in FormatChoice::all() {
            let read = read(choice, &Settings::default(), text.as_bytes());
            assert_eq!((read.error, read.tally.records()), (None, 0), "{choice} {text:?}");
        }
    }
    let blank = " \n".repeat(1 << 17);
    assert_eq!(read_auto(&blank).error, None);
    let late = read_auto(format!("{blank}{ROW}"));
    assert_eq!((late.format, late.connections.len()), (Some(Format::IpstatsNdjson), 1));
}

#[test]
fn what_is_not_recognized_is_shown_with_a_way_out() {
    let names = "name the format (zeek, mde, sysmon, json, zeek-tsv, zeek-json, mde-streaming, mde-hunting-csv, \
                 mde-hunting-json, suricata, sysmon-json, sysmon-evtx, ecs, ocsf, osquery, vpc-flow, ndjson, csv)";
    for (choice, text, what) in [
        (FormatChoice::Auto, "hello, world\n", "format not recognized: it starts with \"hello, world\""),
        (FormatChoice::Auto, "# a comment\n", "format not recognized: it starts with \"# a comment\""),
        (
            FormatChoice::Zeek,
            ROW,
            "looks like ndjson, not zeek: it starts with \"{\\\"device\\\":\\\"pc\\\",\\\"ip\\\":\\\"203.0.113.7\\\",\\\"time\\\":60}\"",
        ),
        (FormatChoice::Mde, "x", "not recognized as mde: it starts with \"x\""),
    ] {
        let way_out = if what.starts_with("looks like") { "name ndjson or auto" } else { names };
        assert_eq!(error(choice, text), format!("{what}; {way_out}"));
    }
    let long = error(FormatChoice::Auto, "x".repeat(1 << 20));
    assert!(long.len() < 400, "{long}");
}

#[test]
fn binary_data_is_refused_by_what_it_is() {
    for (bytes, looks_like, way_out) in [
        (&b"\x1F\x8B\x08\x00"[..], "gzip", "decompress it first"),
        (b"\x28\xB5\x2F\xFD\x04", "zstd", "decompress it first"),
        (
            b"PK\x03\x04",
            "a zip archive",
            "unpack it; `unzip -p FILE` writes what is in it to standard output",
        ),
        (b"\xFF\xFE{\x00\"\x00", "UTF-16", "save it as UTF-8"),
        (b"MZ\0\0\0", "null bytes", "export the log as text"),
    ] {
        for choice in [FormatChoice::Auto, Format::ZeekTsv.into(), Format::IpstatsNdjson.into()] {
            let read = read(choice, &Settings::default(), bytes);
            assert_eq!(read.error, Some(StreamError::Binary { looks_like, way_out }), "{choice}");
        }
    }
}

#[test]
fn a_header_must_have_the_columns() {
    let zeek = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\n1\t10.0.0.1\t2\n";
    let missing = "the header of zeek-tsv has no column id.resp_h, conn_state; export the log with it";
    assert_eq!(error(FormatChoice::Auto, zeek), format!("line 3: {missing}"));
    let zeek = format!("\n\n{zeek}");
    assert_eq!(error(Format::ZeekTsv.into(), zeek), format!("line 5: {missing}"));
    assert_eq!(
        error(FormatChoice::Auto, "device,when,ip\npc,now,203.0.113.7\n"),
        "line 1: the header of csv has no column time; export the log with it"
    );
    assert_eq!(
        error(FormatChoice::Mde, "Timestamp,DeviceId,ActionType\n"),
        "line 1: the header of mde-hunting-csv has no column RemoteIP; export the log with it"
    );
    assert_eq!(
        error(Format::ZeekTsv.into(), "1\t10.0.0.1\t203.0.113.7\tSF\n"),
        "line 1: a row before any #fields line; keep the header lines of the Zeek log"
    );
    assert_eq!(
        error(Format::ZeekTsv.into(), "#separator ||\n"),
        "line 1: the separator \"||\" is not one byte; write the Zeek log with a separator of one byte"
    );
}

#[test]
fn a_log_of_another_kind_is_read_and_does_not_count() {
    let dns = "#separator \\x09\n#path\tdns\n#fields\tts\tquery\n1\texample.com\n2\texample.com\n";
    let read = read_auto(dns);
    assert_eq!((read.error.clone(), read.reasons()), (None, vec![("otherEvent", 2)]));
}

#[test]
fn records_before_an_error_are_good() {
    let text =
        "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n60\t10.0.0.1\t203.0.113.7\tSF\n#fields\tts\n1\n";
    let read = read_auto(text);
    assert_eq!(read.connections, ["10.0.0.1 203.0.113.7 1970-01-01T00:01:00Z"]);
    assert!(matches!(read.error, Some(StreamError::MissingColumns { line: 3, .. })), "{:?}", read.error);
}

#[test]
fn a_byte_order_mark_and_line_ends_of_any_kind_are_skipped() {
    let header = "#fields\tts\tid.orig_h\tid.resp_h\tconn_state";
    for (format, lines) in [
        (Format::ZeekTsv, vec![header, "60\t10.0.0.1\t203.0.113.7\tSF", "60\t10.0.0.2\t203.0.113.7\tSF"]),
        (Format::IpstatsNdjson, vec![ROW, ROW]),
        (Format::IpstatsCsv, vec!["device,ip,time", "pc,203.0.113.7,60", "pc,203.0.113.7,61"]),
    ] {
        for line_end in ["\n", "\r\n", "\n\n", "\r\n \r\n"] {
            for last in ["", line_end] {
                let text = format!("\u{feff}{}{last}", lines.join(line_end));
                let read = read_auto(&text);
                assert_eq!((read.format, read.error), (Some(format), None), "{text:?}");
                assert_eq!((read.tally.connections(), read.tally.records()), (2, 2), "{text:?}");
            }
        }
    }
}

#[test]
fn json_may_be_set_in_any_way() {
    let pretty = "{\n \"device\": \"pc\",\n \"ip\": \"203.0.113.7\",\n \"time\": 60\n}";
    for text in [
        format!("{ROW}\n{ROW}"),
        format!("{ROW}{ROW}"),
        format!("{ROW} {ROW}\n"),
        format!("{ROW},\n{ROW}"),
        format!("[{ROW},{ROW}]"),
        format!("[\n{ROW},\n{ROW}\n]\n"),
        format!("[\r\n  {pretty},\r\n{pretty}]"),
        format!("[{ROW}]\n[{ROW}]"),
        format!("{pretty}\n{pretty}"),
        format!("  {pretty}{pretty}"),
        format!("[{ROW},{ROW}"),
    ] {
        let read = read_auto(&text);
        assert_eq!((read.format, &read.error), (Some(Format::IpstatsNdjson), &None), "{text}");
        assert_eq!((read.tally.connections(), read.tally.records()), (2, 2), "{text}");
    }
}

#[test]
fn a_broken_record_does_not_hide_the_next_one() {
    let cut = r#"{"device":"pc","ip":"203"#;
    for (text, malformed) in [
        (format!("{ROW}\n{cut}\n{ROW}\n"), 1),
        (format!("[{ROW},\n{cut}\n,{ROW}\n]"), 1),
        (format!("{ROW}\n\"\n{ROW}\n"), 1),
        (format!("{ROW}\n]\n}}\n{ROW}\n"), 2),
        (format!("[\n{ROW},\n]\n}}\n{ROW}\n"), 0),
        (format!("[{ROW},junk,null,7,\"x,]\",{ROW}]"), 4),
        (format!("{ROW}\n{ROW}{ROW}\n{ROW}\n"), 1),
    ] {
        let read = read_auto(&text);
        assert_eq!(
            (read.tally.connections(), read.tally.malformed()),
            (2, malformed),
            "{text}\n{}",
            read.shown()
        );
    }
}

#[test]
fn a_stream_that_is_cut_off_ends_with_a_malformed_record() {
    let whole = read_auto(format!("[{ROW},{ROW}]"));
    assert_eq!(whole.tally.connections(), 2);
    let both = format!("[{ROW},\n{ROW}");
    let cut = read_auto(&both[..both.len() - 1]);
    assert_eq!(
        (cut.tally.connections(), cut.issues()),
        (1, vec!["line 2: cut off in the middle".to_owned()])
    );
    let cut = read_auto("device,ip,time\npc,203.0.113.7,60\n\"pc,203.0.113.7,60\n");
    assert_eq!(
        (cut.tally.connections(), cut.issues()),
        (1, vec!["line 3: cut off in the middle".to_owned()])
    );
}

#[test]
fn a_record_over_the_limit_is_malformed_and_the_next_one_is_read() {
    let long = "x".repeat(3000);
    let long_row = ROW.replace("pc", &long);
    let settings = Settings { limits: Limits { line_bytes_max: 1000 }, ..Settings::default() };
    for (format, text, line) in [
        (Format::IpstatsNdjson, format!("{ROW}\n{long_row}\n{ROW}\n"), 2),
        (Format::IpstatsNdjson, format!("[{ROW},\n\n{long_row},{ROW}]"), 3),
        (
            Format::IpstatsCsv,
            format!("device,ip,time\npc,203.0.113.7,60\n{long},203.0.113.7,60\npc,203.0.113.7,60\n"),
            3,
        ),
        (
            Format::IpstatsCsv,
            format!("device,ip,time\npc,203.0.113.7,60\n\"\n\n{long}\npc,203.0.113.7,60\n"),
            3,
        ),
        (
            Format::ZeekTsv,
            format!(
                "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n6\t10.0.0.1\t203.0.113.7\tSF\n{long}\n6\t10.0.0.1\t203.0.113.7\tSF\n"
            ),
            3,
        ),
        (
            Format::ZeekTsv,
            format!(
                "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n6\t10.0.0.1\t203.0.113.7\tSF\n#{long}\n6\t10.0.0.1\t203.0.113.7\tSF\n"
            ),
            3,
        ),
    ] {
        for size in [1, 100, text.len()] {
            let read = read_pieces(format.into(), &settings, text.as_bytes().chunks(size));
            assert_eq!(read.error, None, "{format}");
            assert_eq!(read.tally.connections(), 2, "{format}");
            assert_eq!(read.issues(), [format!("line {line}: longer than 1000 bytes")], "{format}");
        }
    }
}

/// A line of 1 GiB must not be kept: what is kept is seen by its frames, and by the test not running out of memory.
#[test]
fn an_endless_record_is_not_kept() {
    let piece = vec![b'x'; 1 << 18];
    for (choice, start) in [
        (Format::IpstatsNdjson.into(), ROW.to_owned() + "\n"),
        (Format::IpstatsCsv.into(), "device,ip,time\npc,203.0.113.7,60\n\"".to_owned()),
        (Format::IpstatsNdjson.into(), format!("[{ROW},\"")),
        (FormatChoice::Auto, format!("[{ROW},\n{{\"")),
        (
            Format::ZeekTsv.into(),
            "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n6\t10.0.0.1\t203.0.113.7\tSF\n".to_owned(),
        ),
    ] {
        let endless = std::iter::once(start.as_bytes()).chain(std::iter::repeat_n(piece.as_slice(), 400));
        let (frames, _, error) = frames(choice, Limits::default(), endless.clone());
        assert_eq!(error, None);
        assert!(frames.iter().all(|frame| frame.byte_len() < 1 << 20));
        let read = read_pieces(choice, &Settings::default(), endless);
        assert_eq!(
            (read.tally.connections(), read.tally.malformed()),
            (1, 1),
            "{start:.20} {}",
            read.shown()
        );
        assert!(read.issues()[0].ends_with("longer than 1048576 bytes"));
    }
}

#[test]
fn deep_nesting_is_malformed_or_ignored_and_never_a_crash() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let read =
            read(Format::IpstatsNdjson, &Settings::default(), format!("{ROW}\n{deep}\n{ROW}\n").as_bytes());
        assert_eq!((read.tally.connections(), read.tally.malformed()), (2, 1));
        let inside = ROW.replace("60", &deep);
        let read = read_auto(format!("[{inside},{ROW}]"));
        assert_eq!((read.tally.connections(), read.tally.malformed()), (1, 1), "{}", read.shown());
    }
}

#[test]
fn text_that_is_not_utf8_is_malformed() {
    let broken = b"{\"device\":\"p\xff\",\"ip\":\"203.0.113.7\",\"time\":60}";
    let read = read_auto([ROW.as_bytes(), b"\n", broken, b"\n", ROW.as_bytes()].concat());
    assert_eq!((read.tally.connections(), read.issues()), (2, vec!["line 2: not UTF-8".to_owned()]));
    let read = read_auto(b"device,ip,time\np\xff,203.0.113.7,60\npc,203.0.113.7,60\n");
    assert_eq!((read.tally.connections(), read.issues()), (1, vec!["line 2: not UTF-8".to_owned()]));
}

#[test]
fn each_zeek_log_of_a_stream_has_a_header_of_its_own() {
    let row = "6\t10.0.0.1\t203.0.113.7\tSF\n";
    let fields = "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n";
    let dns = "#fields\tts\tid.orig_h\tid.resp_h\tquery\n";
    let first = format!("#separator \\x09\n#unset_field\tNULL\n#empty_field\tNONE\n#path\tdns\n{dns}{row}");
    let second = format!("#separator \\x09\n{fields}{row}");
    let unset: String = ["-", "(empty)", ""].iter().map(|ip| row.replace("203.0.113.7", ip)).collect();
    let read = read_auto(format!("{first}{second}{unset}"));
    assert_eq!((read.tally.connections(), read.tally.malformed()), (1, 0), "{}", read.shown());
    assert_eq!(read.reasons(), [("otherEvent", 1), ("noRemoteIp", 3)]);
}

#[test]
fn only_the_key_of_a_list_of_records_makes_a_list() {
    let event = "\"category\":\"AdvancedHunting-DeviceNetworkEvents\",\"properties\":{\"DeviceId\":\"pc\",\"Timestamp\":6,\
                 \"RemoteIP\":\"203.0.113.7\",\"ActionType\":\"ConnectionSuccess\",\"records\":[{}]}";
    for (key, connections, records) in [
        ("records", 0, 1),
        ("x\\\"records", 1, 1),
        ("xrecords", 1, 1),
        ("Records", 1, 1),
        ("records\\\"", 1, 1),
    ] {
        let text = format!("{{\n\"{key}\" : [{{}}],\n{event}}}");
        let read = read(Format::MdeStreaming, &Settings::default(), text.as_bytes());
        assert_eq!((read.tally.connections(), read.tally.records()), (connections, records), "{key}");
    }
}

/// A folder of Zeek's logs can be imported whole.
#[test]
fn other_zeek_json_log_is_other_events() {
    for record in [
        r#"{"ts":1796032800.1,"uids":["C1"],"client_addr":"10.0.0.5","assigned_addr":"10.0.0.5","lease_time":3600.0}"#,
        r#"{"ts":1796032800.1,"id":"F1","certificate.version":3,"certificate.serial":"01"}"#,
        r#"{"ts":1796032800.1,"fuid":"F1","tx_hosts":["203.0.113.1"],"rx_hosts":["10.0.0.5"],"conn_uids":["C1"]}"#,
        r#"{"ts":1796032800.1,"note":"CaptureLoss::Too_Much_Loss","msg":"x","actions":["Notice::ACTION_LOG"]}"#,
        r#"{"ts":1796032800.1,"name":"truncated_header","notice":false,"peer":"zeek"}"#,
        r#"{"ts":1796032800.1,"host":"10.0.0.5"}"#,
        r#"{"ts":1796032800.1,"peer":"zeek","mem":90,"pkts_proc":1}"#,
        r#"{"name":"/opt/zeek/share/zeek/base/init-bare.zeek"}"#,
        r#"{"ts":1796032800.1,"uid":"C1","id.orig_h":"10.0.0.5","id.resp_h":"203.0.113.53","query":"example.org"}"#,
        r#"{"_path":"ssl","ts":1796032800.1,"uid":"C1","id.orig_h":"10.0.0.5","id.resp_h":"203.0.113.1"}"#,
    ] {
        for choice in [FormatChoice::Auto, FormatChoice::Zeek, Format::ZeekJson.into()] {
            let read = read(choice, &Settings::default(), format!("{record}\n{record}\n").as_bytes());
            assert_eq!((read.error.clone(), read.reasons()), (None, vec![("otherEvent", 2)]), "{record}");
        }
    }
}

/// A log that was truncated under a writer that does not append, and one that a crash cut off.
#[test]
fn nul_bytes_end_a_record() {
    let padding = "\0".repeat(5000);
    let cut = &ROW[..20];
    for (text, connections, malformed) in [
        (format!("{padding}{ROW}\n{ROW}\n"), 2, 0),
        (format!("{ROW}{padding}\n{ROW}\n"), 2, 0),
        (format!("{cut}{padding}{ROW}\n{ROW}\n"), 2, 1),
        (format!("{ROW}\n{cut}{padding}{ROW}\n{padding}"), 2, 1),
    ] {
        for size in [1, 7, 4096, text.len()] {
            let read = read_pieces(FormatChoice::Auto, &Settings::default(), text.as_bytes().chunks(size));
            let counts = (read.tally.connections(), read.tally.malformed());
            assert_eq!((counts, read.error), ((connections, malformed), None), "{size} bytes at a time");
        }
    }
}
