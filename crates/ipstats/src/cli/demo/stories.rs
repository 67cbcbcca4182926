//! What an analyst would want to find in the month: an address each, and what happened.

use super::month::{Month, Record, is_working_day};
use ipstats_model::CanonicalIp;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The example of the API's specification.
const INTRANET: Ipv4Addr = Ipv4Addr::new(10, 209, 67, 177);
const SPREAD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 23);
const BEACON: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
const ONCE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 201);
const BACKUP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbac, 0, 0, 0, 0, 0x10);
const NEVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// An address worth asking about.
pub(super) struct Story {
    pub(super) ip: CanonicalIp,
    pub(super) why: &'static str,
}

/// The addresses worth asking about, the most telling one first.
pub(super) fn stories(month: &Month) -> Vec<Story> {
    let story = |ip: CanonicalIp, why| Story { ip, why };
    vec![
        story(INTRANET.into(), "the intranet: nearly everybody, every working day"),
        story(SPREAD.into(), "a sudden spread: half the company within an hour, yesterday"),
        story(BEACON.into(), "a beacon: one laptop, every five minutes, day and night"),
        story(ONCE.into(), "one laptop, for half an hour, 19 days ago"),
        story(BACKUP.into(), "the backup: two servers, every night"),
        story(month.internet.at(1), "the most popular address of the internet here"),
        story(NEVER.into(), "never contacted: the API answers 404"),
    ]
}

/// Lets the stories happen.
pub(super) fn happen(month: &Month, rng: &mut SmallRng, record: &mut impl Record) -> anyhow::Result<()> {
    intranet(month, rng, record)?;
    spread(month, rng, record)?;
    beacon(month, rng, record)?;
    once(month, record)?;
    backup(month, rng, record)
}

fn intranet(month: &Month, rng: &mut SmallRng, record: &mut impl Record) -> anyhow::Result<()> {
    for midnight in month.days() {
        let share = if is_working_day(midnight) { 0.85 } else { 0.02 };
        for device in month.personal() {
            if rng.random_bool(share) {
                for _ in 0..rng.random_range(1..4) {
                    let at = midnight.plus_seconds(rng.random_range(7 * HOUR..18 * HOUR));
                    record.record(&device.name, INTRANET.into(), at)?;
                }
            }
        }
    }
    // Monitoring looks at it around the clock.
    let mut at = month.start;
    while at <= month.now {
        record.record("srv-mon-001", INTRANET.into(), at)?;
        at = at.plus_seconds(10 * MINUTE);
    }
    Ok(())
}

/// Like a worm: slow at first, then faster, until the hour is over and it is stopped.
fn spread(month: &Month, rng: &mut SmallRng, record: &mut impl Record) -> anyhow::Result<()> {
    let start = month.now.day().start().plus_seconds(14 * HOUR + 7 * MINUTE - DAY);
    let end = start.plus_seconds(HOUR);
    for device in month.devices.iter().choose_multiple(rng, month.devices.len() / 2) {
        let progress: f64 = rng.random();
        #[expect(clippy::cast_possible_truncation, reason = "seconds of an hour")]
        let delay = (progress.sqrt() * 3599.0) as i64;
        let mut at = start.plus_seconds(delay);
        while at < end {
            record.record(&device.name, SPREAD.into(), at)?;
            at = at.plus_seconds(rng.random_range(MINUTE..10 * MINUTE));
        }
    }
    Ok(())
}

fn beacon(month: &Month, rng: &mut SmallRng, record: &mut impl Record) -> anyhow::Result<()> {
    let mut at = month.now.plus_seconds(-9 * DAY);
    while at <= month.now {
        record.record("lt-osl-042", BEACON.into(), at)?;
        at = at.plus_seconds(5 * MINUTE + rng.random_range(-20..=20));
    }
    Ok(())
}

fn once(month: &Month, record: &mut impl Record) -> anyhow::Result<()> {
    let start = month.now.plus_seconds(-19 * DAY);
    (0..6)
        .try_for_each(|turn| record.record("lt-lis-017", ONCE.into(), start.plus_seconds(turn * 5 * MINUTE)))
}

fn backup(month: &Month, rng: &mut SmallRng, record: &mut impl Record) -> anyhow::Result<()> {
    for midnight in month.days() {
        for server in ["srv-backup-001", "srv-backup-002"] {
            for _ in 0..40 {
                let at = midnight.plus_seconds(rng.random_range(2 * HOUR..4 * HOUR));
                record.record(server, BACKUP.into(), at)?;
            }
        }
    }
    Ok(())
}
