//! Entries on their way to the thread that writes them, bounded by places.

use super::AuditFigures;
use super::entry::Entry;
use super::output::Output;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Lines that wait or whose requests are under way; about 300 bytes each.
const PLACES_MAX: usize = 65_536;

/// How long entries gather before they are written: a batch is one call of the system, and one wake-up of the thread.
const GATHER: Duration = Duration::from_millis(20);

pub(super) struct Queue {
    state: Mutex<State>,
    /// Something happened to the state.
    changed: Condvar,
    places: AtomicUsize,
    places_max: usize,
    written: AtomicU64,
    failures: AtomicU64,
    lost: AtomicU64,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    next_output: Option<Output>,
    closing: bool,
    /// The thread has ended.
    closed: bool,
}

/// The place of one line in the queue.
pub struct Place {
    queue: Arc<Queue>,
}

/// No place is left: too many lines wait to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written: {waiting} lines wait already")]
pub struct Full {
    /// Lines that wait.
    pub waiting: usize,
}

/// What the thread finds in the queue.
pub(super) enum Next {
    Entries,
    End,
}

impl Place {
    /// Puts the line into the queue.
    pub fn record(self, entry: Entry) {
        let mut state = self.queue.state.lock();
        if state.closed {
            self.queue.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // The entry has a place of its own now, which is given back when the line is written.
        self.queue.places.fetch_add(1, Ordering::Relaxed);
        state.entries.push(entry);
        let is_first = state.entries.len() == 1;
        drop(state);
        if is_first {
            self.queue.changed.notify_all();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.give_back(1);
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self::with_places(PLACES_MAX)
    }

    pub(super) fn with_places(places_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            places: AtomicUsize::new(0),
            places_max,
            written: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    pub(super) fn place(queue: &Arc<Self>) -> Result<Place, Full> {
        let taken = queue.places.fetch_add(1, Ordering::Relaxed);
        // From here on the place is given back when it is dropped.
        let place = Place { queue: Arc::clone(queue) };
        if taken < queue.places_max { Ok(place) } else { Err(Full { waiting: queue.places_max }) }
    }

    /// Waits for entries, lets some gather, and moves them into `batch`, which is empty.
    pub(super) fn take(&self, batch: &mut Vec<Entry>) -> Next {
        let mut state = self.state.lock();
        while state.entries.is_empty() {
            // A request that is under way has a place still, and its line is coming.
            if state.closing && self.places.load(Ordering::Relaxed) == 0 {
                state.closed = true;
                self.changed.notify_all();
                return Next::End;
            }
            if state.closing {
                self.changed.wait_for(&mut state, GATHER);
            } else {
                self.changed.wait(&mut state);
            }
        }
        if !state.closing {
            self.changed.wait_for(&mut state, GATHER);
        }
        std::mem::swap(&mut state.entries, batch);
        Next::Entries
    }

    /// Another output to go on in, if there is one.
    pub(super) fn next_output(&self) -> Option<Output> {
        self.state.lock().next_output.take()
    }

    /// Waits before what failed is tried again, `pause` at most. Whether it need not be: the log is being closed.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.closing && state.next_output.is_none(), pause);
        state.closing && state.next_output.is_none()
    }

    pub(super) fn go_on_in(&self, output: Output) {
        self.state.lock().next_output = Some(output);
        self.changed.notify_all();
    }

    pub(super) fn count_written(&self, lines: usize) {
        self.written.fetch_add(lines as u64, Ordering::Relaxed);
        self.give_back(lines);
    }

    pub(super) fn count_lost(&self, lines: usize) {
        self.lost.fetch_add(lines as u64, Ordering::Relaxed);
        self.give_back(lines);
    }

    pub(super) fn count_failure(&self) -> u64 {
        self.failures.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn figures(&self) -> AuditFigures {
        AuditFigures {
            written: self.written.load(Ordering::Relaxed),
            waiting: self.places.load(Ordering::Relaxed) as u64,
            failures: self.failures.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    /// Lets the thread end when all is written, and waits for it, `wait` at most. Whether it has ended.
    pub(super) fn close(&self, wait: Duration) -> bool {
        let mut state = self.state.lock();
        state.closing = true;
        self.changed.notify_all();
        self.changed.wait_while_for(&mut state, |state| !state.closed, wait);
        state.closed
    }

    fn give_back(&self, places: usize) {
        self.places.fetch_sub(places, Ordering::Relaxed);
    }
}
