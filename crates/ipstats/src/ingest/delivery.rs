//! Records that arrive one by one, in the envelopes of a shipper, and whose sender waits for the answer.

use super::batcher::Batcher;
use super::sink::Sink;
use super::upload::UploadReport;
use crate::store::StoreError;
use ipstats_formats::{FormatChoice, Malformed, RecordReader, Settings};

/// Records what one request delivers. Memory: one record, one batch.
pub struct Delivery<'a> {
    settings: &'a Settings,
    sink: &'a dyn Sink,
    records: RecordReader,
    batcher: Batcher,
}

impl<'a> Delivery<'a> {
    /// A delivery of records that have formats of `choice`.
    pub fn new(choice: FormatChoice, settings: &'a Settings, sink: &'a dyn Sink) -> Self {
        let records = RecordReader::new(choice, settings);
        Self { settings, sink, records, batcher: Batcher::default() }
    }

    /// Longest record, in bytes.
    pub const fn record_bytes_max(&self) -> usize {
        self.settings.limits.line_bytes_max
    }

    /// Reads one record; what is wrong with it. Records before it may be durable afterwards, it may be not.
    pub fn read(&mut self, record: &[u8]) -> Result<Option<Malformed>, StoreError> {
        let Self { settings, sink, records, batcher } = self;
        let mut problem = None;
        batcher.read(
            |batch, tally| problem = records.read(record, settings, batch, tally).err(),
            |batch| sink.record(batch),
        )?;
        Ok(problem)
    }

    /// Counts a record that was too long to be kept.
    pub fn too_long(&mut self) -> Malformed {
        self.records.too_long(self.settings, self.batcher.tally_mut())
    }

    /// Counts a record that cannot be taken out of its envelope, and why.
    pub fn unreadable(&mut self, reason: String) {
        self.records.malformed(Malformed::Damaged { reason }, self.batcher.tally_mut());
    }

    /// Makes everything durable that was read.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        let Self { settings, sink, records, batcher } = self;
        let record = |batch: &_| sink.record(batch);
        batcher.read(|batch, tally| records.finish(settings, batch, tally), record)?;
        batcher.flush(record)
    }

    /// The outcomes of the records; only durable connections are counted.
    pub fn into_report(mut self) -> UploadReport {
        let (tally, recorded) = self.batcher.take();
        UploadReport { tally, recorded, other_format: None, warning: None }
    }
}
