//! What is remembered of one log from piece to piece, also across a crash.
//!
//! Invariant: it is in the store before a piece is acknowledged, or a checkpoint behind it is written, and after the piece's
//! connections. So a piece that comes again is read as it was the first time.

use crate::store::{Store, StoreError};
use ipstats_formats::{Halves, Openings};
use ipstats_model::Organization;

/// Before the names of checkpoints that are no source's: theirs begin with their own name, which is never empty.
const NAME_PREFIX: &str = "/halves/";

/// Who brings a log. The names of each kind are their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bringer {
    /// Senders with an ingest key.
    Key,
    /// A source of the service.
    Source,
}

/// The memory of one log, over a store.
#[derive(Debug)]
pub struct LogMemory {
    organization: Organization,
    checkpoint: String,
    halves: Halves,
    /// What is in the store; nothing is known of that before it is recalled.
    kept: Option<Openings>,
}

impl LogMemory {
    /// The memory of the log that `bringer` of this name brings, which is part of `halves`.
    pub fn new(halves: &Halves, bringer: Bringer, organization: Organization, name: &str) -> Self {
        let kind = match bringer {
            Bringer::Key => "key",
            Bringer::Source => "source",
        };
        let checkpoint = format!("{NAME_PREFIX}{kind}/{name}");
        Self { organization, halves: halves.of((organization, name)), checkpoint, kept: None }
    }

    /// The name under which it is in the store.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// What the log is read with.
    pub const fn halves(&self) -> &Halves {
        &self.halves
    }

    /// Remembers what a former process knew, if that was not done; to be called before a first piece is read.
    pub fn recall(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.kept.is_none() {
            self.recall_from(&store.checkpoints_here(self.organization)?);
        }
        Ok(())
    }

    /// The same where the checkpoints of the organization are at hand.
    pub fn recall_from(&mut self, checkpoints: &[(String, Vec<u8>)]) {
        let kept = checkpoints.iter().find(|(name, _)| *name == self.checkpoint);
        let openings = kept.and_then(|(_, bytes)| Openings::decode(bytes)).unwrap_or_default();
        self.halves.recall(&openings);
        self.kept = Some(openings);
    }

    /// Keeps what `reader` came to know; to be called when the connections that it read are durable.
    pub fn keep(&mut self, reader: &Halves, store: &Store) -> Result<(), StoreError> {
        if let Some(news) = self.news(reader) {
            store.set_checkpoints_here(self.organization, &[(&self.checkpoint, Some(&news.encode()))])?;
            self.kept = Some(news);
        }
        Ok(())
    }

    /// What is to be kept of the log now, if it is other than what is in the store.
    pub fn news(&self, reader: &Halves) -> Option<Openings> {
        reader.news(self.kept.as_ref()?)
    }

    /// `openings` are in the store.
    pub fn is_kept(&mut self, openings: Openings) {
        self.kept = Some(openings);
    }
}
