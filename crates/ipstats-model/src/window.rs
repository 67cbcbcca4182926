//! The look-back window and retention: the one place that says which times count.

use crate::limits::{CLOCK_AHEAD_SECONDS_MAX, RETENTION_HOURS};
use crate::time::Timestamp;

/// `lookBackHours`: whole hours, 1 to 720; 720 (30 days) unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookBack(u16);

/// The number of hours is outside 1..=720.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("look-back is {hours} hours; it must be 1 to 720")]
pub struct InvalidLookBack {
    hours: i64,
}

/// The look-back window of one question: `start = floor_to_minute(now) - hours * 3600 s`, and it ends *now*.
///
/// A connection at `t` counts when `t >= start`. Nothing excludes `t > now`: a record up to
/// [`CLOCK_AHEAD_SECONDS_MAX`] ahead was accepted, counts, and is [shown](Self::shown) as *now*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    start: Timestamp,
    now: Timestamp,
}

/// What becomes of a record's time on the way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Inside retention.
    Accepted,
    /// Before the start of the retained 30 days.
    TooOld,
    /// More than [`CLOCK_AHEAD_SECONDS_MAX`] ahead of *now*.
    TooFarAhead,
}

impl LookBack {
    /// 30 days, the longest and the default.
    pub const MAX: Self = Self(RETENTION_HOURS);

    /// `hours` as a look-back, or why it is none.
    pub fn from_hours(hours: i64) -> Result<Self, InvalidLookBack> {
        match u16::try_from(hours) {
            Ok(hours @ 1..=RETENTION_HOURS) => Ok(Self(hours)),
            _ => Err(InvalidLookBack { hours }),
        }
    }

    /// Hours, 1 to 720.
    pub const fn hours(self) -> u16 {
        self.0
    }
}

impl Default for LookBack {
    fn default() -> Self {
        Self::MAX
    }
}

impl Window {
    /// The window that ends at `now` and looks back `look_back`.
    pub fn ending_at(now: Timestamp, look_back: LookBack) -> Self {
        let start = now.floor_to_minute().plus_seconds(-3600 * i64::from(look_back.hours()));
        Self { start, now }
    }

    /// First second inside the window; always a whole minute.
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The end of the window.
    pub const fn now(self) -> Timestamp {
        self.now
    }

    /// Whether a connection at `time` counts.
    pub fn contains(self, time: Timestamp) -> bool {
        time >= self.start
    }

    /// `time` as an answer shows it: a time ahead of the clock is shown as *now*.
    pub fn shown(self, time: Timestamp) -> Timestamp {
        time.min(self.now)
    }
}

/// First second of the retained 30 days at `now`: the start of the longest window.
pub fn retention_start(now: Timestamp) -> Timestamp {
    Window::ending_at(now, LookBack::MAX).start()
}

/// Whether a record at `time` that arrives at `now` is kept.
///
/// The representable range is that of 32-bit seconds, 1970 to 2106; what lies outside of it is outside retention.
pub fn admission(time: Timestamp, now: Timestamp) -> Admission {
    if time < retention_start(now) || time < Timestamp::EPOCH {
        Admission::TooOld
    } else if time > now.plus_seconds(CLOCK_AHEAD_SECONDS_MAX) || time > Timestamp::LATEST {
        Admission::TooFarAhead
    } else {
        Admission::Accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_starts_on_the_whole_minute() {
        let now: Timestamp = "2017-08-29T13:32:59Z".parse().unwrap();
        let window = Window::ending_at(now, LookBack::from_hours(48).unwrap());
        assert_eq!(window.start().to_string(), "2017-08-27T13:32:00Z");
        assert!(window.contains(window.start()));
        assert!(!window.contains(window.start().plus_seconds(-1)));
        assert_eq!(window.shown(now.plus_seconds(200)), now);
    }

    #[test]
    fn look_back_takes_1_to_720_hours() {
        for hours in [0, -1, 721, i64::MAX, i64::MIN] {
            assert!(LookBack::from_hours(hours).is_err(), "{hours}");
        }
        assert_eq!(LookBack::from_hours(720).unwrap(), LookBack::default());
        assert_eq!(LookBack::from_hours(1).unwrap().hours(), 1);
    }

    #[test]
    fn retention_is_the_longest_window_and_five_minutes_ahead() {
        let now: Timestamp = "2017-08-29T13:32:59Z".parse().unwrap();
        let start = retention_start(now);
        assert_eq!(start.to_string(), "2017-07-30T13:32:00Z");
        assert_eq!(admission(start, now), Admission::Accepted);
        assert_eq!(admission(start.plus_seconds(-1), now), Admission::TooOld);
        assert_eq!(admission(now.plus_seconds(300), now), Admission::Accepted);
        assert_eq!(admission(now.plus_seconds(301), now), Admission::TooFarAhead);
        let before_the_epoch = Timestamp::EPOCH.plus_seconds(-1);
        assert_eq!(admission(before_the_epoch, Timestamp::EPOCH), Admission::TooOld);
        let after_2106 = Timestamp::LATEST.plus_seconds(1);
        assert_eq!(admission(after_2106, after_2106), Admission::TooFarAhead);
    }
}
