//! dhcp.log of Zeek, TSV or JSON, from bytes to leases.

use super::{AliasBy, Aliases, Lease};
use crate::fields::json;
use crate::fields::scalar::{self, Scalar};
use crate::fields::time::Zone;
use ipstats_model::CanonicalIp;
use ipstats_model::limits::DEVICE_NAME_BYTES_MAX;
use memchr::memchr;
use serde::Deserialize;
use std::borrow::Cow;
use std::str;

/// How long a lease lasts whose record does not say, in seconds: a day, the usual default of servers.
pub(super) const LEASE_SECONDS: i64 = 86_400;

/// Reads one dhcp.log as it comes, and another when that has ended.
#[derive(Debug)]
pub struct LeaseLog {
    by: AliasBy,
    line_bytes_max: usize,
    header: Header,
    line: Vec<u8>,
    skipping: bool,
}

/// The columns of a TSV log.
#[derive(Debug, Default)]
struct Header {
    separator: Option<u8>,
    unset: Option<Vec<u8>>,
    fields: Vec<Option<Field>>,
}

/// The fields that are read. The numbers are places in a [`Record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Time,
    Assigned,
    Client,
    Mac,
    HostName,
    Fqdn,
    LeaseTime,
}

/// One record.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    ts: Scalar<'a>,
    /// `assigned_ip` in logs of Zeek before 2.6.
    #[serde(borrow, alias = "assigned_ip")]
    assigned_addr: Scalar<'a>,
    #[serde(borrow)]
    client_addr: Scalar<'a>,
    #[serde(borrow)]
    mac: Scalar<'a>,
    #[serde(borrow)]
    host_name: Scalar<'a>,
    #[serde(borrow)]
    client_fqdn: Scalar<'a>,
    #[serde(borrow)]
    lease_time: Scalar<'a>,
}

impl LeaseLog {
    /// A log whose devices go by these names.
    pub fn new(by: AliasBy, line_bytes_max: usize) -> Self {
        Self { by, line_bytes_max, header: Header::default(), line: Vec::new(), skipping: false }
    }

    /// Takes the next bytes of the log; what they tell is added to `aliases`.
    pub fn feed(&mut self, mut bytes: &[u8], aliases: &mut Aliases) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            self.take(line);
            self.end_line(aliases);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.take(bytes);
    }

    /// The log is at its end. Another may follow, with a header of its own.
    pub fn end(&mut self, aliases: &mut Aliases) {
        self.end_line(aliases);
        self.header = Header::default();
    }

    /// Adds to the line in progress; of one that is too long nothing is kept.
    fn take(&mut self, bytes: &[u8]) {
        self.skipping |= self.line.len() + bytes.len() > self.line_bytes_max;
        if self.skipping {
            self.line.clear();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, aliases: &mut Aliases) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skipping) {
            aliases.report.malformed += 1;
        } else {
            self.read(line.trim_ascii_end(), aliases);
        }
        self.line = line;
        self.line.clear();
    }

    fn read(&mut self, line: &[u8], aliases: &mut Aliases) {
        if line.is_empty() {
            return;
        }
        if let Some(header) = line.strip_prefix(b"#") {
            return self.header.read(header);
        }
        let told = str::from_utf8(line).map_err(|_| ()).and_then(|text| {
            if text.starts_with('{') {
                json::object::<Record<'_>>(text).map_err(|_| ())?.lease(self.by)
            } else {
                self.header.record(text)?.lease(self.by)
            }
        });
        match told {
            Ok(Some((ip, start, end, name))) => aliases.add(ip, &name, |name| Lease { start, end, name }),
            Ok(None) => aliases.report.no_lease += 1,
            Err(()) => aliases.report.malformed += 1,
        }
    }
}

impl Header {
    fn read(&mut self, line: &[u8]) {
        if let Some(separator) = line.strip_prefix(b"separator ") {
            *self = Self {
                separator: if separator == b"\\x09" { Some(b'\t') } else { separator.first().copied() },
                ..Self::default()
            };
            return;
        }
        let separator = self.separator.unwrap_or(b'\t');
        let mut words = line.split(|byte| *byte == separator);
        match words.next() {
            Some(b"fields") => self.fields = words.map(Field::named).collect(),
            Some(b"unset_field") => self.unset = words.next().map(<[u8]>::to_vec),
            _ => {}
        }
    }

    /// The record of a row.
    fn record<'a>(&self, row: &'a str) -> Result<Record<'a>, ()> {
        let mut record = Record::default();
        let separator = char::from(self.separator.unwrap_or(b'\t'));
        let unset = self.unset.as_deref().unwrap_or(b"-");
        let mut cells = row.split(separator);
        for field in &self.fields {
            let cell = cells.next().ok_or(())?;
            if cell.as_bytes() == unset || cell == "(empty)" {
                continue;
            }
            let value = Scalar::Text(Cow::Borrowed(cell));
            match field {
                Some(Field::Time) => record.ts = value,
                Some(Field::Assigned) => record.assigned_addr = value,
                Some(Field::Client) => record.client_addr = value,
                Some(Field::Mac) => record.mac = value,
                Some(Field::HostName) => record.host_name = value,
                Some(Field::Fqdn) => record.client_fqdn = value,
                Some(Field::LeaseTime) => record.lease_time = value,
                None => {}
            }
        }
        if self.fields.is_empty() || cells.next().is_some() { Err(()) } else { Ok(record) }
    }
}

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"ts" => Some(Self::Time),
            b"assigned_addr" | b"assigned_ip" => Some(Self::Assigned),
            b"client_addr" => Some(Self::Client),
            b"mac" => Some(Self::Mac),
            b"host_name" => Some(Self::HostName),
            b"client_fqdn" => Some(Self::Fqdn),
            b"lease_time" => Some(Self::LeaseTime),
            _ => None,
        }
    }
}

impl Record<'_> {
    /// The lease it tells of: address, start, end and name; nothing if it gives nobody an address.
    fn lease(&self, by: AliasBy) -> Result<Option<(CanonicalIp, i64, i64, String)>, ()> {
        let address = if self.assigned_addr.is_nothing() { &self.client_addr } else { &self.assigned_addr };
        let Scalar::Text(address) = address else { return Ok(None) };
        let ip = scalar::ip(address.as_bytes()).ok_or(())?;
        let Some(name) = self.name(by)? else { return Ok(None) };
        let start = self.ts.time_or_millis("ts").map_err(|_| ())?.second();
        let seconds = self.lease_seconds()?;
        Ok(Some((ip, start, start.saturating_add(seconds), name)))
    }

    fn name(&self, by: AliasBy) -> Result<Option<String>, ()> {
        let text = |value: &Scalar<'_>| match value {
            Scalar::Text(text) if !text.is_empty() && text.len() <= DEVICE_NAME_BYTES_MAX => {
                Some(text.to_ascii_lowercase())
            }
            _ => None,
        };
        let host_name = text(&self.host_name).or_else(|| text(&self.client_fqdn));
        match by {
            AliasBy::HostName if host_name.is_some() => Ok(host_name),
            _ if self.mac.is_nothing() => Ok(None),
            _ => text(&self.mac).map(|mac| Some(mac.replace('-', ":"))).ok_or(()),
        }
    }

    /// `lease_time`: seconds, as a number or as text, with or without a fraction.
    fn lease_seconds(&self) -> Result<i64, ()> {
        if self.lease_time.is_nothing() {
            return Ok(LEASE_SECONDS);
        }
        self.lease_time
            .time("lease_time", Zone::Required)
            .map(|seconds| seconds.second().max(0))
            .map_err(|_| ())
    }
}
