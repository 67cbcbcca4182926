//! The semantics, as plainly as they can be written: a list of all connections, read from end to end.

use ipstats_model::{
    Admission, Batch, CanonicalIp, DayPrevalence, DeviceContact, IpStatistics, LookBack, Organization,
    Recorded, Timestamp, Window, admission,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Model(Vec<Connection>);

struct Connection {
    organization: Organization,
    device: String,
    ip: CanonicalIp,
    at: Timestamp,
}

impl Model {
    pub(super) fn record(&mut self, organization: Organization, batch: &Batch, now: Timestamp) -> Recorded {
        let devices: Vec<_> = batch.devices().collect();
        let mut recorded = Recorded::default();
        for row in batch.rows() {
            match admission(row.at, now) {
                Admission::TooOld => recorded.too_old += 1,
                Admission::TooFarAhead => recorded.too_far_ahead += 1,
                Admission::Accepted => {
                    recorded.counted += 1;
                    let device = devices[row.device as usize].to_owned();
                    self.0.push(Connection { organization, device, ip: row.ip, at: row.at });
                }
            }
        }
        recorded
    }

    pub(super) fn statistics(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> IpStatistics {
        let inside = || self.of(organization, ip).filter(|connection| window.contains(connection.at));
        let times = || inside().map(|connection| connection.at);
        if let (Some(first), Some(last)) = (times().min(), times().max()) {
            let devices: BTreeSet<_> = inside().map(|connection| &connection.device).collect();
            return IpStatistics::Seen {
                prevalence: devices.len() as u64,
                first_seen: first.min(window.now()),
                last_seen: last.min(window.now()),
            };
        }
        let retained = Window::ending_at(window.now(), LookBack::MAX);
        let is_retained = self.of(organization, ip).any(|connection| retained.contains(connection.at));
        if is_retained { IpStatistics::NotInWindow } else { IpStatistics::Unknown }
    }

    /// By name.
    pub(super) fn devices(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Vec<DeviceContact> {
        let mut devices = BTreeMap::<_, Timestamp>::new();
        for connection in self.of(organization, ip).filter(|connection| window.contains(connection.at)) {
            let last = devices.entry(connection.device.clone()).or_insert(connection.at);
            *last = connection.at.max(*last);
        }
        devices.into_iter().map(|(device, last)| DeviceContact { device, last: last.minute() }).collect()
    }

    pub(super) fn devices_per_day(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        now: Timestamp,
    ) -> Vec<DayPrevalence> {
        let start = Window::ending_at(now, LookBack::MAX).start();
        let is_whole = start == start.day().start();
        let first = start.day().index() + u32::from(!is_whole);
        let days = (first..=now.day().index()).map(ipstats_model::Day::from_index);
        days.map(|day| {
            let of_day = self.of(organization, ip).filter(|connection| connection.at.day() == day);
            let devices: BTreeSet<_> = of_day.map(|connection| &connection.device).collect();
            DayPrevalence { day, prevalence: devices.len() as u64 }
        })
        .collect()
    }

    pub(super) fn first_ever(&self, organization: Organization, ip: CanonicalIp) -> Option<Timestamp> {
        self.of(organization, ip).map(|connection| connection.at).min()
    }

    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.0.iter().map(|connection| connection.at).max()
    }

    fn of(&self, organization: Organization, ip: CanonicalIp) -> impl Iterator<Item = &Connection> {
        self.0.iter().filter(move |connection| connection.organization == organization && connection.ip == ip)
    }
}
