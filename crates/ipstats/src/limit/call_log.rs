//! The admitted calls of one caller within the span of one limit.
//!
//! A log is a queue of slots, each a tick and how many calls it holds. A tick is a millisecond where the limit is small
//! enough for that to be exact; a limit of more than [`SLOTS_MAX`] calls has ticks of a 2048th of its span, so that no
//! log grows beyond that. A call counts from the end of its tick on, and leaves when the whole span has passed since: a
//! rounding makes a caller wait longer, never lets it call more often.

use crate::config::RateLimit;
use std::collections::VecDeque;
use std::time::Duration;

/// Most slots of a log; eight bytes each.
pub(super) const SLOTS_MAX: u32 = 2048;

/// The finest tick.
const TICK_MICROS_MIN: u64 = 1000;

const MICROS_PER_SECOND: u64 = 1_000_000;

pub(super) struct CallLog {
    limit: RateLimit,
    tick_micros: u64,
    /// What the ticks of slots are counted from, in ticks.
    base: u64,
    slots: VecDeque<Slot>,
    /// Calls in all slots.
    calls: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    /// Ticks since the base.
    tick: u32,
    calls: u32,
}

impl CallLog {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, tick_micros: tick_micros(limit), base: 0, slots: VecDeque::new(), calls: 0 }
    }

    pub(super) const fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Forgets what has left the span.
    pub(super) fn expire(&mut self, now: Duration) {
        let now = micros(now);
        while let Some(slot) = self.slots.front().copied().filter(|slot| self.leaves_at(*slot) <= now) {
            self.slots.pop_front();
            self.calls -= u64::from(slot.calls);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// When one more call is within the limit; nothing if it is already. To be asked after [`expire`](Self::expire).
    pub(super) fn free_at(&self) -> Option<Duration> {
        let max = u64::from(self.limit.calls_max());
        let mut calls = self.calls;
        // More than one step only after the limit was lowered.
        let mut slots = self.slots.iter();
        let mut free_at = None;
        while calls >= max {
            let slot = slots.next()?;
            calls -= u64::from(slot.calls);
            free_at = Some(Duration::from_micros(self.leaves_at(*slot)));
        }
        free_at
    }

    /// When the last call will have left the span; nothing if all have.
    pub(super) fn empty_at(&self) -> Option<Duration> {
        self.slots.back().map(|slot| Duration::from_micros(self.leaves_at(*slot)))
    }

    /// Counts `calls` calls at `at`. Threads that race may come a little out of order: a call never counts from before
    /// the one in front of it.
    pub(super) fn count(&mut self, at: Duration, calls: u32) {
        let tick = micros(at + Duration::from_nanos(999)).div_ceil(self.tick_micros);
        self.rebase(tick);
        let tick = u32::try_from(tick.saturating_sub(self.base)).unwrap_or(u32::MAX);
        self.calls += u64::from(calls);
        match self.slots.back_mut() {
            Some(last) if tick <= last.tick => last.calls = last.calls.saturating_add(calls),
            _ => self.slots.push_back(Slot { tick, calls }),
        }
    }

    /// Counts a call that something else admitted, whatever the limit. Of more calls than the limit has, the last ones tell
    /// when another is within it: those before them are forgotten.
    pub(super) fn note(&mut self, at: Duration) {
        self.count(at, 1);
        let mut too_many = self.calls.saturating_sub(self.limit.calls_max().into());
        while too_many > 0
            && let Some(first) = self.slots.front_mut()
        {
            let forgotten = too_many.min(first.calls.into());
            first.calls -= u32::try_from(forgotten).unwrap_or(first.calls);
            self.calls -= forgotten;
            too_many -= forgotten;
            if first.calls == 0 {
                self.slots.pop_front();
            }
        }
    }

    /// When each call was counted and how many, oldest first: what a log for another limit begins with.
    pub(super) fn history(&self) -> impl Iterator<Item = (Duration, u32)> {
        self.slots.iter().map(|slot| {
            (Duration::from_micros((self.base + u64::from(slot.tick)) * self.tick_micros), slot.calls)
        })
    }

    /// Moves the base so that `tick` lies within 32 bits of it. A span is a day at most: what has not expired does, too.
    fn rebase(&mut self, tick: u64) {
        let Some(first) = self.slots.front().map(|slot| slot.tick) else {
            self.base = tick;
            return;
        };
        if tick.saturating_sub(self.base) > u64::from(u32::MAX) {
            self.base += u64::from(first);
            self.slots.iter_mut().for_each(|slot| slot.tick -= first);
        }
    }

    fn leaves_at(&self, slot: Slot) -> u64 {
        let span_micros = u64::from(self.limit.seconds()) * MICROS_PER_SECOND;
        (self.base + u64::from(slot.tick)) * self.tick_micros + span_micros
    }
}

/// How finely calls are told apart under `limit`.
pub(super) fn tick_micros(limit: RateLimit) -> u64 {
    let span_micros = u64::from(limit.seconds()) * MICROS_PER_SECOND;
    let is_exact = limit.calls_max() <= SLOTS_MAX;
    let tick_micros = if is_exact { TICK_MICROS_MIN } else { span_micros.div_ceil(SLOTS_MAX.into()) };
    tick_micros.max(TICK_MICROS_MIN)
}

/// Whole microseconds, rounded down.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(limit: &str) -> CallLog {
        CallLog::new(limit.parse().unwrap())
    }

    /// Counts a call at `at` if there is room; else when there is.
    fn call(log: &mut CallLog, at: Duration) -> Result<(), Duration> {
        log.expire(at);
        match log.free_at() {
            None => {
                log.count(at, 1);
                Ok(())
            }
            Some(free_at) => Err(free_at),
        }
    }

    #[test]
    fn a_call_leaves_when_its_span_has_passed() {
        let mut log = log("2 per 00:00:10");
        let at = Duration::from_millis;
        assert_eq!(call(&mut log, at(0)), Ok(()));
        assert_eq!(call(&mut log, at(4_000)), Ok(()));
        assert_eq!(call(&mut log, at(9_999)), Err(at(10_000)));
        assert_eq!(call(&mut log, at(10_000)), Ok(()));
        assert_eq!(call(&mut log, at(10_001)), Err(at(14_000)));
    }

    #[test]
    fn a_fraction_of_a_tick_makes_a_caller_wait_longer_and_never_less() {
        let mut log = log("1 per 00:00:01");
        assert_eq!(call(&mut log, Duration::from_nanos(500_000_001)), Ok(()));
        assert!(call(&mut log, Duration::from_millis(1500)).is_err());
        assert_eq!(call(&mut log, Duration::from_millis(1501)), Ok(()));
    }

    #[test]
    fn what_was_admitted_elsewhere_counts_and_takes_no_more_room() {
        let mut log = log("2 per 00:00:10");
        for second in 0..5 {
            log.note(Duration::from_secs(second));
        }
        assert_eq!((log.slots.len(), log.calls), (2, 2));
        assert_eq!(call(&mut log, Duration::from_secs(5)), Err(Duration::from_secs(13)));
        assert_eq!(call(&mut log, Duration::from_secs(13)), Ok(()));
        assert_eq!(call(&mut log, Duration::from_millis(13_999)), Err(Duration::from_secs(14)));
    }

    #[test]
    fn a_large_limit_takes_no_more_slots_and_admits_no_more_calls() {
        let mut log = log("1000000 per 00:01:00");
        let mut admitted = Vec::new();
        for call_number in 0..400_000_u64 {
            let at = Duration::from_micros(call_number * 400);
            let times = if call_number % 2 == 0 { 10 } else { 1 };
            admitted.extend((0..times).filter_map(|_| call(&mut log, at).ok().map(|()| at)));
        }
        assert!(log.slots.len() <= SLOTS_MAX as usize + 1, "{}", log.slots.len());
        let span = Duration::from_mins(1);
        for pair in admitted.windows(1_000_001) {
            assert!(pair[1_000_000] >= pair[0] + span, "too many within a minute from {:?}", pair[0]);
        }
        assert!(admitted.len() > 1_500_000, "{}", admitted.len());
    }

    #[test]
    fn a_process_may_run_for_years() {
        let mut log = log("2 per 24:00:00");
        let day = Duration::from_hours(24);
        for days in 0..2000 {
            let at = day * days * 40 + Duration::from_millis(7);
            assert_eq!(call(&mut log, at), Ok(()));
            assert_eq!(call(&mut log, at + day / 2), Ok(()));
            assert_eq!(call(&mut log, at + day / 2), Err(at + day));
            assert_eq!(call(&mut log, at + day), Ok(()));
        }
        // Calls without a pause: the base moves while there are slots.
        for halves in 0..400 {
            let at = day * 100_000 + day / 2 * halves;
            assert_eq!(call(&mut log, at), Ok(()), "{halves}");
        }
    }
}
