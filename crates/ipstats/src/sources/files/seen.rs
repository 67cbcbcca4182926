//! How long a file was when, so that what was just written to it can be told from what was there before.

use super::leases::Reach;
use super::position::Version;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Lengths that are kept of one file: one a second, for the longest wait of the configuration.
const LENGTHS_MAX: usize = 600 + 2;

/// Shortest time between two lengths.
const PAUSE: Duration = Duration::from_secs(1);

/// The lengths of a file that grows.
#[derive(Debug, Default)]
pub(super) struct Seen(VecDeque<(Instant, u64)>);

impl Seen {
    /// Up to where this version of the file may be read.
    pub(super) fn limit(&mut self, version: Version, reach: Reach) -> u64 {
        match reach {
            Reach::Everything => u64::MAX,
            Reach::Nothing => {
                self.note(version.length, Instant::now());
                0
            }
            Reach::Before { looked, .. } if version.is_older(reach.age()) => {
                self.note(version.length, looked);
                version.length
            }
            Reach::Before { looked, wait } => {
                self.note(version.length, Instant::now());
                self.before(looked.checked_sub(wait))
            }
        }
    }

    fn note(&mut self, length: u64, now: Instant) {
        // A file that shrank is another one.
        if self.0.back().is_some_and(|(_, last)| *last > length) {
            self.0.clear();
        }
        let is_news = self.0.back().is_none_or(|(at, last)| *last != length && *at + PAUSE <= now);
        if is_news && self.0.len() < LENGTHS_MAX {
            self.0.push_back((now, length));
        }
    }

    /// The length that the file had at `time`.
    fn before(&mut self, time: Option<Instant>) -> u64 {
        let is_before = |entry: &(Instant, u64)| time.is_some_and(|time| entry.0 <= time);
        while self.0.get(1).is_some_and(is_before) {
            self.0.pop_front();
        }
        self.0.front().filter(|entry| is_before(entry)).map_or(0, |(_, length)| *length)
    }
}

impl Reach {
    /// How old what is read must be by now.
    pub(super) fn age(self) -> Duration {
        match self {
            Self::Everything => Duration::ZERO,
            Self::Before { looked, wait } => wait + looked.elapsed(),
            Self::Nothing => Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_long_enough_may_be_read() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        for second in 0..100 {
            seen.note(second * 10, at(second));
            assert_eq!(
                seen.before(at(second).checked_sub(Duration::from_secs(30))),
                second.saturating_sub(30) * 10
            );
        }
        assert!(seen.0.len() <= 32);
        // Looked at more often than once a second.
        seen.note(5000, at(99));
        assert_eq!(seen.before(Some(at(99))), 990);
        // Emptied.
        seen.note(10, at(101));
        assert_eq!(seen.before(Some(at(100))), 0);
        assert_eq!(seen.before(Some(at(101))), 10);
    }
}
