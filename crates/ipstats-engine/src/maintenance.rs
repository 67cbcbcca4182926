//! The background thread: seals and flushes heads that are full or old, sweeps what has expired, and holds writers back
//! while there is no room.

use crate::core::Core;
use crate::error::StoreError;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the thread looks at the age of the head.
const TICK: Duration = Duration::from_secs(1);

/// Tiles are swept at most this often, and not right after an opening.
const SWEEP_PAUSE: Duration = Duration::from_hours(6);

/// Tiles are swept when the horizon has moved by this many minutes, and at most twice as far in one go: a clock that is
/// wrong for some hours costs no tile that is not about to expire.
const SWEEP_STEP_MINUTES: u32 = 1440;

pub(crate) struct Maintenance {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    /// Tells the thread: there is something to do.
    work: Condvar,
    /// Tells those who wait: a flush is done, or the thread is dead.
    done: Condvar,
}

#[derive(Default)]
struct Orders {
    flushes_asked: u64,
    flushes_done: u64,
    stop: bool,
    dead: bool,
}

impl Maintenance {
    pub(crate) fn start(core: Arc<Core>, head_age_max: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let worker = Worker { core, shared: Arc::clone(&shared), head_age_max: head_age_max.max(TICK) };
        let thread = thread::Builder::new().name("ipstats-maintenance".into()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Flushes everything recorded before the call; returns when it is done or will never be.
    pub(crate) fn flush(&self) {
        let mut orders = self.shared.orders.lock();
        orders.flushes_asked += 1;
        let mine = orders.flushes_asked;
        self.shared.work.notify_one();
        while orders.flushes_done < mine && !orders.dead {
            self.shared.done.wait(&mut orders);
        }
    }

    /// Returns when the head has room for another batch, or never will.
    pub(crate) fn wait_for_room(&self, core: &Core) {
        if !core.is_head_full() {
            return;
        }
        let mut orders = self.shared.orders.lock();
        while core.is_head_full() && !orders.dead && core.journal.failure().is_none() {
            self.shared.work.notify_one();
            self.shared.done.wait_for(&mut orders, TICK);
        }
    }

    /// Wakes the thread to look at the head.
    pub(crate) fn wake(&self) {
        // Under the lock, or the thread could look just before and sleep just after.
        let _orders = self.shared.orders.lock();
        self.shared.work.notify_one();
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.shared.orders.lock().stop = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    core: Arc<Core>,
    shared: Arc<Shared>,
    head_age_max: Duration,
}

/// Whoever waits for a thread that panicked must not wait forever.
struct DeathNotice<'a>(&'a Worker);

impl Worker {
    fn run(&self) {
        let _notice = DeathNotice(self);
        let (mut flushed_at, mut swept_at) = (Instant::now(), Instant::now());
        while let Some(asked) = self.next_order(flushed_at) {
            if self.core.journal.failure().is_none() {
                if let Err(error) = self.core.flush(|| self.tell_there_is_room()) {
                    self.core.journal.fail(&format!("flush: {error}"));
                }
                flushed_at = Instant::now();
                if swept_at.elapsed() >= SWEEP_PAUSE {
                    self.sweep();
                    swept_at = Instant::now();
                }
            }
            self.shared.orders.lock().flushes_done = asked;
            self.shared.done.notify_all();
        }
    }

    /// Waits until a flush is due and returns how many were asked for until then; [`None`] to stop.
    fn next_order(&self, flushed_at: Instant) -> Option<u64> {
        let mut orders = self.shared.orders.lock();
        loop {
            if orders.stop {
                return None;
            }
            self.core.journal.fail_if_stuck();
            let idle = self.core.journal.failure().is_some();
            let due = self.core.is_head_full()
                || self.core.heads.has_sealed()
                || flushed_at.elapsed() >= self.head_age_max;
            if orders.flushes_asked > orders.flushes_done || (due && !idle) {
                return Some(orders.flushes_asked);
            }
            self.shared.work.wait_for(&mut orders, TICK);
        }
    }

    fn tell_there_is_room(&self) {
        // Under the lock, or a writer could look just before and sleep just after.
        let _orders = self.shared.orders.lock();
        self.shared.done.notify_all();
    }

    fn sweep(&self) {
        if let Err(error) = self.sweep_if_due() {
            tracing::error!(%error, "cannot sweep expired tiles");
        }
    }

    fn sweep_if_due(&self) -> Result<(), StoreError> {
        let horizon = self.core.sweep_horizon();
        match sweep_plan(self.core.disk.swept()?, horizon) {
            SweepPlan::BeginHere => self.core.disk.mark_swept(horizon)?,
            SweepPlan::NotYet => {}
            SweepPlan::UpTo(limit) => {
                let tiles = self.core.sweep(limit)?;
                tracing::info!(tiles, "swept expired tiles");
            }
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum SweepPlan {
    /// Nothing was ever swept: note where to begin.
    BeginHere,
    NotYet,
    /// Sweep, up to this minute at most.
    UpTo(u32),
}

/// What to do when tiles were swept up to minute `swept` (0 for never) and those before `horizon` have expired.
const fn sweep_plan(swept: u32, horizon: u32) -> SweepPlan {
    if swept == 0 {
        SweepPlan::BeginHere
    } else if horizon < swept.saturating_add(SWEEP_STEP_MINUTES) {
        SweepPlan::NotYet
    } else {
        SweepPlan::UpTo(swept.saturating_add(2 * SWEEP_STEP_MINUTES))
    }
}

impl Drop for DeathNotice<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.core.journal.fail("the maintenance thread panicked");
        }
        self.0.shared.orders.lock().dead = true;
        self.0.shared.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_begin_once_and_go_on_day_by_day() {
        let day = SWEEP_STEP_MINUTES;
        assert_eq!(sweep_plan(0, 100 * day), SweepPlan::BeginHere);
        assert_eq!(sweep_plan(100 * day, 101 * day - 1), SweepPlan::NotYet);
        assert_eq!(sweep_plan(100 * day, 101 * day), SweepPlan::UpTo(102 * day));
        assert_eq!(sweep_plan(100 * day, 500 * day), SweepPlan::UpTo(102 * day), "a clock that jumped");
        assert_eq!(sweep_plan(100 * day, 0), SweepPlan::NotYet, "no batch yet");
    }
}
