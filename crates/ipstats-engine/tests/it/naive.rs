//! The naive model: every accepted contact in a list, every answer a scan of it.

use ipstats_engine::{Engine, ReadError};
use ipstats_model::{
    Admission, Batch, CanonicalIp, Day, DayPrevalence, DeviceContact, IpStatistics, LookBack, Minute,
    Organization, Timestamp, Window, admission,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) organization: Organization,
    pub(crate) device: String,
    pub(crate) ip: CanonicalIp,
    pub(crate) at: Timestamp,
}

#[derive(Default)]
pub(crate) struct Naive(Vec<Connection>);

pub(crate) fn organization(number: u8) -> Organization {
    Organization::from_bytes([number; 16])
}

/// Records the connections with one batch for each organization.
pub(crate) fn record(engine: &Engine, connections: &[Connection], now: Timestamp) {
    let mut batches: BTreeMap<Organization, Batch> = BTreeMap::new();
    for connection in connections {
        let batch = batches.entry(connection.organization).or_default();
        batch.push(&connection.device, connection.ip, connection.at).unwrap();
    }
    for (organization, batch) in batches {
        let recorded = engine.record(organization, &batch, now).unwrap();
        let total = recorded.counted + recorded.too_old + recorded.too_far_ahead;
        assert_eq!(total, batch.len() as u64);
    }
}

impl Naive {
    pub(crate) fn record(&mut self, connections: &[Connection], now: Timestamp) {
        let accepted = connections.iter().filter(|one| admission(one.at, now) == Admission::Accepted);
        self.0.extend(accepted.cloned());
    }

    fn of(&self, organization: Organization, ip: CanonicalIp) -> Vec<&Connection> {
        self.0.iter().filter(|one| one.organization == organization && one.ip == ip).collect()
    }

    /// Every question about every IP that either side could know gives the same answer.
    pub(crate) fn assert_same(
        &self,
        engine: &Engine,
        organizations: &[Organization],
        ips: &[CanonicalIp],
        now: Timestamp,
    ) {
        for organization in organizations {
            for ip in ips {
                self.assert_same_ip(engine, *organization, *ip, now);
            }
        }
    }

    /// Asks such questions of a store that is damaged: an error is an answer, a wrong number is not. How many errors.
    pub(crate) fn errors(
        &self,
        engine: &Engine,
        organization: Organization,
        ips: &[CanonicalIp],
        now: Timestamp,
    ) -> usize {
        let questions =
            ips.iter().map(|ip| self.answers(engine, organization, *ip, now, &[1, 26, 50, 74, 720]));
        questions.map(|answers| answers.into_iter().filter(Result::is_err).count()).sum()
    }

    fn assert_same_ip(&self, engine: &Engine, organization: Organization, ip: CanonicalIp, now: Timestamp) {
        let every_hour: Vec<i64> = (1..=720).collect();
        for answer in self.answers(engine, organization, ip, now, &every_hour) {
            answer.unwrap();
        }
    }

    /// Asks everything about an IP; what is answered is compared.
    fn answers(
        &self,
        engine: &Engine,
        organization: Organization,
        ip: CanonicalIp,
        now: Timestamp,
        look_backs: &[i64],
    ) -> Vec<Result<(), ReadError>> {
        let contacts = self.of(organization, ip);
        let window = |hours| Window::ending_at(now, LookBack::from_hours(hours).unwrap());
        let mut answers = Vec::new();
        for hours in look_backs.iter().copied() {
            let statistics_told = engine.statistics(organization, ip, window(hours));
            if let Some(at_hand) = engine.statistics_at_hand(organization, ip, window(hours)) {
                assert_eq!(Some(at_hand), statistics_told.as_ref().ok().copied(), "{organization} {ip}");
            }
            answers.push(statistics_told.map(|told| {
                let place = format!("{organization} {ip} over {hours} hours at {now}");
                assert_eq!(told, statistics(&contacts, window(hours)), "{place}");
            }));
        }
        for hours in [1, 25, 720] {
            answers.push(engine.devices(organization, ip, window(hours)).map(|mut devices| {
                assert!(devices.is_sorted_by(|a, b| a.last >= b.last), "most recent first");
                devices.sort_by(|a, b| a.device.cmp(&b.device));
                let place = format!("{organization} {ip} over {hours} hours at {now}");
                assert_eq!(devices, naive_devices(&contacts, window(hours)), "{place}");
            }));
        }
        let per_day_told = engine.devices_per_day(organization, ip, now);
        answers.push(per_day_told.map(|days| assert_eq!(days, per_day(&contacts, now))));
        let first = contacts.iter().map(|one| one.at).min();
        answers.push(engine.first_ever(organization, ip).map(|told| assert_eq!(told, first)));
        answers
    }
}

fn statistics(contacts: &[&Connection], window: Window) -> IpStatistics {
    let inside = |window: Window| contacts.iter().filter(move |one| one.at >= window.start());
    let devices: BTreeSet<&str> = inside(window).map(|one| one.device.as_str()).collect();
    let first = inside(window).map(|one| one.at).min();
    let last = inside(window).map(|one| one.at).max();
    match (first, last) {
        (Some(first), Some(last)) => IpStatistics::Seen {
            prevalence: devices.len() as u64,
            first_seen: first.min(window.now()),
            last_seen: last.min(window.now()),
        },
        _ if inside(Window::ending_at(window.now(), LookBack::MAX)).next().is_some() => {
            IpStatistics::NotInWindow
        }
        _ => IpStatistics::Unknown,
    }
}

fn naive_devices(contacts: &[&Connection], window: Window) -> Vec<DeviceContact> {
    let mut last: BTreeMap<&str, Minute> = BTreeMap::new();
    for one in contacts.iter().filter(|one| one.at >= window.start()) {
        let minute = last.entry(&one.device).or_insert(Minute::from_index(0));
        *minute = (*minute).max(one.at.minute());
    }
    last.into_iter().map(|(device, last)| DeviceContact { device: device.to_owned(), last }).collect()
}

/// Whole days within the retained 30 days, and today.
fn per_day(contacts: &[&Connection], now: Timestamp) -> Vec<DayPrevalence> {
    let retained = Window::ending_at(now, LookBack::MAX).start();
    let days = (0..=now.day().index()).map(Day::from_index).filter(|day| day.start() >= retained);
    days.map(|day| {
        let on_day = contacts.iter().filter(|one| one.at.day() == day);
        let devices: BTreeSet<&str> = on_day.map(|one| one.device.as_str()).collect();
        DayPrevalence { day, prevalence: devices.len() as u64 }
    })
    .collect()
}
