//! Which device had which address when: leases from Zeek's dhcp.log, TSV or JSON.
//!
//! Sensors show addresses, and DHCP gives one address to many devices over a month. With these leases a device keeps one
//! name: its hardware address, or the host name it told the server.
//!
//! Architecture Invariant: memory is bounded by [`LEASES_MAX`](Aliases::LEASES_MAX), whatever the log says; what did not fit is
//! counted.

use crate::fields::json;
use crate::fields::scalar::{self, Scalar};
use crate::fields::time::Zone;
use ipstats_model::limits::DEVICE_NAME_BYTES_MAX;
use ipstats_model::{CanonicalIp, Timestamp};
use memchr::memchr;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::str;

/// Names of devices by address and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    /// The leases of each address, by start.
    leases: HashMap<CanonicalIp, Vec<Lease>>,
    names: Vec<Box<str>>,
    report: AliasReport,
}

/// How a device is named that DHCP knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AliasBy {
    /// By its hardware address.
    #[default]
    Mac,
    /// By the host name it told the server, in lower case; by its hardware address where it told none.
    HostName,
}

/// What became of the records of the logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AliasReport {
    /// Leases that are known.
    pub leases: usize,
    /// Records that give nobody an address: requests without an answer, other logs.
    pub no_lease: u64,
    /// Lines that cannot be read.
    pub malformed: u64,
    /// Leases that did not fit.
    pub dropped: u64,
}

/// Reads dhcp.log, one file after the other.
#[derive(Debug)]
pub struct AliasReader {
    by: AliasBy,
    line_bytes_max: usize,
    aliases: Aliases,
    numbers: HashMap<Box<str>, u32>,
    header: Header,
    line: Vec<u8>,
    skipping: bool,
}

/// Who had an address, from when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lease {
    start: i64,
    end: i64,
    name: u32,
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

/// How long a lease lasts whose record does not say, in seconds: a day, the usual default of servers.
const LEASE_SECONDS: i64 = 86_400;

impl Aliases {
    /// Most leases that are kept: about 60 MB with their names.
    pub const LEASES_MAX: usize = 1_000_000;

    /// Who had `ip` at `at`: the device whose lease began last before that, if it had not ended.
    pub fn name(&self, ip: CanonicalIp, at: Timestamp) -> Option<&str> {
        let leases = self.leases.get(&ip)?;
        let begun = leases.partition_point(|lease| lease.start <= at.second());
        let lease = leases.get(begun.checked_sub(1)?)?;
        if lease.end < at.second() {
            return None;
        }
        self.names.get(usize::try_from(lease.name).ok()?).map(AsRef::as_ref)
    }

    /// What became of the records they were read from.
    pub const fn report(&self) -> AliasReport {
        self.report
    }
}

impl AliasReader {
    /// A reader that names devices like this.
    pub fn new(by: AliasBy, line_bytes_max: usize) -> Self {
        Self {
            by,
            line_bytes_max,
            aliases: Aliases::default(),
            numbers: HashMap::new(),
            header: Header::default(),
            line: Vec::new(),
            skipping: false,
        }
    }

    /// Takes the next bytes of a log.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            self.take(line);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.take(bytes);
    }

    /// The log is at its end. Another may follow, with a header of its own.
    pub fn end_log(&mut self) {
        self.end_line();
        self.header = Header::default();
    }

    /// All that was read.
    pub fn finish(mut self) -> Aliases {
        self.end_log();
        let mut kept = 0;
        for leases in self.aliases.leases.values_mut() {
            leases.sort_unstable();
            // A renewal goes on where the lease before it ends.
            leases.dedup_by(|next, lease| {
                let goes_on = next.name == lease.name && next.start <= lease.end;
                lease.end = if goes_on { lease.end.max(next.end) } else { lease.end };
                goes_on
            });
            leases.shrink_to_fit();
            kept += leases.len();
        }
        self.aliases.report.leases = kept;
        self.aliases
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

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skipping) {
            self.aliases.report.malformed += 1;
        } else {
            self.read(line.trim_ascii_end());
        }
        self.line = line;
        self.line.clear();
    }

    fn read(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        if let Some(header) = line.strip_prefix(b"#") {
            return self.header.read(header);
        }
        let lease = str::from_utf8(line).map_err(|_| ()).and_then(|text| {
            if text.starts_with('{') {
                json::object::<Record<'_>>(text).map_err(|_| ())?.lease(self.by)
            } else {
                self.header.record(text)?.lease(self.by)
            }
        });
        match lease {
            Ok(Some((ip, start, end, name))) => self.keep(ip, start, end, &name),
            Ok(None) => self.aliases.report.no_lease += 1,
            Err(()) => self.aliases.report.malformed += 1,
        }
    }

    fn keep(&mut self, ip: CanonicalIp, start: i64, end: i64, name: &str) {
        let number = match self.numbers.get(name) {
            Some(number) => Some(*number),
            None => u32::try_from(self.aliases.names.len()).ok(),
        };
        let (Some(number), true) = (number, self.aliases.report.leases < Aliases::LEASES_MAX) else {
            self.aliases.report.dropped += 1;
            return;
        };
        if !self.numbers.contains_key(name) {
            self.numbers.insert(name.into(), number);
            self.aliases.names.push(name.into());
        }
        let leases = self.aliases.leases.entry(ip).or_default();
        // The same record twice, and most renewals, need no place of their own.
        match leases.last_mut() {
            Some(last) if last.name == number && last.start <= start && start <= last.end => {
                last.end = last.end.max(end);
            }
            _ => {
                leases.push(Lease { start, end, name: number });
                self.aliases.report.leases += 1;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const TSV: &str = "#separator \\x09\n#unset_field\t-\n#path\tdhcp\n\
        #fields\tts\tuids\tclient_addr\tserver_addr\tmac\thost_name\tclient_fqdn\tassigned_addr\tlease_time\n\
        100.5\tC1\t-\t10.0.0.1\t08:00:27:AB:CD:02\tANNS-LAPTOP\t-\t10.0.0.5\t100.0\n\
        150.0\tC2\t10.0.0.5\t10.0.0.1\t08:00:27:ab:cd:02\tanns-laptop\t-\t-\t100.0\n\
        300.0\tC3\t-\t10.0.0.1\t08:00:27:ab:cd:03\t-\t-\t10.0.0.5\t-\n\
        300.0\tC4\t-\t10.0.0.1\t08:00:27:ab:cd:04\t-\t-\t-\t-\n\
        row\n\
        301.0\tC5\t-\t-\t08:00:27:ab:cd:04\t-\t-\tnowhere\t-\n";

    fn read(by: AliasBy, logs: &[&str], piece_bytes: usize) -> Aliases {
        let mut reader = AliasReader::new(by, 1000);
        for log in logs {
            log.as_bytes().chunks(piece_bytes).for_each(|piece| reader.feed(piece));
            reader.end_log();
        }
        reader.finish()
    }

    fn name(aliases: &Aliases, ip: &str, at: i64) -> Option<String> {
        aliases.name(ip.parse().unwrap(), Timestamp::from_second(at)).map(str::to_owned)
    }

    #[test]
    fn an_address_belongs_to_whoever_leases_it_at_the_time() {
        for piece_bytes in [1, 7, 10_000] {
            let aliases = read(AliasBy::Mac, &[TSV], piece_bytes);
            let at = |second| name(&aliases, "10.0.0.5", second);
            assert_eq!(at(99), None);
            assert_eq!(at(100).as_deref(), Some("08:00:27:ab:cd:02"));
            assert_eq!(at(250).as_deref(), Some("08:00:27:ab:cd:02"), "renewed");
            assert_eq!(at(251), None, "ended");
            assert_eq!(at(300).as_deref(), Some("08:00:27:ab:cd:03"));
            assert_eq!(at(300 + LEASE_SECONDS).as_deref(), Some("08:00:27:ab:cd:03"));
            assert_eq!(name(&aliases, "10.0.0.6", 100), None);
            let report = AliasReport { leases: 2, no_lease: 1, malformed: 2, dropped: 0 };
            assert_eq!(aliases.report(), report);
        }
    }

    #[test]
    fn a_device_may_go_by_its_host_name() {
        let aliases = read(AliasBy::HostName, &[TSV], 100);
        assert_eq!(name(&aliases, "10.0.0.5", 120).as_deref(), Some("anns-laptop"));
        assert_eq!(name(&aliases, "10.0.0.5", 300).as_deref(), Some("08:00:27:ab:cd:03"), "it told none");
    }

    #[test]
    fn json_disorder_and_other_logs_are_read() {
        let json = "{\"ts\":300,\"mac\":\"08-00-27-00-00-02\",\"assigned_addr\":\"10.0.0.7\",\"lease_time\":50}\n\
            {\"ts\":\"2026-11-01T10:00:00Z\",\"mac\":\"08:00:27:00:00:03\",\"client_addr\":\"10.0.0.7\",\"lease_time\":50.5}\n\
            {\"ts\":100,\"mac\":\"08:00:27:00:00:01\",\"assigned_ip\":\"10.0.0.7\",\"lease_time\":1000}\n\
            {\"ts\":100,\"query\":\"example.com\"}\n{\"ts\"\n";
        let aliases = read(AliasBy::Mac, &[TSV, json], 13);
        let at = |second| name(&aliases, "10.0.0.7", second);
        assert_eq!(at(200).as_deref(), Some("08:00:27:00:00:01"));
        assert_eq!(at(320).as_deref(), Some("08:00:27:00:00:02"), "the newer lease");
        assert_eq!(at(1_793_527_250).as_deref(), Some("08:00:27:00:00:03"));
        assert_eq!(aliases.report(), AliasReport { leases: 5, no_lease: 2, malformed: 3, dropped: 0 });
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
        let long = format!("{}\n{TSV}", "x".repeat(5000));
        for piece_bytes in [10, 10_000] {
            let aliases = read(AliasBy::Mac, &[&long], piece_bytes);
            assert_eq!((aliases.report().leases, aliases.report().malformed), (2, 3));
        }
    }
}
