//! A believable month: office hours and weekends, servers around the clock, and a few [stories](super::stories).
//!
//! Everything follows from the seed and from *now*; the same two give the same month.

use super::fleet::{Device, Kind, fleet};
use super::internet::{Internet, mix};
use super::stories;
use ipstats_model::{CanonicalIp, Timestamp, retention_start};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal, Poisson};

/// Connections an hour of a person's device on a working day, from 7 to 18 o'clock.
const OFFICE_HOURS: [f64; 12] = [3.0, 8.0, 14.0, 16.0, 14.0, 8.0, 12.0, 15.0, 14.0, 11.0, 6.0, 2.0];
/// Connections an hour of a server.
const SERVER_HOUR: f64 = 12.0;
/// How often somebody is away on a working day.
const ABSENCE: f64 = 0.12;

/// The month that ends *now*.
pub(super) struct Month {
    pub(super) devices: Vec<Device>,
    pub(super) internet: Internet,
    pub(super) start: Timestamp,
    pub(super) now: Timestamp,
    seed: u64,
}

/// Takes the connections of a month.
pub(super) trait Record {
    /// `device` contacted `ip` at `at`.
    fn record(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> anyhow::Result<()>;
}

impl Month {
    /// The month of this seed that ends at `now`.
    pub(super) fn ending_at(now: Timestamp, seed: u64) -> anyhow::Result<Self> {
        Ok(Self { devices: fleet(), internet: Internet::new(seed)?, start: retention_start(now), now, seed })
    }

    /// Everything that happened, device by device.
    pub(super) fn happen(&self, record: &mut impl Record) -> anyhow::Result<()> {
        let mut kept = Within { month: self, record };
        for (number, device) in (0..).zip(&self.devices) {
            self.ordinary_traffic(device, &mut self.rng(number), &mut kept)?;
        }
        stories::happen(self, &mut self.rng(u64::MAX), &mut kept)
    }

    /// Midnight of each day, oldest first; the first one lies before the month.
    pub(super) fn days(&self) -> impl Iterator<Item = Timestamp> + use<> {
        (self.start.day().index()..=self.now.day().index())
            .map(|index| ipstats_model::Day::from_index(index).start())
    }

    /// The devices that people use.
    pub(super) fn personal(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.kind == Kind::Personal)
    }

    /// Randomness of its own for each part, so that a change of one does not change the others.
    fn rng(&self, part: u64) -> SmallRng {
        SmallRng::seed_from_u64(mix(self.seed).wrapping_add(mix(part)))
    }

    fn ordinary_traffic(
        &self,
        device: &Device,
        rng: &mut SmallRng,
        record: &mut impl Record,
    ) -> anyhow::Result<()> {
        let busy = LogNormal::new(0.0, 0.5)?.sample(rng);
        for midnight in self.days() {
            let present = is_working_day(midnight) && !rng.random_bool(ABSENCE);
            for hour in 0..24_u8 {
                let expected = busy * hourly(device.kind, present, hour);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
                let count = Poisson::new(expected)?.sample(rng) as u32;
                for _ in 0..count {
                    let at = midnight.plus_seconds(i64::from(hour) * 3600 + rng.random_range(0..3600));
                    record.record(&device.name, self.internet.pick(rng), at)?;
                }
            }
        }
        Ok(())
    }
}

/// Connections to expect in an hour of the day.
fn hourly(kind: Kind, present: bool, hour: u8) -> f64 {
    let office = hour.checked_sub(7).and_then(|hour| OFFICE_HOURS.get(usize::from(hour)));
    match (kind, present, office) {
        (Kind::Server, _, _) => SERVER_HOUR,
        (Kind::Personal, true, Some(expected)) => *expected,
        // Left switched on, or a weekend at home.
        (Kind::Personal, _, _) => 0.1,
    }
}

/// Monday to Friday.
pub(super) fn is_working_day(midnight: Timestamp) -> bool {
    // 1970-01-01 was a Thursday.
    !matches!((midnight.day().index() + 3) % 7, 5 | 6)
}

/// Passes on what lies within the month.
struct Within<'a, R> {
    month: &'a Month,
    record: &'a mut R,
}

impl<R: Record> Record for Within<'_, R> {
    fn record(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> anyhow::Result<()> {
        if (self.month.start..=self.month.now).contains(&at) {
            self.record.record(device, ip, at)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(Default, PartialEq)]
    struct Everything(Vec<(String, CanonicalIp, Timestamp)>);

    impl Record for Everything {
        fn record(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> anyhow::Result<()> {
            self.0.push((device.to_owned(), ip, at));
            Ok(())
        }
    }

    fn month(now: &str, seed: u64) -> Everything {
        let mut everything = Everything::default();
        Month::ending_at(now.parse().unwrap(), seed).unwrap().happen(&mut everything).unwrap();
        everything
    }

    #[test]
    fn a_seed_gives_one_month() {
        let one = month("2017-08-29T13:32:59Z", 1);
        assert!(one == month("2017-08-29T13:32:59Z", 1));
        assert!(one != month("2017-08-29T13:32:59Z", 2));
    }

    #[test]
    fn a_month_has_office_hours_weekends_and_a_long_tail() {
        // A Tuesday.
        let Everything(all) = month("2017-08-29T13:32:59Z", 1);
        assert!((500_000..2_000_000).contains(&all.len()), "{} connections", all.len());
        let ips: BTreeSet<_> = all.iter().map(|(_, ip, _)| ip).collect();
        assert!((20_000..60_000).contains(&ips.len()), "{} addresses", ips.len());

        let mut by_day: BTreeMap<_, u32> = BTreeMap::new();
        for (_, _, at) in all.iter().filter(|(device, _, _)| device.starts_with("lt-ber")) {
            *by_day.entry(at.day().to_string()).or_default() += 1;
        }
        assert!(by_day["2017-08-25"] > 10 * by_day["2017-08-26"], "Friday is busier than Saturday");

        let night = all.iter().filter(|(_, _, at)| at.second().rem_euclid(86_400) < 5 * 3600);
        let servers = night.clone().filter(|(device, _, _)| device.starts_with("srv-")).count();
        assert!(servers * 2 > night.count(), "servers work at night");
    }
}
