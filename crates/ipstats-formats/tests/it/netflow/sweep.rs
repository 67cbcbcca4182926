//! Templates with every field there is beside those of a good flow: the flow counts, whatever the field is.

use super::{Bytes, DEVICE, EXPORTED, FIELDS, REMOTE, good, ipfix, template, v9};
use ipstats_formats::netflow::Datagrams;
use ipstats_formats::{Settings, Tally};
use ipstats_model::Batch;
use std::net::SocketAddr;

/// The length of a field that has its length in each record.
const VARIABLE: u16 = u16::MAX;

/// Fields of every number have one of these lengths; those of the first numbers all of them.
const LENGTHS: [u16; 9] = [0, 1, 2, 3, 4, 8, 16, 65, VARIABLE];

/// Numbers that firewalls of Cisco and Palo Alto, and exporters of ntop, Barracuda and Citrix, add to those of IANA.
const ADDED: [u16; 10] = [33_000, 33_001, 33_002, 40_000, 40_005, 56_701, 56_702, 57_472, 57_590, 65_535];

/// Private enterprise numbers: Cisco, Netscaler, CERT, Fortinet, Palo Alto, the reverse direction, ntop, and the last one.
const ENTERPRISES: [u32; 8] = [9, 5951, 6871, 12_356, 25_461, 29_305, 35_632, u32::MAX];

/// A field of this length whose bytes are all 0 but the last one, as they are in a record.
fn value(length: u16, last: u8) -> Bytes {
    match length {
        0 => Bytes::default(),
        // A length in one byte, and in two after 255.
        VARIABLE if last.is_multiple_of(2) => Bytes::default().u8(&[5, 0, 0, 0, 0, last]),
        VARIABLE => Bytes::default().u8(&[255, 0, 3, 0, 0, last]),
        length => {
            let zeros = vec![0; usize::from(length) - 1];
            Bytes::default().u8(&zeros).u8(&[last])
        }
    }
}

/// Reads datagrams of a template and a flow, of which each is one connection.
#[derive(Default)]
struct Sweep {
    reader: Datagrams,
    settings: Settings,
    batch: Batch,
    tally: Tally,
    flows: u64,
}

impl Sweep {
    fn read(&mut self, datagram: &[u8], field: &dyn std::fmt::Debug) {
        let exporter: SocketAddr = "192.0.2.1:2055".parse().unwrap();
        self.reader.parse(exporter, datagram, &self.settings, &mut self.batch, &mut self.tally);
        self.flows += 1;
        assert_eq!(self.tally.connections(), self.flows, "{field:?} {:?}", self.tally);
        assert_eq!(self.tally.records(), self.flows, "{field:?} {:?}", self.tally);
    }

    /// A flow of version 9 with one more field.
    fn v9(&mut self, element: u16, length: u16, last: u8) {
        let fields = [&FIELDS[..], &[(element, length)]].concat();
        let record = good().u8(&value(length, last).0);
        let sets = Bytes::default().set(0, &template(256, &fields)).set(256, &record);
        self.read(&v9(&sets), &(element, length, last));
    }

    /// A flow of IPFIX with one more field, after the others or before them.
    fn ipfix(&mut self, enterprise: Option<u32>, element: u16, length: u16, is_first: bool) {
        let own = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 152, 8];
        let added = match enterprise {
            None => Bytes::default().u16(&[element, length]),
            Some(enterprise) => Bytes::default().u16(&[element | 0x8000, length]).u32(&[enterprise]),
        };
        let own = Bytes::default().u16(&own);
        let fields = if is_first { [added.0, own.0] } else { [own.0, added.0] }.concat();
        let started = u64::from(EXPORTED) * 1000 - 5000;
        let own = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 443]).u8(&[6, 0x1b]).u64(started);
        let added = value(length, 100);
        let record = if is_first { [added.0, own.0] } else { [own.0, added.0] }.concat();
        let template = Bytes::default().u16(&[300, 8]).u8(&fields);
        let sets = Bytes::default().set(2, &template).set(300, &Bytes::default().u8(&record));
        self.read(&ipfix(7, &sets), &(enterprise, element, length, is_first));
    }
}

#[test]
fn v9_flow_counts_beside_any_field() {
    let mut sweep = Sweep::default();
    for element in (1..=500).chain(ADDED) {
        for length in LENGTHS {
            sweep.v9(element, length, 100);
            sweep.v9(element, length, 0);
        }
    }
    for element in 501..=u16::MAX {
        sweep.v9(element, LENGTHS[usize::from(element) % LENGTHS.len()], 99);
    }
}

#[test]
fn ipfix_flow_counts_beside_any_field() {
    let mut sweep = Sweep::default();
    for element in 1..=500 {
        for length in LENGTHS {
            sweep.ipfix(None, element, length, false);
        }
    }
    for element in 501..0x8000 {
        sweep.ipfix(None, element, LENGTHS[usize::from(element) % LENGTHS.len()], element.is_multiple_of(2));
    }
}

#[test]
fn ipfix_flow_counts_beside_any_enterprise_field() {
    let mut sweep = Sweep::default();
    for enterprise in ENTERPRISES {
        for element in 0..=500 {
            // Flags of its first packet, which are read: a first packet that is not a SYN is midstream.
            if (enterprise, element) == (6871, 14) {
                continue;
            }
            for length in LENGTHS {
                sweep.ipfix(Some(enterprise), element, length, element.is_multiple_of(2));
            }
        }
        for element in (501..0x8000).step_by(13) {
            let length = LENGTHS[usize::from(element) % LENGTHS.len()];
            sweep.ipfix(Some(enterprise), element, length, element.is_multiple_of(2));
        }
    }
}

#[test]
fn structured_data_is_skipped() {
    // basicList, subTemplateList, subTemplateMultiList (RFC 6313), fixed and variable, before and after the flow.
    let mut sweep = Sweep::default();
    for element in [291, 292, 293] {
        for length in [VARIABLE, 40] {
            sweep.ipfix(None, element, length, true);
            sweep.ipfix(None, element, length, false);
        }
    }
}
