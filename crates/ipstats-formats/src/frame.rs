//! A self-contained piece of a stream.

use crate::settings::Settings;
use crate::tally::Tally;
use ipstats_model::Batch;

/// Whole records of one stream, a few MiB at most, with all that is needed to parse them on any thread.
#[derive(Debug)]
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Parses the records: connections into `batch`, the outcome of each record into `tally`.
    pub fn parse(&self, settings: &Settings, batch: &mut Batch, tally: &mut Tally) {
        let _ = (settings, batch, tally);
    }

    /// Size of the records, in bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }
}
