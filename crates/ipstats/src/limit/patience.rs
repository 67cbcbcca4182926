//! How long refusals of one caller are held back.

use std::time::Duration;

/// The pace of refusals: one in so many milliseconds.
const PACE: Duration = Duration::from_millis(20);

/// Refusals that are given at once, before the pace counts.
const BURST: u32 = 100;

/// Longest time that a refusal is held back.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The refusals of one caller, as the time at which they would end had each been given at the pace.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patience(Duration);

impl Patience {
    /// Counts a refusal at `now`; how long it is to be held back.
    pub(super) fn pause(&mut self, now: Duration) -> Duration {
        let at_once = PACE * BURST;
        self.0 = (self.0.max(now) + PACE).min(now + at_once + PAUSE_MAX);
        self.0.saturating_sub(now + at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_refused_at_once_and_a_flood_at_a_pace() {
        let (mut patience, now) = (Patience::default(), Duration::from_secs(100));
        assert!((0..100).all(|_| patience.pause(now).is_zero()));
        assert_eq!(patience.pause(now), PACE);
        assert_eq!(patience.pause(now), PACE * 2);
        assert_eq!((0..10_000).map(|_| patience.pause(now)).max(), Some(PAUSE_MAX));
        // Half of the burst is back after a while, and all of it later.
        assert!(patience.pause(now + Duration::from_secs(2)).is_zero());
        assert!((0..100).all(|_| patience.pause(now + Duration::from_secs(10)).is_zero()));
    }

    #[test]
    fn who_calls_in_a_loop_is_refused_at_the_pace() {
        let (mut patience, mut now) = (Patience::default(), Duration::ZERO);
        let mut refused = 0;
        while now < Duration::from_mins(1) {
            now += patience.pause(now) + Duration::from_micros(100);
            refused += 1;
        }
        assert!((3000..3200).contains(&refused), "{refused}");
    }
}
