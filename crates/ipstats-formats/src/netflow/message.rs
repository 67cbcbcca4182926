//! Messages of NetFlow and IPFIX: headers, sets, and the records in them.

use super::cursor::{Cursor, are_zero};
use super::error::DatagramError;
use super::evidence;
use super::exporters::{Exporter, Exporters, Version};
use super::record::{self, Record, V5_FLOW_BYTES};
use super::start::{ExportClock, NoStart};
use super::template::{TEMPLATE_IDS_START, Template, TemplateChange, TemplateSet};
use crate::flow_rules::Opener;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Reader};
use std::net::SocketAddr;

/// Sets begin and end at multiples of this many bytes, or should.
const ALIGNMENT_BYTES: usize = 4;

/// Reads the messages of one datagram.
pub(super) struct MessageReader<'a, 'b> {
    exporters: &'a mut Exporters,
    address: SocketAddr,
    /// The number of the datagram.
    number: u64,
    reader: &'a mut Reader<'b>,
}

/// A set without its header.
#[derive(Clone, Copy, Debug)]
struct Set<'a> {
    id: u16,
    content: &'a [u8],
    /// The message ends before the set does.
    is_cut_off: bool,
}

/// Whether bytes begin with a version that is read.
pub(super) fn is_known_version(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 5 | 9 | 10, ..])
}

impl<'a> Set<'a> {
    /// Takes the next set of a message. Where there is none, what remains is padding, or something that is not a set.
    fn take(message: &mut Cursor<'a>) -> Option<Self> {
        const HEADER_BYTES: u16 = 4;
        let mut rest = *message;
        let (id, length) = (rest.u16()?, rest.u16()?);
        let length = usize::from(length.checked_sub(HEADER_BYTES)?);
        let is_cut_off = rest.rest().len() < length;
        let content = rest.take(length.min(rest.rest().len()))?;
        *message = rest;
        Some(Self { id, content, is_cut_off })
    }

    /// How many bytes at the end are 0, and so are padding where a record or a template would begin.
    fn zeros_at_end(&self) -> usize {
        self.content.iter().rev().take_while(|byte| **byte == 0).count()
    }
}

impl<'a, 'b> MessageReader<'a, 'b> {
    pub(super) const fn new(
        exporters: &'a mut Exporters,
        address: SocketAddr,
        number: u64,
        reader: &'a mut Reader<'b>,
    ) -> Self {
        Self { exporters, address, number, reader }
    }

    /// Reads the message at the front of `bytes`, and returns what follows it.
    pub(super) fn read<'c>(&mut self, bytes: &'c [u8]) -> &'c [u8] {
        let mut message = Cursor::new(bytes);
        let rest = match message.u16() {
            Some(5) => self.read_v5(&mut message),
            Some(9) => self.read_v9(&mut message),
            Some(10) => self.read_ipfix(&mut message),
            // The version of sFlow has 4 bytes.
            Some(0) if matches!(bytes, [0, 0, 0, 2 | 4 | 5, ..]) => {
                self.report(DatagramError::Sflow);
                Some(&[][..])
            }
            Some(version) => {
                self.report(DatagramError::Version { version });
                Some(&[][..])
            }
            None => None,
        };
        rest.unwrap_or_else(|| {
            self.report(DatagramError::CutOff { part: "its header" });
            &[]
        })
    }

    /// Counts something that cannot be read as a malformed record.
    pub(super) fn report(&mut self, error: DatagramError) {
        self.reader.record(self.number, |_| Err(Malformed::Datagram(error).into()));
    }

    fn count(&mut self, reason: NotAConnection) {
        self.reader.record(self.number, |_| Err(reason.into()));
    }

    /// Reads version 5; nothing where the header is cut off.
    fn read_v5<'c>(&mut self, message: &mut Cursor<'c>) -> Option<&'c [u8]> {
        let (count, uptime, seconds, nanoseconds) =
            (message.u16()?, message.u32()?, message.u32()?, message.u32()?);
        // Sequence number, engine, sampling.
        message.take(8)?;
        let exported_millis = i64::from(seconds) * 1000 + i64::from(nanoseconds / 1_000_000);
        let clock = ExportClock::with_uptime(exported_millis, uptime);
        for _ in 0..count {
            let Some(flow) = message.array::<V5_FLOW_BYTES>() else {
                self.report(DatagramError::CutOff {
                    part: "its last flow, or the header counts more flows than there are",
                });
                return Some(&[]);
            };
            read_flow(&Record::from_v5(&flow), clock, self.number, self.reader);
        }
        Some(message.rest())
    }

    /// Reads version 9; nothing where the header is cut off.
    fn read_v9<'c>(&mut self, message: &mut Cursor<'c>) -> Option<&'c [u8]> {
        // Exporters count records, templates or sets here, and not all of them right: the end of the datagram is the end.
        let _count = message.u16()?;
        let (uptime, seconds, _sequence, domain) =
            (message.u32()?, message.u32()?, message.u32()?, message.u32()?);
        let clock = ExportClock::with_uptime(i64::from(seconds) * 1000, uptime);
        let exporter = Exporter { address: self.address, version: Version::V9, domain };
        // The versions are reserved as ids of sets: they are those of another message.
        while !is_known_version(message.rest())
            && let Some(set) = Set::take(message)
        {
            self.read_set(set, exporter, clock);
        }
        Some(message.rest())
    }

    /// Reads IPFIX; nothing where the header is cut off.
    fn read_ipfix<'c>(&mut self, message: &mut Cursor<'c>) -> Option<&'c [u8]> {
        const HEADER_BYTES: usize = 16;
        let (length, seconds, _sequence, domain) =
            (message.u16()?, message.u32()?, message.u32()?, message.u32()?);
        let all = message.rest();
        let length_of_sets = usize::from(length).checked_sub(HEADER_BYTES);
        if length_of_sets.is_none() {
            self.report(DatagramError::Length { part: "the message", length });
        }
        let length_of_sets = length_of_sets.unwrap_or(all.len());
        let (sets, rest) = match all.split_at_checked(length_of_sets) {
            Some((sets, rest)) if is_known_version(rest) || are_zero(rest) => (sets, rest),
            // The length is wrong: the end of the datagram is the end.
            _ => (all, &[][..]),
        };
        let is_cut_off = sets.len() < length_of_sets;
        let exporter = Exporter { address: self.address, version: Version::Ipfix, domain };
        let (mut sets, mut is_reported) = (Cursor::new(sets), false);
        while let Some(set) = Set::take(&mut sets) {
            is_reported |= set.is_cut_off;
            let clock = ExportClock {
                exported_millis: i64::from(seconds) * 1000,
                started_millis: self.exporters.started_millis(&exporter),
            };
            self.read_set(set, exporter, clock);
        }
        if !are_zero(sets.rest()) {
            self.report(DatagramError::Trailing { part: "the last set", bytes: sets.rest().len() });
        } else if is_cut_off && !is_reported {
            self.report(DatagramError::CutOff { part: "the message" });
        }
        Some(rest)
    }

    fn read_set(&mut self, set: Set<'_>, exporter: Exporter, clock: ExportClock) {
        match (set.id, exporter.version) {
            (0, Version::V9) => self.read_templates(TemplateSet::V9, set, exporter),
            (1, Version::V9) => self.read_templates(TemplateSet::V9Options, set, exporter),
            (2, Version::Ipfix) => self.read_templates(TemplateSet::Ipfix, set, exporter),
            (3, Version::Ipfix) => self.read_templates(TemplateSet::IpfixOptions, set, exporter),
            (TEMPLATE_IDS_START.., _) => self.read_records(set, exporter, clock),
            _ if set.is_cut_off => self.report(DatagramError::CutOff { part: "a set" }),
            // Reserved for kinds of sets to come.
            _ => self.count(NotAConnection::OtherEvent),
        }
    }

    fn read_templates(&mut self, kind: TemplateSet, set: Set<'_>, exporter: Exporter) {
        let mut rest = Cursor::new(set.content);
        let padding_max = set.zeros_at_end().max(ALIGNMENT_BYTES - 1);
        while rest.rest().len() > padding_max {
            let Some(change) = kind.read(&mut rest) else {
                self.report(DatagramError::CutOff { part: "a template" });
                return;
            };
            let state = self.exporters.find_or_add(exporter);
            match change {
                TemplateChange::Define(id, template) => state.define(id, template),
                TemplateChange::Withdraw(id) => state.withdraw(id),
                TemplateChange::WithdrawAll { is_options } => state.withdraw_all(is_options),
                TemplateChange::Refuse(id, error) => {
                    state.withdraw(id);
                    self.report(error);
                }
            }
        }
        if set.is_cut_off {
            self.report(DatagramError::CutOff { part: "a set of templates" });
        }
    }

    /// A set that no template divides into records is one record.
    fn count_without_template(&mut self, set: Set<'_>) {
        if set.is_cut_off {
            self.report(DatagramError::CutOff { part: "a set" });
        } else {
            self.count(NotAConnection::NoTemplate);
        }
    }

    fn read_records(&mut self, set: Set<'_>, exporter: Exporter, clock: ExportClock) {
        let Some(state) = self.exporters.find(&exporter) else { return self.count_without_template(set) };
        let Some(template) = state.template(set.id) else { return self.count_without_template(set) };
        let mut rest = Cursor::new(set.content);
        let zeros_at_end = set.zeros_at_end();
        let mut next =
            || if rest.rest().len() > zeros_at_end { read_record(template, &mut rest) } else { None };
        if template.is_options {
            let mut started_millis = None;
            while let Some(record) = next() {
                started_millis = started_millis.or(record.times.exporter_start());
            }
            state.started_millis = started_millis.or(state.started_millis);
        } else {
            while let Some(record) = next() {
                read_flow(&record, clock, self.number, self.reader);
            }
        }
        let left = rest.rest();
        if set.is_cut_off {
            self.report(DatagramError::CutOff { part: "a set of records" });
        } else if left.len() > zeros_at_end.max(ALIGNMENT_BYTES - 1) {
            self.report(DatagramError::Trailing { part: "the last record of a set", bytes: left.len() });
        }
    }
}

/// Reads the next record of a set; nothing where what is left is shorter than a record. Padding is always shorter (RFC 7011, 3.3.1).
fn read_record(template: &Template, set: &mut Cursor<'_>) -> Option<Record> {
    let mut record = Record::default();
    let mut rest = *set;
    template.read(&mut rest, |element, bytes| record.take(element, bytes))?;
    *set = rest;
    Some(record)
}

/// Reads a flow record, and counts what became of it.
fn read_flow(record: &Record, clock: ExportClock, number: u64, reader: &mut Reader<'_>) {
    reader.record(number, |reader| read_connection(record, clock, reader));
}

fn read_connection(record: &Record, clock: ExportClock, reader: &mut Reader<'_>) -> Outcome {
    // That addresses are translated shows that a packet was sent, not that it was answered.
    if record.nat_event.is_some() && !record.times.has_duration() {
        return Err(NotAConnection::OtherEvent.into());
    }
    let (source, destination) = record.addresses()?;
    let (originator, responder, progress) = match evidence::opener(record)? {
        Opener::Source(progress) => (source, destination, progress),
        Opener::Destination(progress) => (destination, source, progress),
    };
    let mac = record.source_mac.filter(|_| originator == source);
    reader.flow(&Flow {
        at: record.times.start(clock).map_err(|reason| match reason {
            NoStart::ExporterStartUnknown => Malformed::ExporterStartUnknown,
            NoStart::Missing => Malformed::Datagram(DatagramError::NoTime),
        })?,
        originator,
        responder,
        originator_internal: None,
        responder_internal: None,
        originator_name: None,
        originator_mac: mac.map(record::mac_text).as_deref(),
        progress,
    })
}
