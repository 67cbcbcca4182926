//! Group commit: many callers, one fsync.
//!
//! A caller queues its batch and waits. Whoever finds no leader becomes it, takes all that is queued, writes it with one
//! fsync and wakes everybody. The first failure is final: nothing is acknowledged after it, because after a failed fsync
//! nobody can know what the disk holds (A. Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
//!
//! Architecture Invariants: sequences are contiguous, and each epoch's are a range of them, because a batch gets its
//! epoch and its sequence under one lock. A [`Ticket`] counts as in flight until it is dropped; an epoch is sealed when
//! none of its tickets is left.

use crate::devices::Devices;
use crate::disk::{Disk, JournalEntry};
use crate::watermark::Watermark;
use parking_lot::{Condvar, Mutex};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A commit that takes longer is not waited for.
const COMMIT_TIME_MAX: Duration = Duration::from_mins(2);

pub(crate) struct Journal {
    queue: Mutex<Queue>,
    /// Signals: a commit is done, a ticket is dropped, the journal failed.
    changed: Condvar,
    watermark: Watermark,
}

struct Queue {
    waiting: Vec<JournalEntry>,
    epoch: u64,
    last_sequence: u64,
    durable_sequence: u64,
    /// When the present leader began to commit.
    leading_since: Option<Instant>,
    /// Tickets of the epochs of each parity.
    in_flight: [usize; 2],
    failure: Option<Arc<str>>,
}

/// A durable batch that is not applied yet. Its epoch stays open while it lives.
pub(crate) struct Ticket<'a> {
    journal: &'a Journal,
    pub(crate) epoch: u64,
}

/// The journal stopped, and why.
#[derive(Debug, Clone)]
pub(crate) struct JournalFailed(pub(crate) Arc<str>);

impl Journal {
    /// A journal that goes on in `epoch` behind `last_sequence`.
    pub(crate) fn new(epoch: u64, last_sequence: u64, watermark: Watermark) -> Self {
        let queue = Queue {
            waiting: Vec::new(),
            epoch,
            last_sequence,
            durable_sequence: last_sequence,
            leading_since: None,
            in_flight: [0; 2],
            failure: None,
        };
        Self { queue: Mutex::new(queue), changed: Condvar::new(), watermark }
    }

    /// Makes a batch durable, together with the devices it needs.
    pub(crate) fn append(
        &self,
        payload: Vec<u8>,
        devices: &Devices,
        disk: &Disk,
    ) -> Result<Ticket<'_>, JournalFailed> {
        let mut queue = self.queue.lock();
        queue.check()?;
        let (epoch, sequence) = queue.push(payload);
        let ticket = Ticket { journal: self, epoch };
        loop {
            if queue.durable_sequence >= sequence {
                return Ok(ticket);
            }
            if let Err(failed) = queue.check() {
                drop(queue);
                return Err(failed);
            }
            if queue.leading_since.is_some() {
                self.changed.wait(&mut queue);
                continue;
            }
            queue.leading_since = Some(Instant::now());
            let (entries, last) = (mem::take(&mut queue.waiting), queue.last_sequence);
            drop(queue);
            let leader = Leader(self);
            let written = self.commit(entries, last, devices, disk);
            drop(leader);
            queue = self.queue.lock();
            match written {
                Ok(()) => queue.durable_sequence = last,
                Err(reason) => queue.fail(&reason),
            }
            self.changed.notify_all();
        }
    }

    /// Begins the next epoch and waits until all of the last one is applied. Returns its last sequence.
    pub(crate) fn seal(&self) -> u64 {
        let mut queue = self.queue.lock();
        let (sealed, last) = (queue.epoch, queue.last_sequence);
        queue.epoch += 1;
        while queue.tickets(sealed) > 0 {
            self.changed.wait(&mut queue);
        }
        last
    }

    /// Whether anything is acknowledged still.
    pub(crate) fn check(&self) -> Result<(), JournalFailed> {
        self.queue.lock().check()
    }

    /// Stops acknowledging, for good.
    pub(crate) fn fail(&self, reason: &str) {
        self.queue.lock().fail(reason);
        self.changed.notify_all();
    }

    /// The number of the last batch.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.queue.lock().last_sequence
    }

    /// Stops acknowledging when a commit does not come back: fjall waits without end for a worker that a full disk killed.
    pub(crate) fn fail_if_stuck(&self) {
        let mut queue = self.queue.lock();
        if queue.leading_since.is_some_and(|since| since.elapsed() > COMMIT_TIME_MAX) {
            queue.fail("a commit takes more than two minutes");
            self.changed.notify_all();
        }
    }

    /// Why nothing is acknowledged any more, if so.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        self.queue.lock().failure.clone()
    }

    fn commit(
        &self,
        entries: Vec<JournalEntry>,
        last: u64,
        devices: &Devices,
        disk: &Disk,
    ) -> Result<(), String> {
        // After the entries were taken: whatever id they use is durable or in this list.
        let new_devices = devices.uncommitted();
        disk.commit(&new_devices, entries).map_err(|error| error.to_string())?;
        devices.committed(new_devices);
        self.watermark.raise(last).map_err(|error| format!("journal watermark: {error}"))
    }
}

/// Whoever leads. Ends the lead when it is dropped, also by a panic, which nobody must wait for.
struct Leader<'a>(&'a Journal);

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.leading_since = None;
        if std::thread::panicking() {
            queue.fail("a commit panicked");
            self.0.changed.notify_all();
        }
    }
}

impl Queue {
    fn check(&self) -> Result<(), JournalFailed> {
        self.failure.clone().map_or(Ok(()), |reason| Err(JournalFailed(reason)))
    }

    fn push(&mut self, payload: Vec<u8>) -> (u64, u64) {
        self.last_sequence += 1;
        let (epoch, sequence) = (self.epoch, self.last_sequence);
        self.waiting.push(JournalEntry { epoch, sequence, payload });
        *self.tickets_mut(epoch) += 1;
        (epoch, sequence)
    }

    fn fail(&mut self, reason: &str) {
        if self.failure.is_none() {
            tracing::error!(
                reason,
                "the journal failed: nothing is acknowledged until the process is restarted"
            );
            self.failure = Some(reason.into());
        }
    }

    const fn tickets(&self, epoch: u64) -> usize {
        let [even, odd] = self.in_flight;
        if epoch.is_multiple_of(2) { even } else { odd }
    }

    const fn tickets_mut(&mut self, epoch: u64) -> &mut usize {
        let [even, odd] = &mut self.in_flight;
        if epoch.is_multiple_of(2) { even } else { odd }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut queue = self.journal.queue.lock();
        *queue.tickets_mut(self.epoch) -= 1;
        if queue.tickets(self.epoch) == 0 {
            self.journal.changed.notify_all();
        }
    }
}
