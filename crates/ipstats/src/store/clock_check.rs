//! Whether the clock and the data can both be right.

use crate::clock::Clock;
use ipstats_model::Timestamp;
use ipstats_model::limits::CLOCK_AHEAD_SECONDS_MAX;

/// The pinned clock lies before data already stored: answers would depend on what was imported first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "--as-of {pinned} lies before data already stored (the newest is of {newest}): \
     pin the clock to {newest} or later, or use another data folder"
)]
pub struct PinnedBeforeData {
    pinned: Timestamp,
    newest: Timestamp,
}

/// The clock of this machine lies before data that was recorded by it: it was wrong then, or is wrong now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock of this machine ({now}) lies before data already stored (the newest is of {newest}): set the clock, or \
     recent records are refused and answers are wrong"
)]
pub struct ClockBehind {
    now: Timestamp,
    newest: Timestamp,
}

/// Whether a clock that is not pinned lies before the newest event in the store. The data is safe: nothing is refused.
pub fn check_clock(clock: &Clock, newest: Option<Timestamp>) -> Result<(), ClockBehind> {
    let (now, newest) = (clock.now(), newest.filter(|_| clock.pinned().is_none()));
    match newest {
        Some(newest) if newest > now.plus_seconds(CLOCK_AHEAD_SECONDS_MAX) => {
            Err(ClockBehind { now, newest })
        }
        _ => Ok(()),
    }
}

/// Whether a pinned clock lies before the newest event in the store. The same tolerance as on the way in: a record may
/// lie a little ahead of the clock it arrived by.
pub(super) fn check_pin(
    pinned: Option<Timestamp>,
    newest: Option<Timestamp>,
) -> Result<(), PinnedBeforeData> {
    match (pinned, newest) {
        (Some(pinned), Some(newest)) if newest > pinned.plus_seconds(CLOCK_AHEAD_SECONDS_MAX) => {
            Err(PinnedBeforeData { pinned, newest })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_clock_pinned_before_the_data_is_refused_with_a_way_out() {
        let newest: Timestamp = "2018-06-01T12:00:00Z".parse().unwrap();
        for pinned in [None, Some(newest), Some(newest.plus_seconds(86_400)), Some(newest.plus_seconds(-300))]
        {
            assert!(check_pin(pinned, Some(newest)).is_ok(), "{pinned:?}");
        }
        let error = check_pin(Some(newest.plus_seconds(-301)), Some(newest)).unwrap_err().to_string();
        assert!(
            error.contains("--as-of 2018-06-01T11:54:59Z") && error.contains("2018-06-01T12:00:00Z"),
            "{error}"
        );
        assert!(check_pin(Some(newest), None).is_ok());
    }

    #[test]
    fn a_clock_before_the_data_is_noticed_unless_it_is_pinned() {
        let newest: Timestamp = "2018-06-01T12:00:00Z".parse().unwrap();
        let behind = |seconds: i64| Clock::Manual(ManualClock::at(newest.plus_seconds(-seconds)));
        assert_eq!(check_clock(&behind(300), Some(newest)), Ok(()));
        assert_eq!(check_clock(&behind(301), None), Ok(()));
        let message = check_clock(&behind(301), Some(newest)).unwrap_err().to_string();
        assert!(
            message.contains("2018-06-01T11:54:59Z") && message.contains("2018-06-01T12:00:00Z"),
            "{message}"
        );
        assert_eq!(check_clock(&Clock::Pinned(newest.plus_seconds(-301)), Some(newest)), Ok(()));
    }
}
