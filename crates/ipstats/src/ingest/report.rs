//! What became of every record of every log.

use super::source::{Source, SourceError};
use crate::store::StoreError;
use ipstats_formats::Tally;
use ipstats_model::Recorded;

/// The account of one import.
#[derive(Debug, Default)]
pub struct Report {
    /// Each log that was begun, in the order given.
    pub sources: Vec<SourceReport>,
    /// What the sink acknowledged: connections counted, and outside retention.
    pub recorded: Recorded,
    /// Why the sink refused a batch; everything stopped there.
    pub failure: Option<StoreError>,
    /// Whether every log was read as far as it can be. It is not after a request to stop.
    pub complete: bool,
}

/// One log.
#[derive(Debug)]
pub struct SourceReport {
    /// Which.
    pub source: Source,
    /// What parsing made of its records.
    pub tally: Tally,
    /// Why it was not read, or not to its end.
    pub failure: Option<SourceError>,
    /// What is odd about it, where its records were read all the same.
    pub warning: Option<String>,
}

impl Report {
    /// What parsing made of all logs together. Lines of different logs are mixed: take issues from each log.
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.sources.iter().for_each(|log| all.merge(&log.tally));
        all
    }

    /// Whether every log was read to its end, and everything in it found its place.
    pub fn is_whole(&self) -> bool {
        self.complete && self.failure.is_none() && self.sources.iter().all(|log| log.failure.is_none())
    }

    /// Whether there is anything to account for: a log that could be read, or records of one that could not.
    pub fn read_any(&self) -> bool {
        self.sources.iter().any(|log| log.failure.is_none() || log.tally.records() > 0)
    }

    pub(super) fn begin(&mut self, source: Source) {
        self.sources.push(SourceReport { source, tally: Tally::default(), failure: None, warning: None });
    }

    pub(super) fn fail(&mut self, position: usize, failure: SourceError) {
        if let Some(log) = self.sources.get_mut(position) {
            log.failure = Some(failure);
        }
    }

    pub(super) fn warn(&mut self, position: usize, warning: String) {
        if let Some(log) = self.sources.get_mut(position) {
            log.warning = Some(warning);
        }
    }

    pub(super) fn add(&mut self, position: usize, tally: &Tally) {
        if let Some(log) = self.sources.get_mut(position) {
            log.tally.merge(tally);
        }
    }
}
