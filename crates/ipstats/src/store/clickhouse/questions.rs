//! Questions, as SQL and back.
//!
//! What comes from outside, an organization and an IP, stands in a statement as the sixteen bytes it is, written in
//! hexadecimal escapes: there is no text to escape. Times are numbers.

use super::error::Failure;
use super::link::Statement;
use super::row_binary::Values;
use super::schema::local_suffix;
use super::servers::Reach;
use ipstats_model::{
    CanonicalIp, Day, DayPrevalence, DeviceContact, IpStatistics, LookBack, Minute, Organization, Timestamp,
    Window,
};
use std::fmt::Write;

/// One IP of one organization.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) organization: Organization,
    pub(super) ip: CanonicalIp,
}

/// What a window holds, as the tables tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inside {
    devices: u64,
    first: Option<u32>,
    last: u32,
}

impl Subject {
    /// Devices, first and last contact within a window: [`Inside::read`].
    ///
    /// A device is inside when any of its days has a last contact inside, so days need not be joined to count it.
    pub(super) fn inside(&self, window: Window) -> impl Fn(Reach) -> Statement {
        let (subject, start) = (*self, second(window.start()));
        let day = day_of(start);
        move |reach| {
            let (contacts, minutes) = (subject.of("contacts", reach), subject.of("minutes", reach));
            statement(format!(
                "SELECT toUInt8(1) AS part, toUInt64(uniqExact(device)) AS devices, toUInt32(maxMerge(last)) AS time \
                 {contacts} AND day >= toDate({day}) AND toUInt32(finalizeAggregation(last)) >= {start} \
                 UNION ALL \
                 SELECT toUInt8(2) AS part, toUInt64(count()) AS devices, toUInt32(minMerge(first)) AS time \
                 {minutes} AND day >= toDate({day}) AND minute >= {} FORMAT RowBinary",
                start / 60
            ))
        }
    }

    /// Whether there was any contact within retention: [`exists`].
    pub(super) fn is_retained(&self, window: Window) -> impl Fn(Reach) -> Statement {
        let subject = *self;
        let start = second(Window::ending_at(window.now(), LookBack::MAX).start());
        let day = day_of(start);
        move |reach| {
            let contacts = subject.of("contacts", reach);
            statement(format!(
                "SELECT toUInt64(count()) {contacts} AND day >= toDate({day}) \
                 AND toUInt32(finalizeAggregation(last)) >= {start} FORMAT RowBinary"
            ))
        }
    }

    /// Devices and their last contacts within a window: [`devices`].
    pub(super) fn devices(&self, window: Window) -> impl Fn(Reach) -> Statement {
        let (subject, start) = (*self, second(window.start()));
        let day = day_of(start);
        move |reach| {
            let contacts = subject.of("contacts", reach);
            statement(format!(
                "SELECT device, toUInt32(intDiv(toUInt32(maxMerge(last)), 60)) AS minute {contacts} \
                 AND day >= toDate({day}) GROUP BY device HAVING minute >= {} ORDER BY minute DESC, device \
                 FORMAT RowBinary",
                start / 60
            ))
        }
    }

    /// Devices of each day from `first` to `last`, without the days that have none: [`devices_per_day`].
    pub(super) fn devices_per_day(&self, first: Day, last: Day) -> impl Fn(Reach) -> Statement {
        let (subject, first, last) = (*self, first.index(), last.index());
        move |reach| {
            let contacts = subject.of("contacts", reach);
            statement(format!(
                "SELECT toUInt16(day), toUInt64(uniqExact(device)) {contacts} \
                 AND day >= toDate({first}) AND day <= toDate({last}) GROUP BY day FORMAT RowBinary"
            ))
        }
    }

    /// The first contact ever: [`first_ever`].
    pub(super) fn first_ever(&self) -> impl Fn(Reach) -> Statement {
        let subject = *self;
        move |reach| {
            let first_contacts = subject.of("first_contacts", reach);
            statement(format!(
                "SELECT toUInt64(count()), toUInt32(minMerge(first)) {first_contacts} FORMAT RowBinary"
            ))
        }
    }

    fn of(&self, table: &str, reach: Reach) -> String {
        let suffix = local_suffix(reach == Reach::Shard);
        let (organization, ip) = (literal(self.organization.as_bytes()), literal(self.ip.as_bytes()));
        format!("FROM {table}{suffix} WHERE organization = {organization} AND ip = {ip}")
    }
}

impl Inside {
    pub(super) fn read(answer: &[u8]) -> Result<Self, Failure> {
        let mut values = Values::new(answer);
        let mut inside = Self { devices: 0, first: None, last: 0 };
        while !values.is_empty() {
            let (part, count, time) = (values.u8()?, values.u64()?, values.u32()?);
            match part {
                1 => (inside.devices, inside.last) = (count, time),
                _ => inside.first = (count > 0).then_some(time),
            }
        }
        Ok(inside)
    }

    /// The answer; none where nothing was inside. Rows that are not acknowledged yet may have reached one table and not the
    /// other: devices decide.
    pub(super) fn statistics(&self, window: Window) -> Option<IpStatistics> {
        let shown = |second: u32| window.shown(Timestamp::from_second(second.into()));
        (self.devices > 0).then(|| IpStatistics::Seen {
            prevalence: self.devices,
            first_seen: shown(self.first.unwrap_or(self.last)),
            last_seen: shown(self.last),
        })
    }
}

/// Whether anything was counted.
pub(super) fn exists(answer: &[u8]) -> Result<bool, Failure> {
    Ok(Values::new(answer).u64()? > 0)
}

/// Devices, most recent contact first.
pub(super) fn devices(answer: &[u8]) -> Result<Vec<DeviceContact>, Failure> {
    let (mut values, mut devices) = (Values::new(answer), Vec::new());
    while !values.is_empty() {
        devices.push(DeviceContact { device: values.text()?, last: Minute::from_index(values.u32()?) });
    }
    Ok(devices)
}

/// The first whole day of retention and the day of `now`.
pub(super) fn days_retained(now: Timestamp) -> (Day, Day) {
    let start = Window::ending_at(now, LookBack::MAX).start();
    (start.plus_seconds(86_399).day(), now.day())
}

/// Every day from `first` to `last`.
pub(super) fn devices_per_day(answer: &[u8], first: Day, last: Day) -> Result<Vec<DayPrevalence>, Failure> {
    let days = (first.index()..=last.index()).map(Day::from_index);
    let mut all: Vec<_> = days.map(|day| DayPrevalence { day, prevalence: 0 }).collect();
    let mut values = Values::new(answer);
    while !values.is_empty() {
        let (day, prevalence) = (u32::from(values.u16()?), values.u64()?);
        let of_day = all.iter_mut().find(|of_day| of_day.day.index() == day);
        of_day.ok_or(Failure::Unreadable)?.prevalence = prevalence;
    }
    Ok(all)
}

/// A time, where anything was counted.
pub(super) fn first_ever(answer: &[u8]) -> Result<Option<Timestamp>, Failure> {
    let mut values = Values::new(answer);
    let (count, time) = (values.u64()?, values.u32()?);
    Ok((count > 0).then(|| Timestamp::from_second(time.into())))
}

/// Bytes as a string of SQL.
pub(super) fn literal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 + 2);
    text.push('\'');
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
    text.push('\'');
    text
}

fn statement(sql: String) -> Statement {
    Statement { sql, ..Statement::default() }
}

/// A time as the tables have it; what lies outside is as far as they reach.
fn second(time: Timestamp) -> u32 {
    u32::try_from(time.second().max(0)).unwrap_or(u32::MAX)
}

const fn day_of(second: u32) -> u32 {
    second / 86_400
}
