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
mod board;
mod files;
#[cfg(feature = "kafka")]
mod kafka;
mod listen;
mod netflow;
mod recorder;
mod report;
mod syslog;

pub use account::{Account, Backlog, State, Statement, Unread};
pub use board::Board;
pub use report::{Moment, OutcomesReport, SourceReport, SourcesReport};

use crate::clock::Clock;
use crate::config::{Endpoint, SourceEntry, SourceKind};
use crate::ingest::Stop;
use crate::store::Store;
use netflow::Netflow;
use recorder::Recorder;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};
use syslog::Syslog;

/// The sources of a service, running.
pub struct Sources {
    running: Vec<Running>,
    board: Board,
    store: Arc<Store>,
    data_clock: Clock,
}

/// What another configuration takes, before anything of it is in force. Dropped, it changes nothing.
pub struct Change {
    entries: Vec<SourceEntry>,
    begun: Vec<Waiting>,
}

struct Running {
    entry: SourceEntry,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// A source whose thread waits for the word to begin.
struct Waiting {
    running: Running,
    account: Arc<Account>,
    go: SyncSender<()>,
}

/// A source's thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("source {name:?} cannot be started: {reason}")]
pub struct StartError {
    name: String,
    #[source]
    reason: io::Error,
}

/// A source would have nothing to listen on.
#[derive(Debug, thiserror::Error)]
#[error("source {name:?} {reason}")]
pub struct AddressError {
    name: String,
    reason: listen::BindError,
}

impl Sources {
    /// No sources yet, over `store`; `data_clock` says which time it is when records arrive.
    pub fn new(store: Arc<Store>, data_clock: Clock) -> Self {
        Self { running: Vec::new(), board: Board::default(), store, data_clock }
    }

    /// What there is to see of the sources, now and later.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Whether the sources of `entries` that do not run yet could listen where they want to. An address that a source has
    /// which is to end will be free; who else listens there now will not go away.
    pub fn check_addresses(&self, entries: &[SourceEntry]) -> Result<(), AddressError> {
        let ended = self.running.iter().filter(|running| !entries.contains(&running.entry));
        let freed: Vec<&Endpoint> = ended.flat_map(|running| running.entry.kind.endpoints()).collect();
        let is_freed = |wanted: &Endpoint| {
            freed.iter().any(|freed| {
                (freed.transport, freed.address.port()) == (wanted.transport, wanted.address.port())
            })
        };
        for entry in self.new_ones(entries) {
            for endpoint in entry.kind.endpoints().iter().filter(|endpoint| !is_freed(endpoint)) {
                listen::check(*endpoint)
                    .map_err(|reason| AddressError { name: entry.name.clone(), reason })?;
            }
        }
        Ok(())
    }

    /// Prepares that exactly `entries` run. All that can fail fails here.
    pub fn prepare(&self, entries: &[SourceEntry]) -> Result<Change, StartError> {
        let begun = self.new_ones(entries).map(|entry| self.start(entry)).collect::<Result<_, _>>()?;
        Ok(Change { entries: entries.to_vec(), begun })
    }

    /// Lets exactly the sources of `change` run: those that run already go on untouched, others are stopped and started.
    /// Blocks until what was stopped has finished its batch.
    pub fn change(&mut self, change: Change) {
        let (kept, ended): (Vec<_>, Vec<_>) =
            self.running.drain(..).partition(|running| change.entries.contains(&running.entry));
        self.running = kept;
        end(ended);
        self.board.keep(&change.entries);
        for Waiting { running, account, go } in change.begun {
            account.begun();
            self.board.put(&running.entry, account);
            // It waits for nothing else, and cannot be gone.
            let _ = go.send(());
            self.running.push(running);
        }
    }

    /// Stops all sources; returns when their last batches are durable and their checkpoints written.
    pub fn stop(&mut self) {
        end(self.running.drain(..).collect());
    }

    fn new_ones<'a>(&self, entries: &'a [SourceEntry]) -> impl Iterator<Item = &'a SourceEntry> {
        entries.iter().filter(|entry| self.running.iter().all(|running| running.entry != **entry))
    }

    /// Starts the thread of a source, which does nothing until it is told to go.
    fn start(&self, entry: &SourceEntry) -> Result<Waiting, StartError> {
        let account = self.board.account(entry).unwrap_or_default();
        let stop = Stop::default();
        let recorder = Recorder::new(
            Arc::clone(&self.store),
            entry,
            self.data_clock.clone(),
            Arc::clone(&account),
            stop.clone(),
        );
        let (watched, told) = (Arc::clone(&account), stop.clone());
        let (kind, format) = (entry.kind.clone(), entry.format);
        let (go, may_go) = mpsc::sync_channel(1);
        let run = move || {
            if may_go.recv().is_err() {
                return;
            }
            let _ended = Ended { account: watched, stop: told };
            match kind {
                SourceKind::Files { patterns, leases } => {
                    files::follow(&patterns, leases.as_ref(), format, recorder);
                }
                #[cfg(feature = "kafka")]
                SourceKind::Kafka(topic) => kafka::consume(&topic, format, recorder),
                #[cfg(not(feature = "kafka"))]
                SourceKind::Kafka(_) => {
                    recorder.trouble("this ipstats was built without the feature `kafka`");
                }
                SourceKind::Syslog(listening) => {
                    let syslog = Syslog::new(format);
                    listen::listen(&listening, syslog, recorder);
                }
                SourceKind::Netflow(listening) => listen::listen(&listening, Netflow::default(), recorder),
            }
        };
        let thread = thread::Builder::new().name(format!("source {}", entry.name)).spawn(run);
        let thread = thread.map_err(|reason| StartError { name: entry.name.clone(), reason })?;
        Ok(Waiting { running: Running { entry: entry.clone(), stop, thread }, account, go })
    }
}

/// Notes in the account that a thread ended although nobody told it to, however it did.
struct Ended {
    account: Arc<Account>,
    stop: Stop,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.stop.requested() {
            self.account.failed("it ended: look into the log, and restart the service", Clock::System.now());
        }
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
