//! A thread that parses frames and records batches.

use super::batcher::Batcher;
use super::pipeline::{Shared, SourceFrame};
use super::queue::Pop;
use super::sink::Sink;
use crate::store::StoreError;
use std::time::Duration;

/// How long to wait for more before recording what is there, and looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// Turns frames into batches; owned by its thread.
pub(super) struct Worker<'a, S> {
    shared: &'a Shared,
    sink: &'a S,
    batcher: Batcher,
}

impl<'a, S: Sink> Worker<'a, S> {
    pub(super) fn new(shared: &'a Shared, sink: &'a S) -> Self {
        Self { shared, sink, batcher: Batcher::default() }
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
                Pop::Item(frame) => self.parse(frame)?,
                Pop::Idle => self.record()?,
                Pop::Closed => return self.record(),
            }
        }
    }

    fn parse(&mut self, SourceFrame { source, frame }: SourceFrame) -> Result<(), StoreError> {
        let sink = self.sink;
        let parsed = self.batcher.parse(&[frame], &self.shared.settings, |batch| sink.record(batch));
        let (tally, recorded) = self.batcher.take();
        self.shared.progress.add_records(tally.records());
        let mut report = self.shared.report.lock();
        report.add(source, &tally);
        report.recorded += recorded;
        parsed
    }

    fn record(&mut self) -> Result<(), StoreError> {
        let sink = self.sink;
        self.batcher.flush(|batch| sink.record(batch))?;
        let (_, recorded) = self.batcher.take();
        self.shared.report.lock().recorded += recorded;
        Ok(())
    }
}
