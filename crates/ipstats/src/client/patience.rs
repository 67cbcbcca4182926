//! How long to wait before sending again, and when to give up.

use std::time::{Duration, Instant};

/// Longest wait that a server may ask for in one go: its longest quota is by the hour.
const RETRY_AFTER_SECONDS_MAX: u64 = 3600;

/// Longest time that one request waits for its share of a quota: others may use it up too.
const QUOTA_SECONDS_MAX: u64 = 2 * RETRY_AFTER_SECONDS_MAX;

/// Where the server names no time after 429.
const QUOTA_SECONDS_DEFAULT: u64 = 60;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is left of the patience with one request.
#[derive(Debug)]
pub(super) struct Patience {
    /// How long an outage may last.
    outage: Duration,
    outage_since: Option<Instant>,
    pause: Duration,
    quota: Duration,
}

impl Patience {
    /// The patience that rides out outages of this length.
    pub(super) fn new(outage: Duration) -> Self {
        Self { outage, outage_since: None, pause: FIRST_PAUSE, quota: Duration::from_secs(QUOTA_SECONDS_MAX) }
    }

    /// How long to wait after 429; none where that is longer than is reasonable.
    pub(super) fn with_quota(&mut self, retry_after_seconds: Option<u64>) -> Option<Duration> {
        // An answer, even this one, ends an outage.
        (self.outage_since, self.pause) = (None, FIRST_PAUSE);
        let seconds = retry_after_seconds.unwrap_or(QUOTA_SECONDS_DEFAULT);
        if seconds > RETRY_AFTER_SECONDS_MAX {
            return None;
        }
        // At least a moment: an answer of "now" must not make a tight loop.
        let wait = Duration::from_secs(seconds).max(FIRST_PAUSE);
        self.quota = self.quota.checked_sub(wait)?;
        Some(wait)
    }

    /// How long to wait while the service is away: longer each time, and never at the same moment as others (`jitter` is
    /// random, from 0 to 1). None once it lasts too long.
    pub(super) fn with_outage(
        &mut self,
        now: Instant,
        retry_after_seconds: Option<u64>,
        jitter: f64,
    ) -> Option<Duration> {
        let since = *self.outage_since.get_or_insert(now);
        let left = self.outage.checked_sub(now.saturating_duration_since(since))?;
        let pause = self.pause.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let asked = Duration::from_secs(retry_after_seconds.unwrap_or(0));
        Some(pause.max(asked)).filter(|wait| *wait <= left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_ridden_out_with_growing_pauses_up_to_its_end() {
        let start = Instant::now();
        let mut patience = Patience::new(Duration::from_mins(1));
        let (mut now, mut pauses) = (start, Vec::new());
        while let Some(pause) = patience.with_outage(now, None, 1.0) {
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
        assert!(now - start <= Duration::from_mins(1));
        let half = Patience::new(Duration::from_mins(1)).with_outage(start, None, 0.0);
        assert_eq!(half, Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_the_server_asks_for_is_respected_while_it_is_reasonable() {
        let now = Instant::now();
        let mut patience = Patience::new(Duration::from_mins(1));
        assert_eq!(patience.with_outage(now, Some(30), 0.0), Some(Duration::from_secs(30)));
        assert_eq!(patience.with_outage(now, Some(61), 0.0), None, "longer than it may last");
        assert_eq!(patience.with_quota(Some(42)), Some(Duration::from_secs(42)));
        assert_eq!(patience.with_quota(Some(0)), Some(FIRST_PAUSE));
        assert_eq!(patience.with_quota(None), Some(Duration::from_mins(1)));
        assert_eq!(patience.with_quota(Some(3601)), None);
    }

    #[test]
    fn a_quota_that_others_use_up_is_not_waited_for_without_end() {
        let mut patience = Patience::new(Duration::ZERO);
        let waits = (0..10).map_while(|_| patience.with_quota(Some(3600))).count();
        assert_eq!(waits, 2);
    }

    #[test]
    fn no_patience_is_one_attempt() {
        assert_eq!(Patience::new(Duration::ZERO).with_outage(Instant::now(), None, 0.5), None);
    }
}
