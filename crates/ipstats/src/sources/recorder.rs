//! From frames of one source to durable records and checkpoints; tries again until the store accepts.

use super::account::{Account, Backlog};
use crate::clock::Clock;
use crate::config::SourceEntry;
use crate::ingest::{Batcher, Stop};
use crate::store::{Store, StoreError};
use ipstats_formats::{Aliases, Frame, Settings, Tally};
use ipstats_model::{Batch, Organization, Recorded, Timestamp};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Pause before the store is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Longest text of a trouble, in characters.
const TROUBLE_CHARS_MAX: usize = 500;

/// Records what one source brings; owned by its thread.
pub(super) struct Recorder {
    store: Arc<Store>,
    name: String,
    organization: Organization,
    settings: Settings,
    data_clock: Clock,
    account: Arc<Account>,
    stop: Stop,
    batcher: Batcher,
}

/// The source was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

impl Recorder {
    pub(super) fn new(
        store: Arc<Store>,
        entry: &SourceEntry,
        data_clock: Clock,
        account: Arc<Account>,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            name: entry.name.clone(),
            organization: entry.organization,
            settings: entry.settings.clone(),
            data_clock,
            account,
            stop,
            batcher: Batcher::default(),
        }
    }

    /// How records are read.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Lets `read` add connections and the outcomes of their records; records a full batch.
    pub(super) fn read(
        &mut self,
        read: impl FnOnce(&Settings, &mut Batch, &mut Tally),
    ) -> Result<(), Stopped> {
        self.with_batcher(|this, batcher| {
            batcher.read(|batch, tally| read(&this.settings, batch, tally), |batch| this.record(batch))
        })
    }

    /// Which device had which address when; of what is added, frames that are taken from then on make use.
    pub(super) fn aliases(&mut self) -> &mut Aliases {
        // Nobody else has them: nothing is copied.
        Arc::make_mut(self.settings.aliases.get_or_insert_default())
    }

    /// The time of the data.
    pub(super) fn data_now(&self) -> Timestamp {
        self.data_clock.now()
    }

    /// Parses frames; records each full batch.
    pub(super) fn take(&mut self, frames: &[Frame]) -> Result<(), Stopped> {
        self.with_batcher(|this, batcher| batcher.parse(frames, &this.settings, |batch| this.record(batch)))
    }

    /// Parses the frames of one message, which ended with `error` if there is one: that is one malformed record. A
    /// message without a record is another event. `place` names the message.
    #[cfg(feature = "kafka")]
    pub(super) fn take_message(
        &mut self,
        frames: &[Frame],
        error: Option<&ipstats_formats::StreamError>,
        place: &impl std::fmt::Display,
    ) -> Result<(), Stopped> {
        let records_before = self.batcher.tally().records();
        self.take(frames)?;
        let has_records = self.batcher.tally().records() > records_before;
        match error {
            Some(error) => self.undecodable(1, format!("{place}: {error}")),
            None if has_records => Ok(()),
            None => self.read(|_, _, tally| tally.other_event()),
        }
    }

    /// Counts records that cannot be decoded.
    #[cfg(feature = "kafka")]
    pub(super) fn undecodable(&mut self, count: u64, reason: String) -> Result<(), Stopped> {
        self.read(|_, _, tally| tally.undecodable(count, reason))
    }

    /// Makes everything that was read durable, and adds it to the statistics of the source.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        if self.batcher.tally().records() == 0 {
            return Ok(());
        }
        self.with_batcher(|this, batcher| batcher.flush(|batch| this.record(batch)))?;
        let (tally, recorded) = self.batcher.take();
        if let Some(why) = self.account.add(&tally, recorded, Clock::System.now()) {
            self.warn_of_useless(&tally, &why);
        }
        Ok(())
    }

    /// The checkpoints of this source, by what follows its name.
    pub(super) fn checkpoints(&mut self) -> Result<Vec<(String, Vec<u8>)>, Stopped> {
        let mut kept = self.until_accepted(|this| this.store.checkpoints_here(this.organization))?;
        let prefix = self.checkpoint_name("");
        kept.retain_mut(|(name, _)| match name.strip_prefix(&prefix) {
            Some(rest) => {
                *name = rest.to_owned();
                true
            }
            None => false,
        });
        Ok(kept)
    }

    /// Writes checkpoints of this source; to be called after what they cover was flushed.
    pub(super) fn set_checkpoints(
        &mut self,
        checkpoints: &[(String, Option<Vec<u8>>)],
    ) -> Result<(), Stopped> {
        let named: Vec<_> = checkpoints.iter().map(|(name, _)| self.checkpoint_name(name)).collect();
        let checkpoints: Vec<_> = named
            .iter()
            .zip(checkpoints)
            .map(|(name, (_, position))| (name.as_str(), position.as_deref()))
            .collect();
        if !checkpoints.is_empty() {
            self.until_accepted(|this| this.store.set_checkpoints_here(this.organization, &checkpoints))?;
        }
        Ok(())
    }

    /// Notes in the account what hinders parts of the source, each of which was logged already.
    pub(super) fn note_trouble(&self, what: String) {
        self.account.trouble(what, Clock::System.now());
    }

    /// Says what hinders the source: in its account, and once in the log.
    pub(super) fn trouble(&self, what: &str) {
        let what: String = what.chars().take(TROUBLE_CHARS_MAX).collect();
        if self.account.trouble(what.clone(), Clock::System.now()) {
            tracing::warn!(source = self.name, "{what}");
        }
    }

    /// Says that nothing hinders the source.
    pub(super) fn recovered(&self) {
        if self.account.recovered() {
            tracing::info!(source = self.name, "goes on");
        }
    }

    /// Notes what is still to be read.
    pub(super) fn set_backlog(&self, backlog: Backlog) {
        self.account.set_backlog(backlog);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.requested()
    }

    /// Waits for `pause`, or until told to stop.
    pub(super) fn wait(&self, pause: Duration) -> Result<(), Stopped> {
        if !self.is_stopped() {
            thread::park_timeout(pause);
        }
        if self.is_stopped() { Err(Stopped) } else { Ok(()) }
    }

    fn warn_of_useless(&self, tally: &Tally, why: &str) {
        tracing::warn!(
            source = self.name,
            tenant = tally.other_tenant().map(tracing::field::display),
            first_issue = tally.issues().first().map(tracing::field::display),
            "records come in, and none of them counts: {why}"
        );
    }

    /// Lends the batcher, so that its batches can be recorded by this recorder.
    fn with_batcher<T>(&mut self, call: impl FnOnce(&Self, &mut Batcher) -> T) -> T {
        let mut batcher = std::mem::take(&mut self.batcher);
        let done = call(self, &mut batcher);
        self.batcher = batcher;
        done
    }

    fn record(&self, batch: &Batch) -> Result<Recorded, Stopped> {
        self.until_accepted(|this| this.store.record_here(this.organization, batch, this.data_clock.now()))
    }

    fn checkpoint_name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.name)
    }

    fn until_accepted<T>(&self, call: impl Fn(&Self) -> Result<T, StoreError>) -> Result<T, Stopped> {
        loop {
            match call(self) {
                Ok(done) => return Ok(done),
                Err(StoreError::Closed) => return Err(Stopped),
                Err(error) => {
                    self.trouble(&crate::telemetry::chain(&error));
                    self.wait(RETRY_PAUSE)?;
                }
            }
        }
    }
}
