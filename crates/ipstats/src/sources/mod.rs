//! Sources that the service fetches by itself: `[[sources]]` of the configuration.
//!
//! ```text
//! files ─▶ one thread a source: find, read, frame ─▶ Recorder: parse into batches ─▶ store (durable) ─▶ checkpoint
//! ```
//!
//! Owns the threads, where each source was read up to (as checkpoints in the store, next to the data), and the accounts of
//! what became of the records ([`Account`]).
//!
//! Invariants:
//! - A checkpoint is written after what it covers is durable. A crash in between reads a little twice, and joins make
//!   that harmless; nothing is ever skipped.
//! - A store that fails is tried again, for as long as it takes; meanwhile nothing more is read.
//! - Whatever hinders a source is in its account and, once, in the log. One source does not hinder another.

mod account;
mod files;
#[cfg(feature = "kafka")]
mod kafka;
mod recorder;

pub use account::{Account, Outcomes, Statement};

use crate::clock::Clock;
use crate::config::{SourceEntry, SourceKind};
use crate::ingest::Stop;
use crate::store::Store;
use recorder::Recorder;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The sources of a service, running.
pub struct Sources {
    running: Vec<Running>,
    store: Arc<Store>,
    data_clock: Clock,
}

struct Running {
    entry: SourceEntry,
    account: Arc<Account>,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// A source's thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("source {name:?} cannot be started: {reason}")]
pub struct StartError {
    name: String,
    #[source]
    reason: io::Error,
}

impl Sources {
    /// No sources yet, over `store`; `data_clock` says which time it is when records arrive.
    pub fn new(store: Arc<Store>, data_clock: Clock) -> Self {
        Self { running: Vec::new(), store, data_clock }
    }

    /// Lets exactly `entries` run: those that run already go on untouched, others are stopped and started. Blocks until
    /// what was stopped has finished its batch.
    pub fn run(&mut self, entries: &[SourceEntry]) -> Result<(), StartError> {
        let (kept, ended): (Vec<_>, Vec<_>) =
            self.running.drain(..).partition(|running| entries.contains(&running.entry));
        self.running = kept;
        end(ended);
        for entry in entries {
            if self.running.iter().all(|running| running.entry != *entry) {
                self.running.push(self.start(entry)?);
            }
        }
        Ok(())
    }

    /// The sources and their accounts.
    pub fn accounts(&self) -> impl Iterator<Item = (&SourceEntry, &Arc<Account>)> {
        self.running.iter().map(|running| (&running.entry, &running.account))
    }

    /// Stops all sources; returns when their last batches are durable and their checkpoints written.
    pub fn stop(&mut self) {
        end(self.running.drain(..).collect());
    }

    fn start(&self, entry: &SourceEntry) -> Result<Running, StartError> {
        let (account, stop) = (Arc::new(Account::default()), Stop::default());
        let recorder = Recorder::new(
            Arc::clone(&self.store),
            entry,
            self.data_clock.clone(),
            Arc::clone(&account),
            stop.clone(),
        );
        let (kind, format) = (entry.kind.clone(), entry.format);
        let thread =
            thread::Builder::new().name(format!("source {}", entry.name)).spawn(move || match kind {
                SourceKind::Files { patterns } => files::follow(&patterns, format, recorder),
                #[cfg(feature = "kafka")]
                SourceKind::Kafka(topic) => kafka::consume(&topic, format, recorder),
                #[cfg(not(feature = "kafka"))]
                SourceKind::Kafka(_) => {
                    recorder.trouble("this ipstats was built without the feature `kafka`");
                }
            });
        let thread = thread.map_err(|reason| StartError { name: entry.name.clone(), reason })?;
        Ok(Running { entry: entry.clone(), account, stop, thread })
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.stop();
    }
}

fn end(ended: Vec<Running>) {
    for running in &ended {
        running.stop.request();
        running.thread.thread().unpark();
    }
    for Running { entry, thread, .. } in ended {
        if thread.join().is_err() {
            tracing::error!(source = entry.name, "the thread of the source panicked");
        }
    }
}
