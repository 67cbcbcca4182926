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
