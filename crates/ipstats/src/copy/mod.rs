//! Copying what one store holds into another one, while both are used: [`copy`].
//!
//! Either place is a store that this process opens, or a running service that has its data folder locked and is asked at
//! its operator's socket (`frames` is what travels there). Bounded: a few pieces are under way at a time, and whoever reads
//! waits for those who write.
//!
//! Invariants:
//! - Everything is a join: a copy that was broken off, or made twice, does no harm, and the next one takes along what
//!   came in meanwhile.
//! - Checkpoints of sources are read before anything else and written after everything else, and only where the target
//!   has none: a source is never taken to be read further than what was copied.

pub mod frames;
mod place;
mod progress;
mod service;

pub use place::{CopyError, Place};
pub use progress::{Progress, Tally};

use crate::store::LeftOut;
use ipstats_model::Piece;
use parking_lot::Mutex;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Pieces written at once: while one waits for a disk or a server, the next one is made ready.
const WRITERS: usize = 3;

/// Pieces that wait for a writer.
const WAITING_MAX: usize = 2;

/// How a copy ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// All that was there when it began is in the other store.
    Whole {
        /// What no store would have taken in the first place.
        left_out: LeftOut,
        /// Checkpoints of sources that the target did not have.
        checkpoints: usize,
    },
    /// It was stopped; what was written is there.
    Stopped,
}

/// Copies what `from` holds into `to` until done or told to `stop`. Blocks.
pub fn copy(from: &Place, to: &Place, progress: &Progress, stop: &AtomicBool) -> Result<Copied, CopyError> {
    let mut checkpoints = Vec::new();
    let failure = Mutex::new(None);
    let may_go_on = || !stop.load(Ordering::Relaxed) && failure.lock().is_none();
    let (sender, pieces) = sync_channel::<Piece>(WAITING_MAX);
    let pieces = Mutex::new(pieces);
    let read = thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                while let Some(piece) = next(&pieces) {
                    // After a failure pieces are taken and dropped, so that the reader is not left waiting.
                    if failure.lock().is_some() {
                        continue;
                    }
                    match to.add(&piece) {
                        Ok(()) => progress.add(&piece),
                        Err(error) => drop(failure.lock().get_or_insert(error)),
                    }
                }
            });
        }
        // Moved in, so that the writers end when the reading does.
        let sender = sender;
        from.read(&mut checkpoints, &mut |piece| {
            let is_sent = may_go_on() && sender.send(piece).is_ok();
            if is_sent { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    });
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    let left_out = read?;
    if stop.load(Ordering::Relaxed) {
        return Ok(Copied::Stopped);
    }
    let checkpoints = to.add_checkpoints(&checkpoints)?;
    Ok(Copied::Whole { left_out, checkpoints })
}

fn next(pieces: &Mutex<Receiver<Piece>>) -> Option<Piece> {
    pieces.lock().recv().ok()
}
