//! What is odd or damaged in a datagram costs what is damaged, and nothing else.

use super::{Bytes, DEVICE, FIELDS, FlowV5, REMOTE, good, ipfix, read, reasons, template, v5, v9, v9_from};
use ipstats_formats::{Settings, Tally};

const ONE: &str = "10.0.0.5 203.0.113.7 2026-11-01T09:59:29Z";

/// A template and one good flow.
fn sets() -> Bytes {
    Bytes::default().set(0, &template(256, &FIELDS)).set(256, &padded(good()))
}

fn padded(record: Bytes) -> Bytes {
    let zeros = vec![0; record.0.len().next_multiple_of(4) - record.0.len()];
    record.u8(&zeros)
}

/// Connections, and malformed records, of one datagram; there are no others.
fn counts(datagram: Vec<u8>) -> (u64, u64) {
    let (_, tally) = read(&[datagram], &Settings::default());
    assert_eq!(tally.records(), tally.connections() + tally.malformed(), "{tally:?}");
    (tally.connections(), tally.malformed())
}

fn problem(tally: &Tally) -> String {
    tally.issues()[0].problem.to_string()
}

#[test]
fn zeros_after_last_set_are_padding() {
    let datagram = v9(&sets());
    for zeros in (0..=64).chain([1408 - datagram.len()]) {
        let padded = [datagram.clone(), vec![0; zeros]].concat();
        assert_eq!(counts(padded), (1, 0), "{zeros} zeros");
    }
    let message = ipfix(1, &Bytes::default());
    assert_eq!(counts([message, vec![0; 8]].concat()), (0, 0));
    let flow = v5(&[(DEVICE, REMOTE, [49_152, 443], 0x1b, 6)]);
    assert_eq!(counts([flow, vec![0; 50]].concat()), (1, 0));
}

#[test]
fn zeros_inside_set_are_padding() {
    for zeros in (0..=64).chain([1000]) {
        let record = good().u8(&vec![0; zeros]);
        let sets = Bytes::default().set(0, &template(256, &FIELDS).u8(&vec![0; zeros])).set(256, &record);
        assert_eq!(counts(v9(&sets)), (1, 0), "{zeros} zeros");
    }
}

#[test]
fn trailing_bytes_are_one_malformed_record() {
    let datagram = v9(&sets());
    for other in
        [&[0xff][..], &[1, 0], &[0, 0, 1], &[0xff; 4], &[0xff; 20], &[0, 0, 0, 0, 7], &[0, 5, 0, 0], &[0, 9]]
    {
        assert_eq!(counts([&datagram[..], other].concat()), (1, 1), "{other:?}");
    }
    let flow = v5(&[(DEVICE, REMOTE, [49_152, 443], 0x1b, 6)]);
    for other in [&[0xff][..], &[1; 48], &[0, 5]] {
        assert_eq!(counts([&flow[..], other].concat()), (1, 1), "{other:?}");
    }
    let sets = Bytes::default().set(256, &good().u8(&[1, 2, 3, 4, 5]));
    let datagrams = [v9(&Bytes::default().set(0, &template(256, &FIELDS))), v9(&sets)];
    let (connections, tally) = read(&datagrams, &Settings::default());
    assert_eq!((connections, tally.malformed()), (vec![ONE.to_owned()], 1));
    assert!(problem(&tally).contains("5 bytes after the last record of a set"), "{}", problem(&tally));
}

#[test]
fn set_without_length_ends_datagram() {
    let datagram = v9(&sets());
    for (id, length) in [(256_u16, 0_u16), (256, 3), (0, 2), (999, 0)] {
        let last = [id, length].map(u16::to_be_bytes).concat();
        assert_eq!(counts([&datagram[..], &last].concat()), (1, 1), "{id} {length}");
    }
    assert_eq!(counts([&datagram[..], &[0; 4]].concat()), (1, 0), "0 is padding");
}

#[test]
fn intact_records_of_cut_off_set_count() {
    let records = good().u8(&good().0).u8(&good().0);
    let sets = Bytes::default().set(0, &template(256, &FIELDS)).set(256, &records);
    let datagram = v9(&sets);
    for cut in 1..=18 {
        assert_eq!(counts(datagram[..datagram.len() - cut].to_vec()), (2, 1), "{cut} bytes cut off");
    }
    let message = ipfix(1, &Bytes::default().set(2, &template(256, &FIELDS)));
    for cut in 1..message.len() - 20 {
        assert_eq!(counts(message[..message.len() - cut].to_vec()), (0, 1), "{cut} bytes cut off");
    }
}

#[test]
fn cut_template_leaves_those_before() {
    let templates = template(256, &FIELDS).u8(&template(257, &FIELDS).0);
    let datagram = v9(&Bytes::default().set(0, &templates));
    let cut = datagram[..datagram.len() - 3].to_vec();
    let flow = |id| v9(&Bytes::default().set(id, &good()));
    let (connections, tally) = read(&[cut, flow(256), flow(257)], &Settings::default());
    assert_eq!((connections.len(), tally.malformed()), (1, 1));
    assert_eq!(reasons(&tally), [("noTemplate", 1)]);
}

#[test]
fn v5_with_wrong_count_loses_no_flow() {
    let flow: FlowV5 = (DEVICE, REMOTE, [49_152, 443], 0x1b, 6);
    let mut datagram = v5(&[flow, flow]);
    datagram[3] = 3;
    assert_eq!(counts(datagram.clone()), (2, 1));
    datagram[3] = 30;
    assert_eq!(counts(datagram.clone()), (2, 1));
    datagram.truncate(datagram.len() - 10);
    assert_eq!(counts(datagram), (1, 1));
}

#[test]
fn ipfix_with_wrong_length_loses_no_flow() {
    let sets = Bytes::default().set(2, &template(256, &[(8, 4), (12, 4), (7, 2), (11, 2), (158, 4)]));
    let record = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 443]).u32(&[5_000_000]);
    let mut message = ipfix(1, &sets.set(256, &record));
    assert_eq!(counts(message.clone()), (1, 0));
    let length = u16::try_from(message.len()).unwrap();
    for (wrong, expected) in
        [(length + 4, (1, 1)), (length - 2, (1, 0)), (u16::MAX, (1, 1)), (15, (1, 1)), (0, (1, 1))]
    {
        message[2..4].copy_from_slice(&wrong.to_be_bytes());
        assert_eq!(counts(message.clone()), expected, "{wrong}");
    }
}

#[test]
fn messages_may_follow_one_another() {
    let flow = v5(&[(DEVICE, REMOTE, [49_152, 443], 0x1b, 6)]);
    let nine = v9(&sets());
    let message = ipfix(1, &Bytes::default());
    assert_eq!(counts([&flow[..], &message, &nine, &flow, &nine].concat()), (4, 0));
}

#[test]
fn unknown_sets_are_other_events() {
    let sets = sets().set(2, &template(300, &FIELDS)).set(200, &good()).set(256, &good());
    let (connections, tally) = read(&[v9(&sets)], &Settings::default());
    assert_eq!((connections.len(), reasons(&tally), tally.malformed()), (2, vec![("otherEvent", 2)], 0));
}

#[test]
fn templates_are_replaced_and_withdrawn() {
    let set = |id, content: &Bytes| ipfix(1, &Bytes::default().set(id, content));
    let delta = [(8, 4), (12, 4), (7, 2), (11, 2), (158, 4)];
    let longer = [(8, 4), (12, 4), (7, 2), (11, 2), (158, 4), (1, 8)];
    let record = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 443]).u32(&[5_000_000]);
    let withdrawn = |id: u16| set(2, &Bytes::default().u16(&[id, 0]));
    let flow = set(256, &record);
    let outcomes = |between: &[Vec<u8>]| {
        let datagrams = [&[set(2, &template(256, &delta)), set(2, &template(257, &delta))], between].concat();
        let (connections, tally) =
            read(&[&datagrams[..], std::slice::from_ref(&flow)].concat(), &Settings::default());
        (connections.len(), reasons(&tally), tally.malformed())
    };
    assert_eq!(outcomes(&[]), (1, vec![], 0));
    assert_eq!(outcomes(&[withdrawn(257)]), (1, vec![], 0));
    assert_eq!(outcomes(&[withdrawn(256)]), (0, vec![("noTemplate", 1)], 0));
    assert_eq!(outcomes(&[withdrawn(2)]), (0, vec![("noTemplate", 1)], 0));
    // All options templates: this is none.
    assert_eq!(outcomes(&[set(3, &Bytes::default().u16(&[3, 0]))]), (1, vec![], 0));
    assert_eq!(outcomes(&[set(2, &template(256, &longer))]), (0, vec![], 1), "longer than the record");
}

#[test]
fn templates_that_cannot_be_kept_are_malformed() {
    let many: Vec<(u16, u16)> = (0..129).map(|number| (if number % 2 == 0 { 1 } else { 5 }, 1)).collect();
    let refused = [
        (template(255, &FIELDS), "below 256"),
        (template(256, &[(95, 0)]), "length 0"),
        (template(256, &many), "128"),
    ];
    for (refused, reason) in refused {
        let flow = v9(&Bytes::default().set(256, &good()));
        let datagrams = [v9(&Bytes::default().set(0, &refused.u8(&template(300, &FIELDS).0))), flow];
        let (_, tally) = read(&datagrams, &Settings::default());
        assert_eq!((reasons(&tally), tally.malformed()), (vec![("noTemplate", 1)], 1));
        assert!(problem(&tally).contains(reason), "{}", problem(&tally));
    }
}

#[test]
fn long_template_of_unread_fields_is_kept() {
    let fields = [&FIELDS[..], &vec![(95, 1); 1000]].concat();
    let record = good().u8(&[7; 1000]);
    assert_eq!(counts(v9(&Bytes::default().set(0, &template(256, &fields)).set(256, &record))), (1, 0));
}

#[test]
fn source_ids_have_own_templates() {
    let templates = v9_from(1, &Bytes::default().set(0, &template(256, &FIELDS)));
    let flow = |id| v9_from(id, &Bytes::default().set(256, &good()));
    let (connections, tally) = read(&[templates, flow(1), flow(2)], &Settings::default());
    assert_eq!((connections, reasons(&tally)), (vec![ONE.to_owned()], vec![("noTemplate", 1)]));
}

#[test]
fn v9_options_are_not_flows() {
    // A scope of one field and two options, whose lengths are given in bytes (RFC 3954, 6.1), and a record of them.
    let options = Bytes::default().u16(&[257, 4, 8, 1, 4, 34, 4, 36, 2]).u16(&[0]);
    let record = Bytes::default().u32(&[1, 1000]).u16(&[60, 0]);
    let sets =
        Bytes::default().set(1, &options).set(257, &record).set(0, &template(256, &FIELDS)).set(256, &good());
    assert_eq!(counts(v9(&sets)), (1, 0));
}

#[test]
fn address_of_wrong_length_is_malformed() {
    let sets = |length| {
        let fields = [(8, length), (12, 4), (22, 4)];
        let record = Bytes::default().u8(&vec![7; usize::from(length)]).u8(&REMOTE).u32(&[69_500]);
        Bytes::default().set(0, &template(256, &fields)).set(256, &record)
    };
    let (_, tally) = read(&[v9(&sets(5))], &Settings::default());
    assert_eq!(tally.malformed(), 1);
    assert!(problem(&tally).contains("the source address is 5 bytes long"), "{}", problem(&tally));
    let (_, tally) = read(&[v9(&sets(0))], &Settings::default());
    assert_eq!((reasons(&tally), tally.malformed()), (vec![("otherEvent", 1)], 0), "there is none");
}

#[test]
fn other_protocols_are_named() {
    for (datagram, name) in [
        (&[0, 0, 0, 5, 0, 0, 0, 1][..], "sFlow"),
        (&[0, 7, 0, 1], "version is 7"),
        (b"<134>1 a syslog message", "version is 15409"),
        (&[0, 9, 0, 1], "cut off in its header"),
        (&[], "cut off in its header"),
        (&[0; 100], "version is 0"),
    ] {
        let (_, tally) = read(&[datagram.to_vec()], &Settings::default());
        assert_eq!((tally.records(), tally.malformed()), (1, 1));
        assert!(problem(&tally).contains(name), "{}", problem(&tally));
    }
}

#[test]
fn inner_header_of_tunnel_is_read() {
    // The key of the outer header in IPv6 with its ports and protocol, then that of the inner one, as Cisco's routers export SRv6.
    let outer = [(27, 16), (28, 16), (22, 4), (7, 2), (11, 2), (4, 1), (6, 2)];
    let inner = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 2)];
    let record =
        Bytes::default().u8(&[0xfd; 16]).u8(&[0xfe; 16]).u32(&[69_500]).u16(&[0, 0]).u8(&[4]).u16(&[0]);
    let record = record.u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 443]).u8(&[6]).u16(&[0x1b]);
    let sets = Bytes::default().set(0, &template(256, &[&outer[..], &inner].concat())).set(256, &record);
    assert_eq!(read(&[v9(&sets)], &Settings::default()).0, [ONE]);
}
