//! Zeek conn.log, tab-separated. Columns come from `#fields`, never by position.

use crate::fields::columns::cut;
use crate::fields::scalar::{self, A_TIME, IP_ADDRESS};
use crate::fields::time::{self, Zone};
use crate::formats::zeek::{self, Icmp};
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader, Rejected};
use ipstats_model::CanonicalIp;
use std::str;
use strum::VariantArray;

/// What the header lines of a Zeek log say about its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) separator: u8,
    pub(crate) unset: Vec<u8>,
    pub(crate) empty: Vec<u8>,
    pub(crate) path: Option<String>,
}

/// Where the columns are that are read.
#[derive(Debug)]
pub(crate) struct Columns {
    header: Header,
    /// For each column up to the last that is read, which field it is.
    fields: Vec<Field>,
    /// Columns up to the last that is read of every record.
    usual: usize,
    /// Columns of a row.
    count: usize,
    /// Whether these are connections, whatever `#path` calls them: `conn`, `open_conn`, `conn-exc`.
    is_conn: bool,
}

/// The columns that are read. The numbers are places in [`Row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
enum Field {
    Time,
    Originator,
    Responder,
    State,
    LocalOriginator,
    LocalResponder,
    OriginatorMac,
    Protocol,
    /// The type of the message, where the protocol is ICMP.
    OriginatorPort,
    OriginatorPackets,
    ResponderPackets,
    /// Read of records that did not open.
    History,
    /// Not read; it has no place.
    Other,
}

/// The fields of one row by [`Field`]; those that the log lacks are unset.
#[derive(Debug)]
struct Row<'a>([Option<&'a [u8]>; Field::Other as usize]);

const _: () = assert!(Field::Other as usize == Field::VARIANTS.len() - 1, "every other field has a place");

impl Default for Header {
    fn default() -> Self {
        Self { separator: b'\t', unset: b"-".to_vec(), empty: b"(empty)".to_vec(), path: None }
    }
}

impl Columns {
    /// The columns of a `#fields` line, or the names of those that are needed and missing.
    pub(crate) fn new<'a>(
        header: Header,
        names: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, Vec<&'static str>> {
        let mut fields: Vec<Field> = names.map(Field::named).collect();
        let count = fields.len();
        let needed = [
            (Field::Time, "ts"),
            (Field::Originator, "id.orig_h"),
            (Field::Responder, "id.resp_h"),
            (Field::State, "conn_state"),
        ];
        let missing = needed.into_iter().filter(|(field, _)| !fields.contains(field)).map(|(_, name)| name);
        let missing: Vec<_> = missing.collect();
        let is_named_conn = header.path.as_deref().is_none_or(|path| path == "conn");
        if is_named_conn && !missing.is_empty() {
            return Err(missing);
        }
        let is_conn = missing.is_empty();
        let read = fields.iter().rposition(|field| *field != Field::Other).map_or(0, |last| last + 1);
        fields.truncate(read);
        let usual = fields.iter().rposition(|field| !field.is_rare()).map_or(0, |last| last + 1);
        Ok(Self { header, fields, usual, count, is_conn })
    }

    /// The columns that are needed and are not among `names`.
    pub(crate) fn missing(names: &[String]) -> Vec<&'static str> {
        Self::new(Header::default(), names.iter().map(String::as_bytes)).err().unwrap_or_default()
    }

    /// Columns of rows that arrive without a header; nothing where there are none, or a needed one is missing.
    pub(crate) fn named(names: &[String]) -> Option<Self> {
        let columns = Self::new(Header::default(), names.iter().map(String::as_bytes)).ok()?;
        (!names.is_empty()).then_some(columns)
    }

    /// Reads one line of rows, without its line end.
    pub(crate) fn read(&self, line: &[u8], reader: &mut Reader<'_>) -> Outcome {
        if !self.is_conn {
            if let Some(path) = &self.header.path {
                zeek::note_other_log(path, reader);
            }
            return Err(NotAConnection::OtherEvent.into());
        }
        let row = self.row(line, self.usual)?;
        let Some(state) = row.get(Field::State) else { return Err(NotAConnection::OtherEvent.into()) };
        let originator =
            row.ip(Field::Originator, "id.orig_h")?.ok_or(Malformed::Missing { field: "id.orig_h" })?;
        let progress = match row.get(Field::Protocol) {
            Some(proto) if zeek::is_icmp(proto) => {
                self.row(line, self.fields.len())?.icmp().progress(originator)?
            }
            _ => zeek::progress(state).ok_or_else(|| is_not(zeek::A_CONN_STATE, "conn_state", state))?,
        };
        if progress != Progress::Opened
            && let Some(history) = self.row(line, self.fields.len())?.get(Field::History)
        {
            zeek::note_history(history, reader);
        }
        reader.flow(&Flow {
            at: row.time()?,
            originator,
            responder: row.ip(Field::Responder, "id.resp_h")?.ok_or(NotAConnection::NoRemoteIp)?,
            originator_internal: row.flag(Field::LocalOriginator),
            responder_internal: row.flag(Field::LocalResponder),
            originator_name: None,
            originator_mac: match row.get(Field::OriginatorMac) {
                Some(mac) => Some(str::from_utf8(mac).map_err(|_| Malformed::NotUtf8)?),
                None => None,
            },
            progress,
        })
    }

    /// Cuts a line into its columns, of which it must have as many as the header; `read` of them are kept.
    fn row<'a>(&self, line: &'a [u8], read: usize) -> Result<Row<'a>, Malformed> {
        let places = self.fields.iter().take(read).map(|field| *field as usize);
        cut(line, self.header.separator, places, self.count, |value| self.is_set(value)).map(Row)
    }

    fn is_set(&self, value: &[u8]) -> bool {
        !value.is_empty() && value != self.header.unset && value != self.header.empty
    }
}

impl Field {
    /// Whether it is read of ICMP and of records that did not open only: its columns are the last ones of a row.
    const fn is_rare(self) -> bool {
        matches!(
            self,
            Self::OriginatorPort
                | Self::OriginatorPackets
                | Self::ResponderPackets
                | Self::History
                | Self::Other
        )
    }

    fn named(name: &[u8]) -> Self {
        match name {
            b"ts" => Self::Time,
            b"id.orig_h" | b"id_orig_h" => Self::Originator,
            b"id.resp_h" | b"id_resp_h" => Self::Responder,
            b"conn_state" => Self::State,
            b"local_orig" => Self::LocalOriginator,
            b"local_resp" => Self::LocalResponder,
            b"orig_l2_addr" => Self::OriginatorMac,
            b"proto" => Self::Protocol,
            b"id.orig_p" | b"id_orig_p" => Self::OriginatorPort,
            b"orig_pkts" => Self::OriginatorPackets,
            b"resp_pkts" => Self::ResponderPackets,
            b"history" => Self::History,
            _ => Self::Other,
        }
    }
}

impl<'a> Row<'a> {
    fn get(&self, field: Field) -> Option<&'a [u8]> {
        self.0.get(field as usize).copied().flatten()
    }

    fn time(&self) -> Result<ipstats_model::Timestamp, Rejected> {
        let text = self.get(Field::Time).ok_or(Malformed::Missing { field: "ts" })?;
        let time = time::from_epoch_text(text)
            .or_else(|| str::from_utf8(text).ok().and_then(|text| time::from_text(text, Zone::Utc)));
        Ok(time.ok_or_else(|| is_not(A_TIME, "ts", text))?)
    }

    fn ip(&self, field: Field, name: &'static str) -> Result<Option<CanonicalIp>, Malformed> {
        let Some(text) = self.get(field) else { return Ok(None) };
        scalar::ip(text).map(Some).ok_or_else(|| is_not(IP_ADDRESS, name, text))
    }

    fn icmp(&self) -> Icmp {
        Icmp {
            message_type: self.number(Field::OriginatorPort),
            originator_packets: self.number(Field::OriginatorPackets),
            responder_packets: self.number(Field::ResponderPackets),
        }
    }

    fn number<T: str::FromStr>(&self, field: Field) -> Option<T> {
        self.get(field).and_then(|text| str::from_utf8(text).ok()?.parse().ok())
    }

    fn flag(&self, field: Field) -> Option<bool> {
        match self.get(field) {
            Some(b"T") => Some(true),
            Some(b"F") => Some(false),
            _ => None,
        }
    }
}

fn is_not(expected: &'static str, field: &'static str, value: &[u8]) -> Malformed {
    Malformed::Invalid { field, value: scalar::shown(&String::from_utf8_lossy(value)), expected }
}
