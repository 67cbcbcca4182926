//! A queue between threads, bounded by the bytes of what waits in it.
//!
//! Invariants: at most `bytes_max` bytes wait, or one item that alone is larger; what was pushed is popped exactly
//! once, in order, unless the queue was aborted; nothing is pushed after it was closed.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::time::Duration;

/// A bounded queue; shared by reference.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    bytes_max: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<(usize, T)>,
    bytes: usize,
    closed: bool,
}

/// The queue takes nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// What a consumer got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pop<T> {
    /// The oldest item.
    Item(T),
    /// Nothing arrived in time.
    Idle,
    /// The queue is closed and empty: nothing will arrive any more.
    Closed,
}

impl<T> Queue<T> {
    /// An empty queue in which at most `bytes_max` bytes wait.
    pub(super) fn new(bytes_max: usize) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), bytes_max }
    }

    /// Adds an item of `bytes` bytes; waits until there is room.
    pub(super) fn push(&self, item: T, bytes: usize) -> Result<(), Closed> {
        let mut state = self.state.lock();
        while !state.closed && !state.waiting.is_empty() && state.bytes.saturating_add(bytes) > self.bytes_max
        {
            self.changed.wait(&mut state);
        }
        if state.closed {
            return Err(Closed);
        }
        state.bytes = state.bytes.saturating_add(bytes);
        state.waiting.push_back((bytes, item));
        self.changed.notify_all();
        Ok(())
    }

    /// Takes the oldest item; waits at most `patience` for one.
    pub(super) fn pop(&self, patience: Duration) -> Pop<T> {
        let mut state = self.state.lock();
        loop {
            if let Some((bytes, item)) = state.waiting.pop_front() {
                state.bytes = state.bytes.saturating_sub(bytes);
                self.changed.notify_all();
                return Pop::Item(item);
            }
            if state.closed {
                return Pop::Closed;
            }
            if self.changed.wait_for(&mut state, patience).timed_out() && state.waiting.is_empty() {
                return if state.closed { Pop::Closed } else { Pop::Idle };
            }
        }
    }

    /// Takes nothing more; what waits can still be popped.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Takes nothing more and drops what waits.
    pub(super) fn abort(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.bytes = 0;
        state.waiting.clear();
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_closed_queue_is_emptied_and_an_aborted_one_is_empty() {
        let queue = Queue::new(100);
        assert_eq!(queue.pop(SOON), Pop::Idle);
        queue.push('a', 60).unwrap();
        queue.close();
        assert_eq!(queue.push('b', 1), Err(Closed));
        assert_eq!(queue.pop(LONG), Pop::Item('a'));
        assert_eq!(queue.pop(LONG), Pop::Closed);

        let queue = Queue::new(100);
        queue.push('a', 60).unwrap();
        queue.abort();
        assert_eq!(queue.pop(LONG), Pop::Closed);
    }

    #[test]
    fn bytes_are_bounded_and_nothing_is_lost() {
        let queue = Queue::new(10);
        let popped = thread::scope(|scope| {
            let consumers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let mut got = Vec::new();
                        while let Pop::Item(item) = queue.pop(LONG) {
                            assert!(queue.state.lock().bytes <= 10);
                            got.push(item);
                        }
                        got
                    })
                })
                .collect();
            for item in 0..1000 {
                queue.push(item, 4).unwrap();
            }
            queue.close();
            let mut all: Vec<_> =
                consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect();
            all.sort_unstable();
            all
        });
        assert_eq!(popped, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn an_item_larger_than_the_queue_passes_alone() {
        let queue = Queue::new(10);
        queue.push('a', 1000).unwrap();
        thread::scope(|scope| {
            let pushed = scope.spawn(|| queue.push('b', 1));
            assert_eq!(queue.pop(LONG), Pop::Item('a'));
            assert_eq!(queue.pop(LONG), Pop::Item('b'));
            pushed.join().unwrap().unwrap();
        });
    }
}
