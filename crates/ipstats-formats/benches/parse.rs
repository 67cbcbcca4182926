//! How fast a stream is cut and parsed, on one core. Rows are as long as real ones: about 137 bytes of Zeek TSV with
//! the default columns, about 350 bytes of Zeek JSON, about 1 KiB of Defender's streaming export.
#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipstats_formats::{Format, Frame, Framer, Limits, Settings, Tally};
use ipstats_model::Batch;
use std::fmt::Write;
use std::hint::black_box;

const ROWS: u64 = 100_000;
const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #open\t2026-11-01-00-00-00\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\t\
    orig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\t\
    resp_pkts\tresp_ip_bytes\ttunnel_parents\n";

/// A connection of the benchmark.
struct Row {
    number: u64,
    originator: [u8; 4],
    responder: [u8; 4],
    state: &'static str,
}

/// Rows whose addresses and lengths vary as those of real logs do; one in eight is no established connection.
fn rows() -> impl Iterator<Item = Row> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    (0..ROWS).map(move |number| {
        // SplitMix64 (Steele, Lea, Flood 2014).
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [a, b, c, rest @ ..] = mixed.to_le_bytes();
        let [first, second, third, fourth, fate] = rest;
        let state = if fate % 8 == 0 { "S0" } else { "SF" };
        Row {
            number,
            originator: [10, a % 4, b % 16, c],
            responder: [first % 200 + 20, second, third, fourth],
            state,
        }
    })
}

fn dotted([a, b, c, d]: [u8; 4]) -> String {
    format!("{a}.{b}.{c}.{d}")
}

fn zeek_tsv() -> String {
    let mut text = HEADER.to_owned();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let _ = writeln!(
            text,
            "{}.{:06}\tC{:017x}\t{from}\t{}\t{to}\t443\ttcp\tssl\t12.{:06}\t{}\t{}\t{}\t-\t-\t0\tShADadFf\t{}\t{}\t{}\t{}\t-",
            1_790_000_000 + n / 8,
            n % 1_000_000,
            n * 0x9e37,
            1024 + n % 60_000,
            n % 999_983,
            n % 5000,
            n % 90_000,
            row.state,
            n % 40,
            n % 9000,
            n % 60,
            n % 99_000,
        );
    }
    text
}

fn zeek_json() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let _ = writeln!(
            text,
            r#"{{"ts":{}.{:06},"uid":"C{:017x}","id.orig_h":"{from}","id.orig_p":{},"id.resp_h":"{to}","id.resp_p":443,"proto":"tcp","service":"ssl","duration":12.{:06},"orig_bytes":{},"resp_bytes":{},"conn_state":"{}","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":{},"orig_ip_bytes":{},"resp_pkts":{},"resp_ip_bytes":{}}}"#,
            1_790_000_000 + n / 8,
            n % 1_000_000,
            n * 0x9e37,
            1024 + n % 60_000,
            n % 999_983,
            n % 5000,
            n % 90_000,
            row.state,
            n % 40,
            n % 9000,
            n % 60,
            n % 99_000,
        );
    }
    text
}

fn own_ndjson() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let _ = writeln!(
            text,
            r#"{{"device":"{from}","ip":"{to}","time":"2026-11-01T12:{:02}:{:02}Z"}}"#,
            n / 60 % 60,
            n % 60
        );
    }
    text
}

fn own_csv() -> String {
    let mut text = "device,ip,time\n".to_owned();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let _ = writeln!(text, "{from},{to},2026-11-01T12:{:02}:{:02}Z", n / 60 % 60, n % 60);
    }
    text
}

fn mde_streaming() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let _ = writeln!(
            text,
            r#"{{"time":"2026-11-01T12:00:05.5005127Z","tenantId":"3f2504e0-4f89-41d3-9a0c-0305e82c3301","operationName":"Publish","category":"AdvancedHunting-DeviceNetworkEvents","_TimeReceivedBySvc":"2026-11-01T12:00:04.8411110Z","properties":{{"DeviceName":"host-{n}.contoso.example","DeviceId":"{:040x}","ReportId":{n},"RemoteIP":"{to}","RemotePort":443,"LocalIP":"{from}","LocalPort":{},"Protocol":"Tcp","RemoteUrl":"https://login.example.com/path?x=\"{n}\"","InitiatingProcessSHA1":"{:040x}","InitiatingProcessMD5":"{:032x}","InitiatingProcessFileName":"chrome.exe","InitiatingProcessParentFileName":"explorer.exe","InitiatingProcessId":4321,"InitiatingProcessCommandLine":"\"chrome.exe\" --type=utility --lang=en-US --service-sandbox-type=none","InitiatingProcessAccountName":"user{n}","InitiatingProcessFolderPath":"c:\\program files\\google\\chrome\\application\\chrome.exe","AdditionalFields":null,"ActionType":"ConnectionSuccess","RemoteIPType":"Public","LocalIPType":"Private","Timestamp":"2026-11-01T12:{:02}:{:02}.1234567Z"}},"Tenant":"DefaultTenant"}}"#,
            n % 5000,
            1024 + n % 60_000,
            n * 31,
            n * 17,
            n / 60 % 60,
            n % 60,
        );
    }
    text
}

/// `lines` as one array in a document.
fn document(key: &str, lines: &str) -> String {
    format!("{{\"{key}\":[{}]}}", lines.trim_end().replace('\n', ","))
}

/// Cuts a stream that comes in chunks as a file is read, and hands on the frames after each.
fn in_chunks(format: Format, text: &str, frames: &mut Vec<Frame>, mut take: impl FnMut(&mut Vec<Frame>)) {
    let mut stream = Framer::new(format.into(), Limits::default());
    for chunk in text.as_bytes().chunks(1 << 18) {
        assert_eq!(stream.feed(black_box(chunk), frames), Ok(()));
        take(frames);
    }
    assert_eq!(stream.finish(frames), Ok(()));
    take(frames);
}

fn parse(criterion: &mut Criterion) {
    let streaming = mde_streaming();
    let streams = [
        (Format::ZeekTsv, "rows", zeek_tsv()),
        (Format::ZeekJson, "lines", zeek_json()),
        (Format::MdeStreaming, "document", document("records", &streaming)),
        (Format::MdeStreaming, "lines", streaming),
        (Format::IpstatsNdjson, "lines", own_ndjson()),
        (Format::IpstatsCsv, "rows", own_csv()),
    ];
    let settings = Settings::default();
    for (format, layout, text) in &streams {
        let layout = format!("{layout} of {} bytes", text.len() as u64 / ROWS);
        let mut group = criterion.benchmark_group(format.name());
        group.throughput(Throughput::Elements(ROWS)).sample_size(20);
        let mut frames = Vec::new();
        group.bench_function(format!("frame {layout}"), |bencher| {
            bencher.iter(|| {
                in_chunks(*format, text, &mut frames, Vec::clear);
            });
        });
        let mut batch = Batch::new();
        group.bench_function(format!("frame and parse {layout}"), |bencher| {
            bencher.iter(|| {
                let mut tally = Tally::default();
                in_chunks(*format, text, &mut frames, |frames| {
                    for frame in frames.drain(..) {
                        batch.clear();
                        frame.parse(&settings, &mut batch, &mut tally);
                    }
                });
                assert_eq!((tally.records(), tally.malformed()), (ROWS, 0));
                tally
            });
        });
    }
}

criterion_group!(benches, parse);
criterion_main!(benches);
