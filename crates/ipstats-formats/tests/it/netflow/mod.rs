//! Datagrams of NetFlow v5, v9 and IPFIX, made here field by field after their specifications.

mod conservation;
mod damage;
mod sweep;
mod times;

use ipstats_formats::netflow::Datagrams;
use ipstats_formats::{CountRule, Settings, Tally};
use ipstats_model::Batch;
use proptest::prelude::*;
use std::net::SocketAddr;

/// 2026-11-01T10:00:00Z, when the datagrams are sent.
const EXPORTED: u32 = 1_793_527_200;

/// Bytes in network order.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u8(mut self, values: &[u8]) -> Self {
        self.0.extend_from_slice(values);
        self
    }

    fn u16(self, values: &[u16]) -> Self {
        values.iter().fold(self, |bytes, value| bytes.u8(&value.to_be_bytes()))
    }

    fn u32(self, values: &[u32]) -> Self {
        values.iter().fold(self, |bytes, value| bytes.u8(&value.to_be_bytes()))
    }

    fn u64(self, value: u64) -> Self {
        self.u8(&value.to_be_bytes())
    }

    /// A set of v9 or IPFIX.
    fn set(self, id: u16, content: &Self) -> Self {
        let length = u16::try_from(content.0.len() + 4).unwrap();
        self.u16(&[id, length]).u8(&content.0)
    }
}

/// Source, destination, their ports, TCP flags and protocol.
type FlowV5 = ([u8; 4], [u8; 4], [u16; 2], u8, u8);

fn v5(flows: &[FlowV5]) -> Vec<u8> {
    let count = u16::try_from(flows.len()).unwrap();
    // The exporter has been up for 100 seconds.
    let header = Bytes::default().u16(&[5, count]).u32(&[100_000, EXPORTED, 0, 1]).u16(&[0, 0]);
    let flow = |bytes: Bytes, (source, destination, ports, flags, protocol): &FlowV5| {
        // First packet 30.5 seconds before the export.
        let bytes =
            bytes.u8(source).u8(destination).u32(&[0]).u16(&[1, 2]).u32(&[9, 900, 69_500, 90_000]).u16(ports);
        bytes.u8(&[0, *flags, *protocol, 0]).u16(&[0, 0]).u8(&[24, 24]).u16(&[0])
    };
    flows.iter().fold(header, flow).0
}

fn v9(sets: &Bytes) -> Vec<u8> {
    v9_from(77, sets)
}

fn v9_from(source_id: u32, sets: &Bytes) -> Vec<u8> {
    Bytes::default().u16(&[9, 1]).u32(&[100_000, EXPORTED, 1, source_id]).u8(&sets.0).0
}

fn ipfix(domain: u32, sets: &Bytes) -> Vec<u8> {
    let length = u16::try_from(sets.0.len() + 16).unwrap();
    Bytes::default().u16(&[10, length]).u32(&[EXPORTED, 1, domain]).u8(&sets.0).0
}

/// Elements of a good flow with their lengths: addresses, ports, protocol, TCP flags, `FIRST_SWITCHED`.
const FIELDS: [(u16, u16); 7] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (22, 4)];

/// A good flow with the fields of [`FIELDS`], which began 30.5 seconds before the export.
fn good() -> Bytes {
    Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 443]).u8(&[6, 0x1b]).u32(&[69_500])
}

/// A template of fields with an IANA number.
fn template(id: u16, fields: &[(u16, u16)]) -> Bytes {
    let count = u16::try_from(fields.len()).unwrap();
    fields
        .iter()
        .fold(Bytes::default().u16(&[id, count]), |bytes, (element, length)| bytes.u16(&[*element, *length]))
}

/// What datagrams of one exporter say.
fn read(datagrams: &[Vec<u8>], settings: &Settings) -> (Vec<String>, Tally) {
    let exporter: SocketAddr = "192.0.2.1:2055".parse().unwrap();
    let mut reader = Datagrams::new();
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    for datagram in datagrams {
        reader.parse(exporter, datagram, settings, &mut batch, &mut tally);
    }
    let names: Vec<_> = batch.devices().collect();
    let shown = |row: &ipstats_model::Row| format!("{} {} {}", names[row.device as usize], row.ip, row.at);
    (batch.rows().iter().map(shown).collect(), tally)
}

fn reasons(tally: &Tally) -> Vec<(&'static str, u64)> {
    tally.not_a_connection().map(|(reason, count)| (reason.name(), count)).collect()
}

const DEVICE: [u8; 4] = [10, 0, 0, 5];
const REMOTE: [u8; 4] = [203, 0, 113, 7];

#[test]
fn version_5_counts_what_it_proves() {
    let datagram = v5(&[
        (DEVICE, REMOTE, [49_152, 443], 0x1b, 6),
        (REMOTE, DEVICE, [443, 49_152], 0x1b, 6),
        (DEVICE, REMOTE, [49_153, 443], 0x02, 6),
        (DEVICE, REMOTE, [49_154, 443], 0x18, 6),
        (DEVICE, REMOTE, [49_155, 49_156], 0x1b, 6),
        ([10, 0, 0, 6], [203, 0, 113, 53], [50_000, 53], 0, 17),
        // TCP without flags; an echo request, its answer, an unreachable port.
        ([10, 0, 0, 7], REMOTE, [50_000, 8443], 0, 6),
        ([10, 0, 0, 8], REMOTE, [0, 8 << 8], 0, 1),
        ([10, 0, 0, 8], REMOTE, [0, 0], 0, 1),
        ([10, 0, 0, 8], REMOTE, [0, 3 << 8 | 3], 0, 1),
        // Other protocols have no ports. There is no remote IP.
        ([10, 0, 0, 9], REMOTE, [50_000, 443], 0, 47),
        ([10, 0, 0, 9], [0; 4], [50_000, 443], 0x1b, 6),
    ]);
    let (connections, tally) = read(std::slice::from_ref(&datagram), &Settings::default());
    assert_eq!(
        connections,
        [
            "10.0.0.5 203.0.113.7 2026-11-01T09:59:29Z",
            "10.0.0.6 203.0.113.53 2026-11-01T09:59:29Z",
            "10.0.0.7 203.0.113.7 2026-11-01T09:59:29Z",
            "10.0.0.8 203.0.113.7 2026-11-01T09:59:29Z",
        ]
    );
    let expected = [
        ("otherEvent", 2),
        ("inbound", 1),
        ("failed", 1),
        ("startNotSeen", 1),
        ("directionUnknown", 2),
        ("noRemoteIp", 1),
    ];
    assert_eq!((reasons(&tally), tally.malformed()), (expected.to_vec(), 0));
    let attempted = Settings { count: CountRule::Attempted, ..Settings::default() };
    assert_eq!(read(&[datagram], &attempted).1.connections(), 5);
}

#[test]
fn version_9_is_read_with_its_template() {
    // IPV4_SRC_ADDR, IPV4_DST_ADDR, L4_SRC_PORT, L4_DST_PORT, PROTOCOL, TCP_FLAGS, FIRST_SWITCHED, IN_SRC_MAC.
    let fields = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 22, 4, 56, 6];
    let template = Bytes::default().set(0, &Bytes::default().u16(&[256, 8]).u16(&fields));
    let record = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 22]).u8(&[6, 0x1a]).u32(&[100_000]);
    let data = Bytes::default().set(256, &record.u8(&[8, 0, 0x27, 0xab, 0xcd, 2]));

    let (nothing, tally) = read(&[v9(&data)], &Settings::default());
    assert_eq!(nothing, [""; 0]);
    assert_eq!((reasons(&tally), tally.records()), (vec![("noTemplate", 1)], 1));

    let by_mac = Settings { device_from: ipstats_formats::DeviceFrom::Mac, ..Settings::default() };
    let (connections, tally) = read(&[v9(&template), v9(&data), v9(&data)], &by_mac);
    assert_eq!(connections, ["08:00:27:ab:cd:02 203.0.113.7 2026-11-01T10:00:00Z"; 2]);
    assert_eq!((tally.records(), tally.malformed()), (2, 0));
}

#[test]
fn ipfix_says_who_opened_and_each_domain_has_its_templates() {
    // sourceIPv6Address, destinationIPv6Address, flowStartMilliseconds, biflowDirection.
    let template = |direction: u16| {
        let fields = [27, 16, 28, 16, 152, 8, direction, 1];
        Bytes::default().set(2, &Bytes::default().u16(&[300, 4]).u16(&fields))
    };
    let record = |source: u128, destination: u128, direction: u8| {
        let ends = Bytes::default().u8(&source.to_be_bytes()).u8(&destination.to_be_bytes());
        Bytes::default().set(300, &ends.u64(u64::from(EXPORTED) * 1000 - 1).u8(&[direction]))
    };
    let (device, remote) = (0xfd00 << 112 | 5, 0x2001_0db8 << 96 | 1);
    let datagrams = [
        ipfix(1, &template(239)),
        ipfix(1, &record(device, remote, 1)),
        ipfix(1, &record(remote, device, 2)),
        ipfix(1, &record(device, remote, 0)),
        ipfix(2, &record(device, remote, 1)),
    ];
    let (connections, tally) = read(&datagrams, &Settings::default());
    assert_eq!(connections, ["fd00::5 2001:db8::1 2026-11-01T09:59:59Z"]);
    // Another observation domain has not sent its template.
    assert_eq!(reasons(&tally), [("inbound", 1), ("directionUnknown", 1), ("noTemplate", 1)]);
}

#[test]
fn uptime_says_when_only_once_the_exporter_told_its_start() {
    // sourceIPv4Address, destinationIPv4Address, destinationTransportPort, sourceTransportPort, flowStartSysUpTime.
    let fields = [8, 4, 12, 4, 11, 2, 7, 2, 22, 4];
    let template = Bytes::default().set(2, &Bytes::default().u16(&[300, 5]).u16(&fields));
    let record = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[443, 49_152]).u32(&[30_000]);
    let data = ipfix(1, &Bytes::default().set(300, &record));
    // An options template with one field in its scope, observationDomainId, and systemInitTimeMilliseconds.
    let options = Bytes::default().set(3, &Bytes::default().u16(&[400, 2, 1, 149, 4, 160, 8]));
    let started = Bytes::default().u32(&[1]).u64(u64::from(EXPORTED - 60) * 1000);
    let started = Bytes::default().set(400, &started);

    let before = [ipfix(1, &template), data.clone()];
    let (connections, tally) = read(&before, &Settings::default());
    assert_eq!((connections.len(), tally.malformed()), (0, 1));
    let reason = tally.issues()[0].problem.to_string();
    assert!(reason.contains("systemInitTimeMilliseconds (element 160)"), "{reason}");
    let (connections, _) =
        read(&[&before[..], &[ipfix(1, &options), ipfix(1, &started), data]].concat(), &Settings::default());
    assert_eq!(connections, ["10.0.0.5 203.0.113.7 2026-11-01T09:59:30Z"]);
}

#[test]
fn ever_new_ports_of_one_address_push_out_nobody_else() {
    let fields = [8, 4, 12, 4, 7, 2, 11, 2, 22, 4];
    let template = v9(&Bytes::default().set(0, &Bytes::default().u16(&[256, 5]).u16(&fields)));
    let record = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 22]).u32(&[100_000]);
    let data = v9(&Bytes::default().set(256, &record));
    let (mut reader, settings) = (Datagrams::new(), Settings::default());
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    let mut send = |from: SocketAddr, datagram: &[u8]| {
        reader.parse(from, datagram, &settings, &mut batch, &mut tally);
        (tally.connections(), reasons(&tally))
    };
    let quiet = "192.0.2.2:2055".parse().unwrap();
    send(quiet, &template);
    for port in 1..=2000 {
        send(SocketAddr::new("192.0.2.1".parse().unwrap(), port), &template);
    }
    assert_eq!(send(quiet, &data), (1, Vec::new()));
    assert_eq!(send("192.0.2.1:2000".parse().unwrap(), &data), (2, Vec::new()));
    assert_eq!(send("192.0.2.1:1".parse().unwrap(), &data), (2, vec![("noTemplate", 1)]));
}

#[test]
fn what_is_no_datagram_is_malformed() {
    for junk in [
        &b"\x00\x05"[..],
        b"\x00\x07\x00\x01",
        b"hello",
        &[0xff; 100],
        &v5(&[(DEVICE, REMOTE, [1, 2], 0, 6)])[..40],
    ] {
        let (connections, tally) = read(&[junk.to_vec()], &Settings::default());
        assert_eq!((connections.len(), tally.records(), tally.malformed()), (0, 1, 1), "{junk:?}");
    }
}

proptest! {
    #[test]
    fn any_datagrams_are_read(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8),
        version in prop_oneof![Just([0, 5]), Just([0, 9]), Just([0, 10])],
    ) {
        let datagrams: Vec<Vec<u8>> = datagrams.into_iter().map(|rest| [&version[..], &rest].concat()).collect();
        let (connections, tally) = read(&datagrams, &Settings::default());
        prop_assert_eq!(connections.len() as u64, tally.connections());
    }
}
