//! The threads of an import, and what they share.

use super::progress::Progress;
use super::queue::Queue;
use super::reader::Reader;
use super::report::Report;
use super::sink::Sink;
use super::source::Source;
use super::worker::Worker;
use ipstats_formats::{FormatChoice, Frame, Settings};
use parking_lot::Mutex;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Bytes of frames that may wait between the reader and the workers.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// What to import, and how to read it.
#[derive(Debug)]
pub struct Plan {
    /// The logs, in the order they are read.
    pub sources: Vec<Source>,
    /// Which format they have.
    pub format: FormatChoice,
    /// What counts as a connection, and of whom.
    pub settings: Settings,
    /// Threads that parse and record. One more than there are cores hides the waits for the disk.
    pub workers: NonZero<usize>,
}

/// Asks an import to stop: it reads no more, and finishes what it has read. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop; whether that is news.
    pub fn request(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether it was asked to stop.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the threads of one import share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue<SourceFrame>,
    pub(super) report: Mutex<Report>,
    pub(super) progress: Arc<Progress>,
    pub(super) stop: Stop,
    pub(super) format: FormatChoice,
    pub(super) settings: Settings,
}

/// A frame, and the position of its log in the report.
#[derive(Debug)]
pub(super) struct SourceFrame {
    pub(super) source: usize,
    pub(super) frame: Frame,
}

/// Imports every log of `plan` into `sink`; returns when everything that was read is durable, or the sink failed.
pub fn ingest(plan: Plan, sink: &impl Sink, progress: &Arc<Progress>, stop: &Stop) -> Report {
    let Plan { sources, format, settings, workers } = plan;
    progress.add_bytes_total(sources.iter().map(Source::byte_len).sum());
    let shared = Arc::new(Shared {
        queue: Queue::new(QUEUE_BYTES_MAX),
        report: Mutex::default(),
        progress: Arc::clone(progress),
        stop: stop.clone(),
        format,
        settings,
    });
    // The reader is not joined: when asked to stop it may still wait for a terminal or a pipe.
    let reader = Reader::new(Arc::clone(&shared));
    thread::spawn(move || reader.run(sources));
    thread::scope(|scope| {
        for _ in 0..workers.get() {
            scope.spawn(|| Worker::new(&shared, sink).run());
        }
    });
    std::mem::take(&mut *shared.report.lock())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;
    use ipstats_model::{Batch, Recorded};
    use std::sync::atomic::AtomicU64;
    use tempfile::NamedTempFile;

    /// Rows of one log.
    const ROWS: u64 = 6000;

    /// A log much larger than the queue.
    fn log() -> NamedTempFile {
        let row = |number: u64| {
            let padding = "x".repeat(10_000);
            format!("{{\"device\":\"d\",\"ip\":\"10.0.0.1\",\"time\":{number},\"padding\":\"{padding}\"}}\n")
        };
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), (0..ROWS).map(row).collect::<Vec<_>>().concat()).unwrap();
        file
    }

    fn plan(logs: &[NamedTempFile]) -> Plan {
        Plan {
            sources: logs.iter().map(|log| Source::File(log.path().to_owned())).collect(),
            format: FormatChoice::Auto,
            settings: Settings::default(),
            workers: NonZero::new(3).unwrap(),
        }
    }

    /// Does something with the rows acknowledged so far and those of the next batch.
    struct Fake<F> {
        rows: AtomicU64,
        on_batch: F,
    }

    impl<F: Fn(u64) -> Result<(), StoreError> + Sync> Sink for Fake<F> {
        fn record(&self, batch: &Batch) -> Result<Recorded, StoreError> {
            (self.on_batch)(self.rows.load(Ordering::SeqCst))?;
            self.rows.fetch_add(batch.len() as u64, Ordering::SeqCst);
            Ok(Recorded { counted: batch.len() as u64, ..Recorded::default() })
        }
    }

    #[test]
    fn every_row_of_every_log_is_recorded_once() {
        let progress = Arc::new(Progress::default());
        let sink = Fake { rows: AtomicU64::new(0), on_batch: |_| Ok(()) };
        let logs = [log(), log()];
        let report = ingest(plan(&logs), &sink, &progress, &Stop::default());
        assert!(report.is_whole());
        assert_eq!((report.recorded.counted, sink.rows.into_inner()), (2 * ROWS, 2 * ROWS));
        assert_eq!(report.tally().connections(), 2 * ROWS);
        assert_eq!((progress.records(), progress.bytes()), (2 * ROWS, progress.bytes_total()));
    }

    #[test]
    fn asked_to_stop_it_finishes_what_was_read() {
        let (stop, progress) = (Stop::default(), Arc::new(Progress::default()));
        let sink = Fake { rows: AtomicU64::new(0), on_batch: |_| Ok(()) };
        let logs = [log(), log()];
        let report = thread::scope(|scope| {
            scope.spawn(|| {
                while progress.records() == 0 {
                    thread::yield_now();
                }
                stop.request();
            });
            ingest(plan(&logs), &sink, &progress, &stop)
        });
        assert!(!report.complete && report.failure.is_none());
        let counted = report.recorded.counted;
        assert!((1..2 * ROWS).contains(&counted), "{counted}");
        assert_eq!((counted, counted), (report.tally().connections(), sink.rows.into_inner()));
    }

    #[test]
    fn a_sink_that_fails_stops_everything() {
        let full = |rows: u64| if rows == 0 { Ok(()) } else { Err(StoreError::Write("disk full".into())) };
        let sink = Fake { rows: AtomicU64::new(0), on_batch: full };
        let report = ingest(plan(&[log(), log()]), &sink, &Arc::default(), &Stop::default());
        assert!(report.failure.is_some() && !report.is_whole());
        assert_eq!(report.recorded.counted, sink.rows.into_inner(), "only what was acknowledged is counted");
    }
}
