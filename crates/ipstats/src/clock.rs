//! What time it is: the only module that reads a clock, so that everything else can be told the time.
//!
//! Two things have a time here. *Data* lives on a [`Clock`] that an operator may pin (`--as-of`) to work on an old
//! capture. *Tokens* always live on the system's clock: clients compare their expiry with their own.

use ipstats_model::Timestamp;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of the current time. Cheap to clone; clones agree.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A time that does not pass.
    Pinned(Timestamp),
    /// A time that passes when it is told to.
    Manual(ManualClock),
}

/// The hands of a [`Clock::Manual`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

/// One look at the time of day and at the time that passed: a request takes it when it comes, and all that looks at the
/// clock on its way to an answer sees the same time.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds since the epoch.
    pub unix_millis: i64,
    /// The time since some fixed point, as [`Clock::elapsed`] tells it.
    pub elapsed: Duration,
}

impl Moment {
    /// The time of day, in whole seconds.
    pub const fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.unix_millis.div_euclid(1000))
    }
}

impl Clock {
    /// The clock of `--as-of`: pinned where a time is given, else the system's.
    pub fn as_of(pinned: Option<Timestamp>) -> Self {
        pinned.map_or(Self::System, Self::Pinned)
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                Timestamp::from_second(i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX))
            }
            Self::Pinned(time) => *time,
            Self::Manual(clock) => Timestamp::from_second(clock.0.load(Ordering::Relaxed)),
        }
    }

    /// The time of day, in milliseconds since the epoch.
    pub fn unix_millis(&self) -> i64 {
        match self {
            Self::System => i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX),
            Self::Pinned(_) | Self::Manual(_) => self.now().second().saturating_mul(1000),
        }
    }

    /// Now.
    pub fn moment(&self) -> Moment {
        Moment { unix_millis: self.unix_millis(), elapsed: self.elapsed() }
    }

    /// What this clock shows at a moment that the system's clock was looked at.
    pub fn at(&self, moment: Moment) -> Timestamp {
        match self {
            Self::System => moment.timestamp(),
            Self::Pinned(_) | Self::Manual(_) => self.now(),
        }
    }

    /// The time since some fixed point. It only goes forward, whatever is done to the time of day, and it passes even
    /// for a pinned clock: it is for spans and not for dates.
    pub fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System | Self::Pinned(_) => START.elapsed(),
            Self::Manual(clock) => {
                Duration::from_secs(u64::try_from(clock.0.load(Ordering::Relaxed)).unwrap_or_default())
            }
        }
    }

    /// The pinned time, where there is one.
    pub fn pinned(&self) -> Option<Timestamp> {
        match self {
            Self::Pinned(time) => Some(*time),
            Self::System | Self::Manual(_) => None,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the module that reads the clock")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl ManualClock {
    /// A clock that shows `time`.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.second())))
    }

    /// Moves the clock forward (or back) by `seconds`.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_clock_stands_still_and_a_manual_one_obeys() {
        let time: Timestamp = "2017-08-29T13:32:59Z".parse().unwrap();
        assert_eq!(Clock::as_of(Some(time)).now(), time);
        assert_eq!(Clock::as_of(Some(time)).pinned(), Some(time));
        let hands = ManualClock::at(time);
        let clock = Clock::Manual(hands.clone());
        hands.advance(61);
        assert_eq!(clock.now(), time.plus_seconds(61));
        let system = Clock::as_of(None);
        assert_eq!(system.pinned(), None);
        assert!(system.now() > time);
    }
}
