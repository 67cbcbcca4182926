//! How fast a stream is cut and parsed, in CPU time of one core, so that what else runs on the machine hardly shows (Linux). Rows are as long as real ones: about 137 bytes of Zeek TSV with
//! the default columns, about 350 bytes of Zeek JSON, about 1 KiB of Defender's streaming export.
#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipstats_formats::netflow::Datagrams;
use ipstats_formats::{Format, FormatChoice, Frame, Framer, Limits, RecordReader, Settings, Tally};
use ipstats_model::Batch;
use std::fmt::Write;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

const ROWS: u64 = 100_000;
const HALF_OF_ROWS: usize = 50_000;
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

fn suricata() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let state = if row.state == "SF" { "closed" } else { "new" };
        let _ = writeln!(
            text,
            r#"{{"timestamp":"2026-11-01T12:{:02}:{:02}.272281+0200","flow_id":{},"in_iface":"eth0","event_type":"flow","src_ip":"{from}","src_port":{},"dest_ip":"{to}","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{{"pkts_toserver":{},"pkts_toclient":{},"bytes_toserver":{},"bytes_toclient":{},"start":"2026-11-01T12:{:02}:{:02}.855844+0200","end":"2026-11-01T12:{:02}:{:02}.963027+0200","age":1,"state":"{state}","reason":"timeout","alerted":false}},"community_id":"1:{:027x}=","tcp":{{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}},"host":"sensor.example.org"}}"#,
            n / 60 % 60,
            n % 60,
            n * 1_000_003,
            1024 + n % 60_000,
            n % 40,
            n % 60,
            n % 9000,
            n % 99_000,
            n / 60 % 60,
            n % 60,
            n / 60 % 60,
            n % 60,
            n * 31,
        );
    }
    text
}

/// Both directions of a flow, one record each.
fn suricata_netflow() -> String {
    let mut text = String::new();
    for row in rows().take(HALF_OF_ROWS) {
        let (device, peer, n) = (dotted(row.originator), dotted(row.responder), row.number);
        for (from, to, packets) in [(&device, &peer, n % 40 + 1), (&peer, &device, n % 60 + 1)] {
            let _ = writeln!(
                text,
                r#"{{"timestamp":"2026-11-01T12:{:02}:{:02}.272281+0200","flow_id":{},"in_iface":"eth0","event_type":"netflow","src_ip":"{from}","src_port":{},"dest_ip":"{to}","dest_port":443,"proto":"TCP","app_proto":"tls","netflow":{{"pkts":{packets},"bytes":{},"start":"2026-11-01T12:{:02}:{:02}.855844+0200","end":"2026-11-01T12:{:02}:{:02}.963027+0200","age":1,"min_ttl":64,"max_ttl":64}},"tcp":{{"tcp_flags":"1b","syn":true,"fin":true,"psh":true,"ack":true}},"host":"sensor.example.org"}}"#,
                n / 60 % 60,
                n % 60,
                n * 1_000_003,
                1024 + n % 60_000,
                n % 9000,
                n / 60 % 60,
                n % 60,
                n / 60 % 60,
                n % 60,
            );
        }
    }
    text
}

/// A log as a sensor writes it: of four events one is a flow, and the others say what was seen in it.
fn suricata_mixed() -> String {
    let mut text = String::new();
    for (row, flow) in rows().zip(suricata().lines()) {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let kind = match n % 4 {
            0 => {
                let _ = writeln!(text, "{flow}");
                continue;
            }
            1 => {
                r#""event_type":"dns","dns":{"version":2,"type":"query","id":4711,"rrname":"login.example.com","rrtype":"A","tx_id":0,"opcode":0}"#
            }
            2 => {
                r#""event_type":"alert","alert":{"action":"allowed","gid":1,"signature_id":2013028,"rev":7,"signature":"ET POLICY curl User-Agent Outbound","category":"Attempted Information Leak","severity":2,"metadata":{"created_at":["2011_06_14"]}},"direction":"to_server","flow":{"pkts_toserver":4,"pkts_toclient":3,"bytes_toserver":347,"bytes_toclient":206,"start":"2026-11-01T12:00:00.855844+0200"}"#
            }
            _ => {
                r#""event_type":"tls","tls":{"subject":"CN=login.example.com","issuerdn":"C=US, O=Example Trust, CN=Example TLS CA 1","sni":"login.example.com","version":"TLS 1.3","ja3":{},"ja3s":{}}"#
            }
        };
        let _ = writeln!(
            text,
            r#"{{"timestamp":"2026-11-01T12:{:02}:{:02}.272281+0200","flow_id":{},"in_iface":"eth0","src_ip":"{from}","src_port":{},"dest_ip":"{to}","dest_port":443,"proto":"TCP",{kind},"host":"sensor.example.org"}}"#,
            n / 60 % 60,
            n % 60,
            n * 1_000_003,
            1024 + n % 60_000,
        );
    }
    text
}

fn sysmon_nxlog() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let (minute, second) = (n / 60 % 60, n % 60);
        let _ = writeln!(
            text,
            r#"{{"Channel":"Microsoft-Windows-Sysmon/Operational","RecordNumber":{n},"ProviderGuid":"{{5770385F-C22A-43E0-BF4C-06F5698FFBD9}}","User":"NT AUTHORITY\\SYSTEM","DestinationIp":"{to}","SourceName":"Microsoft-Windows-Sysmon","Domain":"NT AUTHORITY","AccountType":"User","OpcodeValue":0,"Message":"Network connection detected:\r\nRuleName: \r\nUtcTime: 2026-11-01 12:{minute:02}:{second:02}.817\r\nProcessGuid: {{d14e8c55-47af-5de8-0000-0010eb030000}}\r\nProcessId: 4\r\nImage: System\r\nUser: NT AUTHORITY\\SYSTEM\r\nProtocol: tcp\r\nInitiated: true\r\nSourceIsIpv6: false\r\nSourceIp: {from}\r\nSourceHostname: host{n}.corp.example\r\nSourcePort: 138\r\nSourcePortName: netbios-dgm\r\nDestinationIsIpv6: false\r\nDestinationIp: {to}\r\nDestinationHostname: \r\nDestinationPort: 443","ProcessID":2644,"SeverityValue":2,"SourceModuleType":"im_msvistalog","DestinationPort":"443","@version":"1","Version":5,"EventReceivedTime":"2026-11-01 07:{minute:02}:{second:02}","Image":"System","EventID":3,"EventType":"INFO","SourceHostname":"host{n}.corp.example","SourceIp":"{from}","UtcTime":"2026-11-01 12:{minute:02}:{second:02}.817","UserID":"S-1-5-18","ProcessGuid":"{{d14e8c55-47af-5de8-0000-0010eb030000}}","SourcePort":"138","Task":3,"Severity":"INFO","Keywords":-9223372036854775808,"@timestamp":"2026-11-01T12:{minute:02}:{second:02}.041Z","SourceIsIpv6":"false","EventTime":"2026-11-01 07:{minute:02}:{second:02}","ThreadID":3616,"Protocol":"tcp","AccountName":"SYSTEM","Initiated":"true","DestinationIsIpv6":"false","Hostname":"HOST{}.corp.example","SourceModuleName":"eventlog"}}"#,
            n % 5000,
        );
    }
    text
}

fn ecs() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let _ = writeln!(
            text,
            r#"{{"@timestamp":"2026-11-01T12:{:02}:{:02}.9431234Z","agent":{{"id":"{:032x}","type":"endpoint","version":"8.19.0"}},"process":{{"Ext":{{"ancestry":["Y2Y1NzlhN2EtMDE=","Y2Y1NzlhN2EtMDI="]}},"name":"curl","pid":{},"entity_id":"Y2Y1NzlhN2EtMDE4","executable":"/usr/bin/curl"}},"destination":{{"address":"{to}","port":443,"ip":"{to}"}},"source":{{"address":"{from}","port":{},"ip":"{from}"}},"message":"Endpoint network event","network":{{"transport":"tcp","type":"ipv4","direction":"egress"}},"data_stream":{{"namespace":"default","type":"logs","dataset":"endpoint.events.network"}},"ecs":{{"version":"1.11.0"}},"elastic":{{"agent":{{"id":"{:032x}"}}}},"host":{{"hostname":"host{n}","os":{{"Ext":{{"variant":"Ubuntu"}},"kernel":"6.8.0-1 #1 SMP","name":"Linux","family":"ubuntu","type":"linux","version":"24.04","platform":"ubuntu","full":"Ubuntu 24.04"}},"ip":["127.0.0.1","::1","{from}"],"name":"host{n}","id":"{:032x}","mac":["00-16-3e-12-12-34"],"architecture":"x86_64"}},"event":{{"sequence":{n},"ingested":"2026-11-01T12:00:05Z","kind":"event","module":"endpoint","action":"connection_attempted","id":"MyS4vQ","category":["network"],"type":["start"],"dataset":"endpoint.events.network","outcome":"unknown"}},"user":{{"name":"user{n}","id":1000}},"group":{{"name":"user","id":1000}}}}"#,
            n / 60 % 60,
            n % 60,
            n % 5000,
            n % 40_000,
            1024 + n % 60_000,
            n % 5000,
            n % 5000,
        );
    }
    text
}

fn ocsf() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let _ = writeln!(
            text,
            r#"{{"activity_id":6,"activity_name":"Traffic","category_name":"Network Activity","category_uid":4,"class_name":"Network Activity","class_uid":4001,"type_uid":400106,"severity_id":1,"severity":"Informational","time":{}123,"start_time":{}123,"duration":12,"metadata":{{"version":"1.3.0","uid":"C{n:017x}","product":{{"name":"Sensor","vendor_name":"Example"}},"profiles":["host"]}},"device":{{"uid":"{:032x}","hostname":"host{n}.corp.example","ip":"{from}","type_id":2}},"src_endpoint":{{"ip":"{from}","port":{}}},"dst_endpoint":{{"ip":"{to}","port":443}},"connection_info":{{"uid":"C{n:017x}","protocol_num":6,"protocol_name":"tcp","direction":"Outbound","direction_id":2}},"traffic":{{"bytes_out":{},"packets_out":{},"bytes_in":{},"packets_in":{}}},"status_id":1}}"#,
            1_790_000_000 + n / 8,
            1_790_000_000 + n / 8,
            n % 5000,
            1024 + n % 60_000,
            n % 9000,
            n % 40,
            n % 99_000,
            n % 60,
        );
    }
    text
}

fn osquery() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let status = if row.state == "SF" { "succeeded" } else { "failed" };
        let _ = writeln!(
            text,
            r#"{{"name":"pack_network_socket_events","hostIdentifier":"{:032x}","calendarTime":"Sun Nov  1 10:00:10 2026 UTC","unixTime":{},"epoch":0,"counter":{n},"numerics":false,"decorations":{{"host_uuid":"{:032x}","username":"ann"}},"columns":{{"action":"connect","auid":"1000","family":"2","fd":"5","local_address":"{from}","local_port":"{}","path":"/usr/bin/curl","pid":"{}","protocol":"6","remote_address":"{to}","remote_port":"443","socket":"","status":"{status}","time":"{}","uptime":"3600"}},"action":"added"}}"#,
            n % 5000,
            1_790_000_010 + n / 8,
            n % 5000,
            1024 + n % 60_000,
            n % 40_000,
            1_790_000_000 + n / 8,
        );
    }
    text
}

fn vpc_flow() -> String {
    let mut text = String::new();
    for row in rows() {
        let (from, to, n) = (dotted(row.originator), dotted(row.responder), row.number);
        let action = if row.state == "SF" { "ACCEPT" } else { "REJECT" };
        let _ = writeln!(
            text,
            "2 123456789010 eni-{:017x} {from} {to} {} 443 6 {} {} {} {} {action} OK",
            n % 5000,
            1024 + n % 60_000,
            n % 40,
            n % 99_000,
            1_790_000_000 + n / 8,
            1_790_000_060 + n / 8,
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

/// The time this thread has spent on a core.
struct CpuTime;

impl CpuTime {
    fn now() -> Duration {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
        Duration::from_nanos(nanoseconds.unwrap_or_default())
    }
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn parse(criterion: &mut Criterion<CpuTime>) {
    let streaming = mde_streaming();
    let streams = [
        (Format::ZeekTsv, "rows", zeek_tsv()),
        (Format::ZeekJson, "lines", zeek_json()),
        (Format::MdeStreaming, "document", document("records", &streaming)),
        (Format::MdeStreaming, "lines", streaming),
        (Format::Suricata, "lines", suricata()),
        (Format::Suricata, "netflow", suricata_netflow()),
        (Format::Suricata, "mixed lines", suricata_mixed()),
        (Format::SysmonJson, "lines", sysmon_nxlog()),
        (Format::Ecs, "lines", ecs()),
        (Format::Ocsf, "lines", ocsf()),
        (Format::Osquery, "lines", osquery()),
        (Format::VpcFlow, "rows", vpc_flow()),
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

/// The same records in a stream, one by one, and each in an envelope: docs/performance.md has the ratios.
fn records(criterion: &mut Criterion<CpuTime>) {
    let settings = Settings::default();
    for (format, text) in [
        (Format::ZeekJson, zeek_json()),
        (Format::Suricata, suricata()),
        (Format::Ecs, ecs()),
        (Format::Ocsf, ocsf()),
        (Format::IpstatsNdjson, own_ndjson()),
    ] {
        let alone: Vec<String> = text.lines().map(str::to_owned).collect();
        let wrapped: Vec<String> = alone.iter().map(|record| in_envelope(record)).collect();
        let mut group = criterion.benchmark_group(format!("{} records", format.name()));
        group.throughput(Throughput::Elements(ROWS)).sample_size(20);
        let (mut batch, mut frames) = (Batch::new(), Vec::new());
        group.bench_function("in a stream", |bencher| {
            bencher.iter(|| {
                let mut tally = Tally::default();
                in_chunks(format, &text, &mut frames, |frames| {
                    for frame in frames.drain(..) {
                        batch.clear();
                        frame.parse(&settings, &mut batch, &mut tally);
                    }
                });
                tally
            });
        });
        for (name, records) in [("alone", &alone), ("in an envelope", &wrapped)] {
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let (mut reader, mut tally) =
                        (RecordReader::new(FormatChoice::Auto, &settings), Tally::default());
                    for (number, record) in records.iter().enumerate() {
                        if number % 4096 == 0 {
                            batch.clear();
                        }
                        let _ = reader.read(record.as_bytes(), &settings, &mut batch, &mut tally);
                    }
                    assert_eq!((tally.records(), tally.malformed()), (ROWS, 0));
                    tally
                });
            });
        }
    }
}

/// A record as Filebeat ships the line that it read.
fn in_envelope(record: &str) -> String {
    serde_json::json!({
        "@timestamp": "2026-11-01T12:00:00.000Z",
        "agent": { "type": "filebeat", "version": "8.15.0", "id": "5a2f" },
        "message": record,
    })
    .to_string()
}

/// Flows in one datagram of NetFlow: as many as fit 1,400 bytes.
const FLOWS_IN_DATAGRAM: usize = 24;

/// Elements and lengths of a flow as routers export it: counters, end, interfaces and autonomous systems are beside what is read.
const FLOW_FIELDS: [(u16, u16); 18] = [
    (1, 4),
    (2, 4),
    (4, 1),
    (5, 1),
    (6, 1),
    (7, 2),
    (8, 4),
    (9, 1),
    (10, 4),
    (11, 2),
    (12, 4),
    (13, 1),
    (14, 4),
    (15, 4),
    (16, 4),
    (17, 4),
    (21, 4),
    (22, 4),
];

fn set(id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 4).unwrap_or(u16::MAX);
    [&id.to_be_bytes(), &length.to_be_bytes(), content].concat()
}

/// A datagram of version 9, exported 100 s after the exporter started.
fn version_9(sets: &[u8]) -> Vec<u8> {
    let header = [100_000_u32, 1_793_527_200, 1, 77].map(u32::to_be_bytes).concat();
    [&[0, 9, 0, 1][..], &header, sets].concat()
}

fn flow_template() -> Vec<u8> {
    let fields = FLOW_FIELDS.iter().flat_map(|(element, length)| [*element, *length]);
    let numbers = [256, 18].into_iter().chain(fields).flat_map(u16::to_be_bytes);
    version_9(&set(0, &numbers.collect::<Vec<_>>()))
}

fn flow(row: &Row) -> Vec<u8> {
    let [_, _, _, _, number @ ..] = row.number.to_be_bytes();
    let flags = if row.state == "S0" { 0x02 } else { 0x1b };
    let port = (50_000 + (row.number % 10_000) as u16).to_be_bytes();
    [
        &number,
        &number,
        &[6, 0, flags][..],
        &port,
        &row.originator,
        &[24],
        &number,
        &443_u16.to_be_bytes(),
        &row.responder,
        &[24],
        &number,
        &number,
        &number,
        &number,
        &90_000_u32.to_be_bytes(),
        &69_500_u32.to_be_bytes(),
    ]
    .concat()
}

fn netflow(criterion: &mut Criterion<CpuTime>) {
    let rows: Vec<Row> = rows().collect();
    let datagrams: Vec<Vec<u8>> = rows
        .chunks(FLOWS_IN_DATAGRAM)
        .map(|rows| version_9(&set(256, &rows.iter().flat_map(flow).collect::<Vec<_>>())))
        .collect();
    let (settings, exporter) = (Settings::default(), SocketAddr::from(([192, 0, 2, 1], 2055)));
    let (mut reader, mut batch) = (Datagrams::new(), Batch::new());
    reader.parse(exporter, &flow_template(), &settings, &mut batch, &mut Tally::default());
    let mut group = criterion.benchmark_group("netflow");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    group.bench_function("parse version 9 of 53 bytes", |bencher| {
        bencher.iter(|| {
            let mut tally = Tally::default();
            for datagrams in datagrams.chunks(100) {
                batch.clear();
                for datagram in datagrams {
                    reader.parse(exporter, datagram, &settings, &mut batch, &mut tally);
                }
            }
            assert_eq!((tally.records(), tally.malformed()), (ROWS, 0));
            tally
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = parse, records, netflow
}
criterion_main!(benches);
