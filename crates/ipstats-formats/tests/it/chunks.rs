//! How the bytes of a stream are cut into chunks never changes the result, whatever the bytes are.

use crate::support::{frames, read, read_pieces};
use ipstats_formats::{Format, FormatChoice, Limits, Settings, Tally};
use ipstats_model::Batch;
use proptest::prelude::*;
use proptest::sample::select;

/// Pieces that streams of all formats are made of, whole and broken.
const PIECES: [&str; 57] = [
    "#separator \\x09\n",
    "#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n",
    "#fields\tconn_state\tts\tid.resp_h\tid.orig_h\n",
    "#path\tdns\n",
    "#close\n",
    "7.5\t10.0.0.1\t8.8.8.8\tSF\n",
    "SF\t9.5\t8.8.8.8\t10.0.0.2\n",
    "8\t10.0.0.3\t8.8.4.4\tS0\r\n",
    "\t",
    "device,ip,time\n",
    "pc,8.8.8.8,5\n",
    "\"a \"\"b\"\"\n c\",8.8.8.8,6\r\n",
    "Timestamp,DeviceId,RemoteIP,ActionType\n",
    "2026-11-01T10:00:00Z,pc,8.8.8.8,ConnectionFound\n",
    "{\"device\":\"pc\",\"ip\":\"8.8.8.8\",\"time\":5}",
    "{\"device\":\"p,\\\"]}\",\"ip\":\"8.8.8.8\",\"time\":\"6\"}\n",
    "{\"ts\":7.5,\"id.orig_h\":\"10.0.0.1\",\"id.resp_h\":\"8.8.8.8\",\"conn_state\":\"SF\"}\n",
    "{\"category\":\"AdvancedHunting-DeviceNetworkEvents\",\"properties\":{\"DeviceId\":\"pc\",\"Timestamp\":7,\
     \"RemoteIP\":\"8.8.8.8\",\"ActionType\":\"ConnectionSuccess\"}}",
    "{\"Timestamp\":8,\"DeviceId\":\"pc\",\"RemoteIP\":\"8.8.8.8\",\"ActionType\":\"ConnectionSuccess\"}",
    "{\"records\": [",
    "{\"event_type\":\"flow\",\"timestamp\":\"\",\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"8.8.8.8\",\
     \"flow\":{\"start\":\"2026-11-01T10:00:00+0200\",\"state\":\"closed\"}}\n",
    "{\"event_type\":\"netflow\",\"timestamp\":\"\",\"flow_id\":1,\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"10.0.0.2\",\
     \"netflow\":{\"start\":\"2026-11-01T10:00:00+0200\"}}\n",
    "{\"event_type\":\"netflow\",\"timestamp\":\"\",\"flow_id\":1,\"src_ip\":\"10.0.0.2\",\"dest_ip\":\"10.0.0.1\",\
     \"netflow\":{\"start\":\"2026-11-01T10:00:00+0200\"}}\n",
    "{\"event_type\":\"netflow\",\"timestamp\":\"\",\"flow_id\":1,\"src_ip\":\"10.0.0.2\",\"dest_ip\":\"10.0.0.1\"}\n",
    "{\"EventID\":3,\"SourceName\":\"Microsoft-Windows-Sysmon\",\"Hostname\":\"PC\",\"Initiated\":\"true\",\
     \"DestinationIp\":\"8.8.8.8\",\"UtcTime\":\"2026-11-01 10:00:00.1\"}\n",
    "{\"@timestamp\":\"2026-11-01T10:00:00Z\",\"winlog\":{\"event_id\":\"3\",\"provider_name\":\"Microsoft-Windows-Sysmon\",\
     \"computer_name\":\"pc\",\"event_data\":{\"Initiated\":\"true\",\"DestinationIp\":\"8.8.8.8\"}}}\n",
    "{\"@timestamp\":\"2026-11-01T10:00:00Z\",\"host\":{\"id\":\"h\"},\"source\":{\"ip\":\"10.0.0.1\"},\
     \"destination\":{\"ip\":\"8.8.8.8\"},\"network\":{\"direction\":\"egress\"},\"event\":{\"category\":[\"network\"]}}",
    "{\"class_uid\":4001,\"activity_id\":1,\"time\":1793527206000,\"device\":{\"uid\":\"d\"},\
     \"dst_endpoint\":{\"ip\":\"8.8.8.8\"}}\n",
    "{\"hostIdentifier\":\"h\",\"unixTime\":7,\"columns\":{\"action\":\"connect\",\"success\":\"1\",\
     \"remote_address\":\"8.8.8.8\"}}\n",
    "{\"hostIdentifier\":\"h\",\"unixTime\":7,\"snapshot\":[{\"action\":\"connect\",\"success\":\"1\",\
     \"remote_address\":\"8.8.8.8\"},{\"action\":\"bind\"},{\"action\":\"connect\",\"remote_address\":7}]}\n",
    "{\"snapshot\":[",
    "2 1 eni-1 10.0.0.1 8.8.8.8 1 2 6 1 1 1793527200 7 ACCEPT OK\n",
    "start dstaddr action srcaddr\n",
    "1793527200 8.8.8.8 ACCEPT 10.0.0.1\n",
    "ElfFile\0",
    "{\"Schema\":[{}],\"Results\":\n[",
    "{\"x\":[1,{\"y\":\"z\"}]}",
    "]}",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "\n",
    "\r\n",
    " ",
    "#",
    "\u{feff}",
    "é",
    "0123456789012345678901234567890123456789",
    "\"012345678901234567890123456789\n0123456789\"",
    "null",
    "true false",
    "\\ud800",
];

fn stream() -> impl Strategy<Value = Bytes> {
    let piece = prop_oneof![
        20 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| Bytes(pieces.concat()))
}

/// Bytes that are shown as text when a test fails.
#[derive(Clone, PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn choice() -> impl Strategy<Value = FormatChoice> {
    select(FormatChoice::all().collect::<Vec<_>>())
}

fn settings() -> impl Strategy<Value = Settings> {
    let bytes_max = prop_oneof![Just(1 << 20), 20_usize..200];
    bytes_max.prop_map(|line_bytes_max| Settings { limits: Limits { line_bytes_max }, ..Settings::default() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn chunk_borders_do_not_show(stream in stream(), choice in choice(), settings in settings(), size in 1_usize..40) {
        let whole = read(choice, &settings, &stream.0);
        prop_assert_eq!(&read_pieces(choice, &settings, stream.0.chunks(1)), &whole, "byte by byte");
        prop_assert_eq!(&read_pieces(choice, &settings, stream.0.chunks(size)), &whole, "{} bytes at a time", size);
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300), choice in choice()) {
        let whole = read(choice, &Settings::default(), &bytes);
        prop_assert_eq!(read_pieces(choice, &Settings::default(), bytes.chunks(1)), whole);
    }

    #[test]
    fn frames_may_be_parsed_in_any_order(stream in stream(), choice in choice(), settings in settings()) {
        let (frames, _, _) = frames(choice, settings.limits, stream.0.chunks(7));
        let parse = |order: &mut dyn Iterator<Item = &ipstats_formats::Frame>| {
            let (mut batch, mut tally) = (Batch::new(), Tally::default());
            order.for_each(|frame| frame.parse(&settings, &mut batch, &mut tally));
            let mut rows: Vec<_> = batch.rows().iter().map(|row| (row.ip, row.at)).collect();
            rows.sort_unstable();
            (rows, tally)
        };
        prop_assert_eq!(parse(&mut frames.iter()), parse(&mut frames.iter().rev()));
    }
}

/// A stream of several frames, whose records must all be found with their lines.
#[test]
fn long_streams_are_cut_into_frames_of_whole_records() {
    type Record = fn(u32) -> String;
    let header = "#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n";
    let streams: [(Format, &str, Record); 4] = [
        (Format::ZeekTsv, header, |n| {
            format!("{n}.5\t10.0.0.1\t8.8.8.8\t{}\n", if n % 1000 == 999 { "?" } else { "SF" })
        }),
        (Format::IpstatsCsv, "device,ip,time\n", |n| {
            format!("\"p\nc\",{},{n}\n", if n % 1000 == 999 { "?" } else { "8.8.8.8" })
        }),
        (Format::IpstatsNdjson, "\n", |n| {
            format!(
                "{{\"device\":\"pc\",\"ip\":{},\"time\":{n}}}\n",
                if n % 1000 == 999 { "7" } else { "\"8.8.8.8\"" }
            )
        }),
        (Format::IpstatsNdjson, "[\n", |n| {
            format!(
                "{{\"device\":\"pc\",\"ip\":{},\"time\":{n}}},\n",
                if n % 1000 == 999 { "7" } else { "\"8.8.8.8\"" }
            )
        }),
    ];
    for (format, start, record) in streams {
        let mut stream = start.to_owned();
        (0..100_000).for_each(|number| stream.push_str(&record(number)));
        for size in [1 << 14, 1 << 22] {
            let (frames, _, error) = frames(format.into(), Limits::default(), stream.as_bytes().chunks(size));
            assert_eq!(error, None);
            assert!(frames.len() > 1, "{format}: one frame of {} bytes", stream.len());
            assert!(frames.iter().all(|frame| frame.byte_len() < 2 << 20));
            let got = read_pieces(format.into(), &Settings::default(), stream.as_bytes().chunks(size));
            assert_eq!((got.tally.connections(), got.tally.malformed()), (99_900, 100), "{format}");
            let lines_each = if format == Format::IpstatsCsv { 2 } else { 1 };
            let lines: Vec<u64> = got.tally.issues().iter().map(|issue| issue.line).collect();
            let expected: Vec<u64> = (0..10).map(|issue| 2 + lines_each * (issue * 1000 + 999)).collect();
            assert_eq!(lines, expected, "{format}");
        }
    }
}
