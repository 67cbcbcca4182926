//! AWS VPC flow logs: columns come from the header, or are those of the default format where there is none.

use crate::fields::columns::cut;
use crate::fields::scalar::{self, A_TIME, IP_ADDRESS};
use crate::fields::time;
use crate::flow_rules::{self, FlowEvidence, TcpFlags};
use crate::formats::amazon_vpc::{FlowDirection, VpcFlow};
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Reader};
use ipstats_model::{CanonicalIp, Timestamp};
use std::str;
use strum::VariantArray;

/// The columns of the default format (version 2), which carries no header outside S3.
const DEFAULT: [&[u8]; 14] = [
    b"version",
    b"account-id",
    b"interface-id",
    b"srcaddr",
    b"dstaddr",
    b"srcport",
    b"dstport",
    b"protocol",
    b"packets",
    b"bytes",
    b"start",
    b"end",
    b"action",
    b"log-status",
];

/// Where the columns are that are read.
#[derive(Debug)]
pub(crate) struct Columns {
    /// For each column, which field it is.
    fields: Vec<Field>,
    evidence: Evidence,
}

/// Whether the columns can show which end opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// By ports, for TCP and UDP.
    Ports,
    /// By flags only: of UDP, the direction of the packets is all there is.
    Flags,
    /// Not at all: the direction of the packets is all there is.
    Nothing,
}

/// The columns that are read. The numbers are places in [`Row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
enum Field {
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    PacketSource,
    PacketDestination,
    Start,
    Action,
    LogStatus,
    Interface,
    Instance,
    Direction,
    Protocol,
    TcpFlags,
    /// Not read; it has no place.
    Other,
}

/// The fields of one row by [`Field`]; those that the log lacks are unset.
#[derive(Debug)]
struct Row<'a>([Option<&'a [u8]>; Field::Other as usize]);

const _: () = assert!(Field::Other as usize == Field::VARIANTS.len() - 1, "every other field has a place");

/// Whether a line is a header: a row never names the destination's column.
pub(crate) fn is_header(line: &[u8]) -> bool {
    line.split(|byte| *byte == b' ').any(|name| {
        Field::named(name) == Field::Destination || Field::named(name) == Field::PacketDestination
    })
}

/// Whether a line is a row of the default format.
pub(crate) fn is_default_row(line: &[u8]) -> bool {
    let columns: Vec<&[u8]> = without_export_time(line).split(|byte| *byte == b' ').collect();
    let [version, _, interface, .., action, status] = columns.as_slice() else { return false };
    columns.len() == DEFAULT.len()
        && *version == b"2"
        && interface.starts_with(b"eni-")
        && matches!(*action, b"ACCEPT" | b"REJECT" | b"-")
        && matches!(*status, b"OK" | b"NODATA" | b"SKIPDATA")
}

/// A row without the time that an export of CloudWatch Logs puts before it.
fn without_export_time(line: &[u8]) -> &[u8] {
    match line.split_first_chunk::<24>() {
        Some((time, [b' ', row @ ..])) if time.ends_with(b"Z") && time.get(10) == Some(&b'T') => row,
        _ => line,
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self { fields: DEFAULT.into_iter().map(Field::named).collect(), evidence: Evidence::Ports }
    }
}

impl Columns {
    /// The columns of a header, or the names of those that are needed and missing.
    pub(crate) fn new(header: &[u8]) -> Result<Self, Vec<&'static str>> {
        let fields: Vec<Field> = header.split(|byte| *byte == b' ').map(Field::named).collect();
        let has = |field| fields.contains(&field);
        let needed = [
            (has(Field::Source) || has(Field::PacketSource), "srcaddr"),
            (has(Field::Destination) || has(Field::PacketDestination), "dstaddr"),
            (has(Field::Start), "start"),
            (has(Field::Action), "action"),
        ];
        let missing: Vec<_> =
            needed.into_iter().filter(|(is_there, _)| !is_there).map(|(_, name)| name).collect();
        let evidence = if has(Field::SourcePort) && has(Field::DestinationPort) {
            Evidence::Ports
        } else if has(Field::TcpFlags) {
            Evidence::Flags
        } else {
            Evidence::Nothing
        };
        if missing.is_empty() { Ok(Self { fields, evidence }) } else { Err(missing) }
    }

    /// Reads one row, without its line end.
    pub(crate) fn read(&self, line: &[u8], reader: &mut Reader<'_>) -> Outcome {
        self.row(without_export_time(line))?.read(self.evidence, reader)
    }

    /// Cuts a line into its columns, of which it must have as many as the header.
    fn row<'a>(&self, line: &'a [u8]) -> Result<Row<'a>, Malformed> {
        let places = self.fields.iter().map(|field| *field as usize);
        cut(line, b' ', places, self.fields.len(), |value| !matches!(value, b"-" | b"")).map(Row)
    }
}

impl Field {
    /// The field of a column, which Athena and Parquet write with underscores.
    fn named(name: &[u8]) -> Self {
        match name {
            b"srcaddr" => Self::Source,
            b"dstaddr" => Self::Destination,
            b"srcport" => Self::SourcePort,
            b"dstport" => Self::DestinationPort,
            b"pkt-srcaddr" | b"pkt_srcaddr" => Self::PacketSource,
            b"pkt-dstaddr" | b"pkt_dstaddr" => Self::PacketDestination,
            b"start" => Self::Start,
            b"action" => Self::Action,
            b"log-status" | b"log_status" => Self::LogStatus,
            b"interface-id" | b"interface_id" => Self::Interface,
            b"instance-id" | b"instance_id" => Self::Instance,
            b"flow-direction" | b"flow_direction" => Self::Direction,
            b"protocol" => Self::Protocol,
            b"tcp-flags" | b"tcp_flags" => Self::TcpFlags,
            _ => Self::Other,
        }
    }
}

impl<'a> Row<'a> {
    fn read(&self, evidence: Evidence, reader: &mut Reader<'_>) -> Outcome {
        if matches!(self.get(Field::LogStatus), Some(b"NODATA" | b"SKIPDATA")) {
            return Err(NotAConnection::OtherEvent.into());
        }
        let is_accepted = match self.get(Field::Action) {
            Some(b"ACCEPT") => true,
            Some(b"REJECT") => false,
            Some(other) => return Err(is_not("ACCEPT or REJECT", "action", other).into()),
            None => return Err(NotAConnection::OtherEvent.into()),
        };
        let source = self.end(Field::PacketSource, Field::Source, "srcaddr")?;
        let destination = self.end(Field::PacketDestination, Field::Destination, "dstaddr")?;
        let differ = |packet, interface| match (self.get(packet), self.get(interface)) {
            (Some(packet), Some(interface)) => packet != interface,
            _ => false,
        };
        VpcFlow {
            is_accepted,
            source: source.ok_or(Malformed::Missing { field: "srcaddr" })?,
            destination: destination.ok_or(NotAConnection::NoRemoteIp)?,
            is_source_passed_on: differ(Field::PacketSource, Field::Source),
            is_destination_passed_on: differ(Field::PacketDestination, Field::Destination),
            direction: match self.get(Field::Direction) {
                Some(b"egress") => Some(FlowDirection::Egress),
                Some(b"ingress") => Some(FlowDirection::Ingress),
                Some(other) => return Err(is_not("egress or ingress", "flow-direction", other).into()),
                None => None,
            },
            instance: self.text(Field::Instance)?,
            interface: self.text(Field::Interface)?,
            interface_address: self.text(Field::Source)?,
            evidence: self.evidence(evidence)?,
            at: || self.time(),
        }
        .read(reader)
    }

    /// What the row shows of the end that opened the connection, where the columns of the log can show it.
    fn evidence(&self, evidence: Evidence) -> Result<Option<FlowEvidence>, Malformed> {
        let protocol = self.number(Field::Protocol, "protocol")?;
        let is_shown = match evidence {
            Evidence::Ports => true,
            Evidence::Flags => protocol != Some(flow_rules::UDP),
            Evidence::Nothing => matches!(protocol, Some(flow_rules::ICMP | flow_rules::ICMP_V6)),
        };
        if !is_shown {
            return Ok(None);
        }
        let flags = match protocol {
            Some(flow_rules::TCP) | None => self.number(Field::TcpFlags, "tcp-flags")?,
            Some(_) => None,
        };
        Ok(Some(FlowEvidence {
            protocol: protocol.or(flags.map(|_| flow_rules::TCP)),
            source_port: self.number(Field::SourcePort, "srcport")?,
            destination_port: self.number(Field::DestinationPort, "dstport")?,
            // AWS reports an ACK with a SYN only.
            opening_flags: flags.map(TcpFlags::from_bits),
            ..FlowEvidence::default()
        }))
    }

    fn text(&self, field: Field) -> Result<Option<&'a str>, Malformed> {
        self.get(field).map(str::from_utf8).transpose().map_err(|_| Malformed::NotUtf8)
    }

    fn get(&self, field: Field) -> Option<&'a [u8]> {
        self.0.get(field as usize).copied().flatten()
    }

    /// An end of the connection: as its packets have it, else as the interface has it.
    fn end(
        &self,
        packet: Field,
        interface: Field,
        name: &'static str,
    ) -> Result<Option<CanonicalIp>, Malformed> {
        match self.ip(packet, name)? {
            Some(ip) => Ok(Some(ip)),
            None => self.ip(interface, name),
        }
    }

    fn number<T: str::FromStr>(&self, field: Field, name: &'static str) -> Result<Option<T>, Malformed> {
        let Some(text) = self.get(field) else { return Ok(None) };
        let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| is_not("a number", name, text))
    }

    fn ip(&self, field: Field, name: &'static str) -> Result<Option<CanonicalIp>, Malformed> {
        let Some(text) = self.get(field) else { return Ok(None) };
        scalar::ip(text).map(Some).ok_or_else(|| is_not(IP_ADDRESS, name, text))
    }

    fn time(&self) -> Result<Timestamp, Malformed> {
        let text = self.get(Field::Start).ok_or(Malformed::Missing { field: "start" })?;
        time::from_epoch_text(text).ok_or_else(|| is_not(A_TIME, "start", text))
    }
}

fn is_not(expected: &'static str, field: &'static str, value: &[u8]) -> Malformed {
    Malformed::Invalid { field, value: scalar::shown(&String::from_utf8_lossy(value)), expected }
}
