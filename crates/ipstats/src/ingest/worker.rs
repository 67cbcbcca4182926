//! A thread that parses frames and records batches.

use super::pipeline::{Shared, SourceFrame};
use super::queue::Pop;
use super::sink::Sink;
use crate::store::StoreError;
use ipstats_formats::Tally;
use ipstats_model::Batch;
use std::time::Duration;

/// Connections in a batch: enough that many share the cost of making it durable.
const BATCH_ROWS_MAX: usize = 1 << 16;
/// How long to wait for more before recording what is there, and looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// Turns frames into batches; owned by its thread.
pub(super) struct Worker<'a, S> {
    shared: &'a Shared,
    sink: &'a S,
    batch: Batch,
}

impl<'a, S: Sink> Worker<'a, S> {
    pub(super) fn new(shared: &'a Shared, sink: &'a S) -> Self {
        Self { shared, sink, batch: Batch::new() }
    }

    /// Works until there is nothing left to do, or the sink fails.
    pub(super) fn run(mut self) {
        if let Err(error) = self.work() {
            self.shared.queue.abort();
            // Several workers may be refused for the same reason: the first one says so.
            self.shared.report.lock().failure.get_or_insert(error);
        }
    }

    fn work(&mut self) -> Result<(), StoreError> {
        loop {
            if self.shared.stop.requested() {
                self.shared.queue.close();
            }
            match self.shared.queue.pop(PATIENCE) {
                Pop::Item(frame) => self.parse(&frame),
                Pop::Idle => self.record()?,
                Pop::Closed => return self.record(),
            }
            if self.batch.len() >= BATCH_ROWS_MAX {
                self.record()?;
            }
        }
    }

    fn parse(&mut self, SourceFrame { source, frame }: &SourceFrame) {
        let mut tally = Tally::default();
        frame.parse(&self.shared.settings, &mut self.batch, &mut tally);
        self.shared.progress.add_records(tally.records());
        self.shared.report.lock().add(*source, &tally);
    }

    fn record(&mut self) -> Result<(), StoreError> {
        if !self.batch.is_empty() {
            let recorded = self.sink.record(&self.batch)?;
            self.batch.clear();
            self.shared.report.lock().acknowledge(recorded);
        }
        Ok(())
    }
}
