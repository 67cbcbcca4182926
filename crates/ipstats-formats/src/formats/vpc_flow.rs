//! AWS VPC flow logs: columns come from the header, or are those of the default format where there is none.

use crate::fields::columns::cut;
use crate::fields::scalar::{self, A_TIME, IP_ADDRESS};
use crate::fields::time;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader};
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
}

/// The columns that are read. The numbers are places in [`Row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
enum Field {
    Source,
    Destination,
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

/// Bits of `tcp-flags`, which AWS reports of the first packets only: ACK is set with SYN and nowhere else.
const SYN: u16 = 0x02;
const ACK: u16 = 0x10;

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
        Self { fields: DEFAULT.into_iter().map(Field::named).collect() }
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
        if missing.is_empty() { Ok(Self { fields }) } else { Err(missing) }
    }

    /// Reads one row, without its line end.
    pub(crate) fn read(&self, line: &[u8], reader: &mut Reader<'_>) -> Outcome {
        self.row(without_export_time(line))?.read(reader)
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
    fn read(&self, reader: &mut Reader<'_>) -> Outcome {
        if matches!(self.get(Field::LogStatus), Some(b"NODATA" | b"SKIPDATA")) {
            return Err(NotAConnection::OtherEvent.into());
        }
        let progress = self.progress()?;
        let source = self
            .ip(Field::PacketSource, "pkt-srcaddr")?
            .or(self.ip(Field::Source, "srcaddr")?)
            .ok_or(Malformed::Missing { field: "srcaddr" })?;
        let destination = self
            .ip(Field::PacketDestination, "pkt-dstaddr")?
            .or(self.ip(Field::Destination, "dstaddr")?)
            .ok_or(NotAConnection::NoRemoteIp)?;
        let is_egress = match self.get(Field::Direction) {
            Some(b"egress") => true,
            Some(b"ingress") => return Err(NotAConnection::Inbound.into()),
            Some(other) => return Err(is_not("egress or ingress", "flow-direction", other).into()),
            None => false,
        };
        // Between two of the organization's own, either may be whose interface this is, unless the direction is said.
        let is_its_interface = is_egress || !reader.is_internal(destination);
        reader.flow(&Flow {
            at: self.time()?,
            originator: source,
            responder: destination,
            originator_internal: is_egress.then_some(true),
            responder_internal: None,
            originator_name: self.device()?.filter(|_| is_its_interface),
            originator_mac: None,
            progress,
        })
    }

    /// How far the connection got, and whether it is one of the source at all: records are of packets in one direction.
    fn progress(&self) -> Result<Progress, crate::reader::Rejected> {
        let progress = match self.get(Field::Action) {
            Some(b"ACCEPT") => Progress::Opened,
            Some(b"REJECT") => Progress::Attempted,
            Some(other) => return Err(is_not("ACCEPT or REJECT", "action", other).into()),
            None => return Err(NotAConnection::OtherEvent.into()),
        };
        let (Some(b"6"), Some(flags)) = (self.get(Field::Protocol), self.get(Field::TcpFlags)) else {
            return Ok(progress);
        };
        let bits: u16 = str::from_utf8(flags)
            .ok()
            .and_then(|flags| flags.parse().ok())
            .ok_or_else(|| is_not("a number", "tcp-flags", flags))?;
        match (bits & SYN != 0, bits & ACK != 0) {
            (true, false) => Ok(progress),
            (true, true) => Err(NotAConnection::Inbound.into()),
            (false, _) => Ok(Progress::StartNotSeen),
        }
    }

    /// `instance-id`, else `interface-id`.
    fn device(&self) -> Result<Option<&'a str>, Malformed> {
        let device = self.get(Field::Instance).or(self.get(Field::Interface));
        device.map(str::from_utf8).transpose().map_err(|_| Malformed::NotUtf8)
    }

    fn get(&self, field: Field) -> Option<&'a [u8]> {
        self.0.get(field as usize).copied().flatten()
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
