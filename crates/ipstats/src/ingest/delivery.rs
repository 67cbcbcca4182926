//! Records that arrive one by one, in the envelopes of a shipper, and whose sender waits for the answer.

use super::sink::Sink;
use super::upload::{BATCH_ROWS_MAX, UploadReport, add};
use crate::store::StoreError;
use ipstats_formats::{FormatChoice, Malformed, RecordReader, Settings};
use ipstats_model::Batch;

/// Records what one request delivers. Memory: one record, one batch.
pub struct Delivery<'a> {
    settings: &'a Settings,
    sink: &'a dyn Sink,
    records: RecordReader,
    batch: Batch,
    report: UploadReport,
}

impl<'a> Delivery<'a> {
    /// A delivery of records that have formats of `choice`.
    pub fn new(choice: FormatChoice, settings: &'a Settings, sink: &'a dyn Sink) -> Self {
        let records = RecordReader::new(choice, settings);
        Self { settings, sink, records, batch: Batch::new(), report: UploadReport::default() }
    }

    /// Longest record, in bytes.
    pub const fn record_bytes_max(&self) -> usize {
        self.settings.limits.line_bytes_max
    }

    /// Reads one record; what is wrong with it. Records before it may be durable afterwards, it may be not.
    pub fn read(&mut self, record: &[u8]) -> Result<Option<Malformed>, StoreError> {
        let problem = self.records.read(record, self.settings, &mut self.batch, &mut self.report.tally).err();
        if self.batch.len() >= BATCH_ROWS_MAX {
            self.record()?;
        }
        Ok(problem)
    }

    /// Counts a record that was too long to be kept.
    pub fn too_long(&mut self) -> Malformed {
        self.records.too_long(self.settings, &mut self.report.tally)
    }

    /// Counts a record that cannot be taken out of its envelope, and why.
    pub fn unreadable(&mut self, reason: String) {
        self.records.malformed(Malformed::Damaged { reason }, &mut self.report.tally);
    }

    /// Makes everything durable that was read.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.records.finish(self.settings, &mut self.batch, &mut self.report.tally);
        self.record()
    }

    /// What became of the records; of those not made durable, nothing is said to be counted.
    pub fn into_report(self) -> UploadReport {
        self.report
    }

    fn record(&mut self) -> Result<(), StoreError> {
        if !self.batch.is_empty() {
            add(&mut self.report.recorded, self.sink.record(&self.batch)?);
            self.batch.clear();
        }
        Ok(())
    }
}
