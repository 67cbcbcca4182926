//! What is sent is counted: random good, odd and damaged records of one exporter, and the sum of what became of them.

use super::{Bytes, DEVICE, FIELDS, REMOTE, good, read, template, v5, v9};
use ipstats_formats::Settings;
use proptest::prelude::*;

/// A part of a datagram of version 9.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// A set with this many good flows.
    Good(u8),
    /// A set of flows that are not connections of a device.
    Inbound(u8),
    /// A set of an event without addresses.
    Event,
    /// A set whose template was not sent.
    NoTemplate,
    /// A set of a kind that is reserved.
    Reserved,
    /// A record about the exporter, which is not a flow.
    Options,
    /// A template again.
    Template,
    /// A good flow, then bytes that are not a record.
    Leftover,
}

/// What ends a datagram.
#[derive(Clone, Copy, Debug)]
enum End {
    Nothing,
    Zeros(u8),
    Garbage,
    /// A set with two flows, of which the second one is cut off.
    CutOff,
    WithoutLength,
}

/// A datagram.
#[derive(Clone, Debug)]
enum Datagram {
    V9(Vec<Part>, End),
    V5 { flows: u8, too_many: u8 },
    Junk(Vec<u8>),
}

/// Connections, records that are not connections, malformed records.
type Counts = [u64; 3];

impl Part {
    fn append(self, sets: Bytes) -> (Bytes, Counts) {
        let flows = |count, flow: &Bytes| (0..count).fold(Bytes::default(), |bytes, _| bytes.u8(&flow.0));
        let answer =
            Bytes::default().u8(&REMOTE).u8(&DEVICE).u16(&[443, 49_152]).u8(&[6, 0x1b]).u32(&[69_500]);
        match self {
            Self::Good(count) => (sets.set(256, &flows(count, &good())), [count.into(), 0, 0]),
            Self::Inbound(count) => (sets.set(256, &flows(count, &answer)), [0, count.into(), 0]),
            Self::Event => (sets.set(257, &Bytes::default().u32(&[1, 2])), [0, 1, 0]),
            Self::NoTemplate => (sets.set(999, &good()), [0, 1, 0]),
            Self::Reserved => (sets.set(77, &good()), [0, 1, 0]),
            Self::Options => (sets.set(258, &Bytes::default().u32(&[1, 1])), [0, 0, 0]),
            Self::Template => (sets.set(0, &template(256, &FIELDS)), [0, 0, 0]),
            Self::Leftover => (sets.set(256, &good().u8(&[1; 7])), [1, 0, 1]),
        }
    }
}

impl End {
    fn append(self, sets: Bytes) -> (Bytes, Counts) {
        match self {
            Self::Nothing => (sets, [0; 3]),
            Self::Zeros(count) => (sets.u8(&vec![0; count.into()]), [0; 3]),
            Self::Garbage => (sets.u8(&[0xff, 1, 2]), [0, 0, 1]),
            Self::CutOff => {
                let mut cut = sets.set(256, &good().u8(&good().0));
                cut.0.truncate(cut.0.len() - 5);
                (cut, [1, 0, 1])
            }
            Self::WithoutLength => (sets.u16(&[256, 0]).u8(&good().0), [0, 0, 1]),
        }
    }
}

impl Datagram {
    fn bytes(&self) -> (Vec<u8>, Counts) {
        let mut counts = [0; 3];
        let mut add = |more: Counts| counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        let bytes = match self {
            Self::V9(parts, end) => {
                let sets = parts.iter().fold(Bytes::default(), |sets, part| {
                    let (sets, more) = part.append(sets);
                    add(more);
                    sets
                });
                let (sets, more) = end.append(sets);
                add(more);
                v9(&sets)
            }
            Self::V5 { flows, too_many } => {
                let mut bytes = v5(&vec![(DEVICE, REMOTE, [49_152, 443], 0x1b, 6); usize::from(*flows)]);
                bytes[3] += too_many;
                add([u64::from(*flows), 0, u64::from(*too_many > 0)]);
                bytes
            }
            Self::Junk(junk) => {
                add([0, 0, 1]);
                [&[0xee][..], junk].concat()
            }
        };
        (bytes, counts)
    }
}

fn datagram() -> impl Strategy<Value = Datagram> {
    let part = prop_oneof![
        (1..20_u8).prop_map(Part::Good),
        (1..20_u8).prop_map(Part::Inbound),
        Just(Part::Event),
        Just(Part::NoTemplate),
        Just(Part::Reserved),
        Just(Part::Options),
        Just(Part::Template),
        Just(Part::Leftover),
    ];
    let end = prop_oneof![
        Just(End::Nothing),
        (0..100_u8).prop_map(End::Zeros),
        Just(End::Garbage),
        Just(End::CutOff),
        Just(End::WithoutLength),
    ];
    prop_oneof![
        4 => (proptest::collection::vec(part, 0..8), end).prop_map(|(parts, end)| Datagram::V9(parts, end)),
        1 => (0..30_u8, 0..3_u8).prop_map(|(flows, too_many)| Datagram::V5 { flows, too_many }),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Datagram::Junk),
    ]
}

proptest! {
    #[test]
    fn outcomes_add_up_to_what_was_sent(sent in proptest::collection::vec(datagram(), 1..12)) {
        // Flows, events (octets and packets), and options with a scope of one field.
        let templates = Bytes::default()
            .set(0, &template(256, &FIELDS).u8(&template(257, &[(1, 4), (2, 4)]).0))
            .set(1, &Bytes::default().u16(&[258, 4, 4, 1, 4, 34, 4, 0]));
        let mut datagrams = vec![v9(&templates)];
        let mut expected = [0; 3];
        for datagram in &sent {
            let (bytes, counts) = datagram.bytes();
            datagrams.push(bytes);
            expected.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let (connections, tally) = read(&datagrams, &Settings::default());
        let not_connections = tally.not_a_connection().map(|(_, count)| count).sum::<u64>();
        prop_assert_eq!([connections.len() as u64, not_connections, tally.malformed()], expected, "{:?}", tally);
        prop_assert_eq!(tally.records(), expected.iter().sum::<u64>());
    }
}
