//! Records that are too deep, too long, too strange or too many.

use super::{JSON, PROTOBUF, STREAMED_MIB_MAX, Target, WHOLE_MIB_MAX, megabytes};
use crate::cli::model::Answer;
use crate::otlp_request::{self, field};
use crate::site::Protocol;
use std::net::Ipv4Addr;

fn content_type(protocol: Protocol) -> String {
    format!("Content-Type: {}\r\n", protocol.media_type())
}

#[test]
fn json_that_is_nested_deep() {
    let target = Target::new();
    for depth in [10_000, 400_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for protocol in Protocol::ALL {
                let body = match protocol {
                    // As the value it is, not as a text that holds it.
                    Protocol::Otlp => otlp_request::json(&format!("{{\"body\":{deep}}}")).into(),
                    _ => protocol.wrapped(&deep),
                };
                let what = format!("{protocol:?}, {depth} × {open}");
                let (status, answer) = target.under(STREAMED_MIB_MAX, &what, || {
                    target.post(protocol.path(), &content_type(protocol), [body])
                });
                assert!([200, 400].contains(&status), "{what}: {status} {answer}");
                assert!(
                    protocol != Protocol::Plain || answer.contains("\"malformed\":1"),
                    "{what}: {answer}"
                );
            }
        }
    }
    target.assert_well();
}

#[test]
fn a_line_of_a_hundred_megabytes() {
    let target = Target::new();
    let good = "{\"device\":\"laptop\",\"ip\":\"203.0.113.11\",\"time\":1504013000}";
    for (protocol, before, expected, piece, mib_max) in [
        (Protocol::Plain, "{\"device\":\"", 200, "\"counted\":1", STREAMED_MIB_MAX),
        (Protocol::Bulk, "{\"create\":{}}\n{\"device\":\"", 200, "\"status\":400", STREAMED_MIB_MAX),
        (Protocol::Hec, "{\"event\":\"", 413, "", WHOLE_MIB_MAX),
        (
            Protocol::Otlp,
            "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":\"",
            413,
            "",
            WHOLE_MIB_MAX,
        ),
    ] {
        let behind = [b"\"\n", &protocol.wrapped(&format!("{good}\n"))[..]].concat();
        let parts = [before.as_bytes().to_vec()].into_iter().chain(megabytes(99, b'x')).chain([behind]);
        let (status, answer) =
            target.under(mib_max, &format!("{protocol:?}"), || target.post(protocol.path(), JSON, parts));
        assert!(status == expected && answer.contains(piece), "{protocol:?}: {status} {answer}");
    }
    target.assert_well();
}

#[test]
fn texts_and_numbers_that_are_none() {
    let target = Target::new();
    let with_device =
        |device: &[u8]| [b"{\"device\":", device, b",\"ip\":\"203.0.113.10\",\"time\":1504013000}"].concat();
    let strange: [&[u8]; 8] = [
        b"\"\xff\xfe\"",
        b"\"\xed\xa0\x80\"",
        b"\"\\ud800\"",
        b"\"\\udc00\\ud800\"",
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"\"\"",
    ];
    for device in strange {
        for protocol in Protocol::ALL {
            let line = with_device(device);
            let wrapped: Vec<u8> = match protocol {
                Protocol::Plain => line.clone(),
                Protocol::Bulk => [b"{\"create\":{}}\n", &line[..], b"\n"].concat(),
                Protocol::Hec => [b"{\"event\":", &line[..], b"}"].concat(),
                Protocol::Otlp => [
                    b"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":",
                    device,
                    b"}}]}]}]}",
                ]
                .concat(),
                Protocol::OtlpBinary => otlp_request::binary_texts([&line]),
            };
            let what = format!("{protocol:?}, {}", String::from_utf8_lossy(device));
            let (status, answer) = target.under(STREAMED_MIB_MAX, &what, || {
                target.post(protocol.path(), &content_type(protocol), [wrapped])
            });
            assert!([200, 400].contains(&status), "{what}: {status} {answer}");
        }
        let ip = Ipv4Addr::new(203, 0, 113, 10).into();
        assert_eq!(target.site.answers(&target.service, &[ip]), [Answer::NotFound]);
    }
    target.assert_well();
}

#[test]
fn a_great_many_tiny_records() {
    const COUNT: usize = 400_000;
    let target = Target::new();
    let empty_protobuf = otlp_request::binary(&[0x12, 0x00].repeat(COUNT));
    // One log record of values that take two bytes and many times as much once they are read.
    let values = field(5, &field(5, &[0x0a, 0x00].repeat(COUNT)));
    let one_of_many = otlp_request::binary(&field(2, &values));
    let json = otlp_request::json(&("{},".repeat(COUNT - 1) + "{}"));
    for (what, path, media_type, body, mib_max) in [
        ("plain", "/api/ingest/ndjson", JSON, "{}\n".repeat(COUNT).into_bytes(), STREAMED_MIB_MAX),
        ("bulk", "/elastic/_bulk", JSON, "{\"index\":{}}\n{}\n".repeat(COUNT).into_bytes(), STREAMED_MIB_MAX),
        (
            "events",
            "/services/collector",
            JSON,
            "{\"event\":{}}".repeat(COUNT).into_bytes(),
            STREAMED_MIB_MAX,
        ),
        ("OTLP", "/v1/logs", PROTOBUF, empty_protobuf, 16),
        ("OTLP as JSON", "/v1/logs", JSON, json.into_bytes(), 16),
        ("one log record", "/v1/logs", PROTOBUF, one_of_many, 128),
    ] {
        let (status, answer) = target.under(mib_max, what, || target.post(path, media_type, [&body]));
        assert_eq!(status, 200, "{what}: {answer:.300}");
    }
    target.assert_well();
}
