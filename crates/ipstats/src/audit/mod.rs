//! The audit log: one line of JSON for each decision, who asked for what and what became of it. Never tokens or secrets.
//!
//! Lines are written by a thread of their own, in batches; a request only puts its [`Entry`] into a queue. The queue is
//! bounded by places, and a place is taken *before* a request is looked at. So there is no answer without a line: when
//! the disk cannot keep up until no place is left, requests are refused, and the service says so. What is in the queue is
//! on its way to the operating system within 20 ms, and is lost if the process is killed before.
//!
//! A line that cannot be written is tried again until it can be; a file that is full is not torn: writing goes on where it
//! stopped, and a line that was begun in one file and cannot be ended there begins again in the next.

mod entry;
mod output;
mod queue;
mod writer;

pub use entry::{Actor, Asked, Entry};
pub use output::AuditError;
pub use queue::{Full, Place};

use crate::config::AuditDestination;
use output::Output;
use queue::Queue;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Longest wait for the last lines when the log is closed.
const CLOSE_SECONDS_MAX: u64 = 5;

/// An open audit log. Dropping it writes what is queued, in the background.
pub struct AuditLog {
    destination: AuditDestination,
    queue: Arc<Queue>,
}

/// What an operator watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditFigures {
    /// Lines that were written.
    pub written: u64,
    /// Lines that wait.
    pub waiting: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Lines that were given up when the log was closed.
    pub lost: u64,
}

impl AuditLog {
    /// Opens the log at `destination` and starts its thread. A file is created or appended to.
    pub fn open(destination: &AuditDestination) -> Result<Self, AuditError> {
        let output = Output::open(destination)?;
        let queue = Arc::new(Queue::new());
        let written_by = Arc::clone(&queue);
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer::run(&written_by, output))
            .map_err(AuditError::Thread)?;
        Ok(Self { destination: destination.clone(), queue })
    }

    /// Where the lines go.
    pub fn destination(&self) -> &AuditDestination {
        &self.destination
    }

    /// A place for the line of a request that is about to be looked at.
    pub fn place(&self) -> Result<Place, Full> {
        Queue::place(&self.queue)
    }

    /// Opens the file again, under the same name: the old one was moved away.
    pub fn reopen(&self) -> Result<(), AuditError> {
        self.queue.go_on_in(Output::open(&self.destination)?);
        Ok(())
    }

    /// What an operator watches.
    pub fn figures(&self) -> AuditFigures {
        self.queue.figures()
    }

    /// Writes what is queued, waiting five seconds for it at most. What is put into the queue afterwards is lost.
    pub fn close(&self) {
        if !self.queue.close(Duration::from_secs(CLOSE_SECONDS_MAX)) {
            tracing::error!(
                destination = %self.destination, waiting = self.figures().waiting,
                "the last lines of the audit log could not be written in time"
            );
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.queue.close(Duration::ZERO);
    }
}
