//! Which device had which address when: leases from Zeek's dhcp.log, TSV or JSON.
//!
//! Sensors show addresses, and DHCP gives one address to many devices over a month. With these leases a device keeps one
//! name: its hardware address, or the host name it told the server.
//!
//! Architecture Invariant: memory is bounded by [`LEASES_MAX`](Aliases::LEASES_MAX), whatever the log says; what did not fit is
//! counted.

mod log;

pub use log::LeaseLog;

use ipstats_model::{CanonicalIp, Timestamp};
use std::collections::HashMap;

/// Names of devices by address and time. Leases are best added in the order of time: a lease that comes after a later renewal of
/// another device's counts from there on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    /// The leases of each address, by start.
    leases: HashMap<CanonicalIp, Vec<Lease>>,
    names: Vec<Box<str>>,
    /// The place of each name in `names`.
    numbers: HashMap<Box<str>, u32>,
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

/// Who had an address, from when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lease {
    start: i64,
    end: i64,
    name: u32,
}

impl Aliases {
    /// Most leases that are kept: about 90 MB with their names.
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

    /// Forgets the leases that had ended at `time`.
    pub fn forget_ended(&mut self, time: Timestamp) {
        self.leases.retain(|_, leases| {
            leases.retain(|lease| lease.end >= time.second());
            !leases.is_empty()
        });
        let (known, mut numbers) = (std::mem::take(&mut self.names), HashMap::new());
        for lease in self.leases.values_mut().flatten() {
            let name = usize::try_from(lease.name).ok().and_then(|number| known.get(number));
            let Some(name) = name else { continue };
            lease.name = *numbers.entry(name.clone()).or_insert_with(|| {
                self.names.push(name.clone());
                // There are no more than there were.
                u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
            });
        }
        self.numbers = numbers;
        self.report.leases = self.leases.values().map(Vec::len).sum();
    }

    /// Adds the lease of `ip` that `lease` makes for the number of a name.
    fn add(&mut self, ip: CanonicalIp, name: &str, lease: impl Fn(u32) -> Lease) {
        let known = self.numbers.get(name).copied();
        let number = known.or_else(|| u32::try_from(self.names.len()).ok());
        let (Some(number), true) = (number, self.report.leases < Self::LEASES_MAX) else {
            self.report.dropped += 1;
            return;
        };
        if known.is_none() {
            self.numbers.insert(name.into(), number);
            self.names.push(name.into());
        }
        let leases = self.leases.entry(ip).or_default();
        let before = leases.len();
        insert(leases, lease(number));
        self.report.leases = self.report.leases + leases.len() - before;
    }
}

/// Inserts a lease by its start. A renewal, or the same record again, prolongs the lease before it.
fn insert(leases: &mut Vec<Lease>, lease: Lease) {
    let place = leases.partition_point(|known| *known <= lease);
    let before = place.checked_sub(1).and_then(|place| leases.get_mut(place));
    let at = match before {
        Some(before) if before.is_followed_by(lease) => {
            before.end = before.end.max(lease.end);
            place - 1
        }
        _ => {
            leases.insert(place, lease);
            place
        }
    };
    // What came before in the log may follow in time.
    while let (Some(&lease), Some(&next)) = (leases.get(at), leases.get(at + 1))
        && lease.is_followed_by(next)
    {
        leases.remove(at + 1);
        if let Some(lease) = leases.get_mut(at) {
            lease.end = lease.end.max(next.end);
        }
    }
}

impl Lease {
    /// Whether `next`, which does not begin before it, is a renewal.
    const fn is_followed_by(self, next: Self) -> bool {
        next.name == self.name && next.start <= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::log::LEASE_SECONDS;
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
        let (mut aliases, mut reader) = (Aliases::default(), LeaseLog::new(by, 1000));
        for log in logs {
            log.as_bytes().chunks(piece_bytes).for_each(|piece| reader.feed(piece, &mut aliases));
            reader.end(&mut aliases);
        }
        aliases
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
    fn what_ended_is_forgotten_and_its_name_too() {
        let lease = |ts: i64, mac: &str, ip: &str| {
            format!("{{\"ts\":{ts},\"mac\":\"{mac}\",\"assigned_addr\":\"{ip}\",\"lease_time\":100}}\n")
        };
        let log = [
            lease(100, "a", "10.0.0.1"),
            lease(500, "b", "10.0.0.1"),
            lease(500, "c", "10.0.0.2"),
            lease(550, "c", "10.0.0.2"),
        ]
        .concat();
        let mut aliases = read(AliasBy::Mac, &[&log], 9);
        assert_eq!(aliases.report().leases, 3);
        aliases.forget_ended(Timestamp::from_second(601));
        assert_eq!((aliases.report().leases, aliases.names.len(), aliases.numbers.len()), (1, 1, 1));
        assert_eq!(name(&aliases, "10.0.0.1", 550), None);
        assert_eq!(name(&aliases, "10.0.0.2", 640).as_deref(), Some("c"));
        // A name that comes again.
        let mut reader = LeaseLog::new(AliasBy::Mac, 1000);
        reader.feed(lease(700, "b", "10.0.0.2").as_bytes(), &mut aliases);
        assert_eq!(name(&aliases, "10.0.0.2", 700).as_deref(), Some("b"));
        assert_eq!(name(&aliases, "10.0.0.2", 640).as_deref(), Some("c"));
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
