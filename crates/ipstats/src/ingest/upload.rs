//! One log whose sender waits for the answer: the body of a request.
//!
//! It is read, parsed and recorded by the one thread that calls: many senders at once use the cores well enough, and
//! each takes a bounded amount of memory (a chunk, a frame and a batch).

use super::decompress::decompressed;
use super::lines::Lines;
use super::sink::Sink;
use super::source::SourceError;
use ipstats_engine::{RecordError, Recorded};
use ipstats_formats::{FormatChoice, Frame, Framer, Settings, StreamError, Tally};
use ipstats_model::Batch;
use std::io::{self, Read};

/// Connections in a batch, as for files.
const BATCH_ROWS_MAX: usize = 1 << 16;

/// How an upload is read.
#[derive(Debug, Clone)]
pub struct UploadPlan {
    /// Which format it has.
    pub format: FormatChoice,
    /// What counts as a connection, and of whom.
    pub settings: Settings,
    /// Most bytes of it once it is decompressed.
    pub bytes_max: u64,
}

/// What became of every record of an upload.
#[derive(Debug, Default)]
pub struct UploadReport {
    /// What parsing made of its records.
    pub tally: Tally,
    /// What the sink acknowledged: connections counted, and outside retention.
    pub recorded: Recorded,
}

/// Why an upload was not read to its end. What comes before was recorded; sending it again changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It is longer than one upload may be.
    #[error("the decompressed log is longer than {bytes_max} bytes: send it in several parts")]
    TooLarge {
        /// The limit, in bytes.
        bytes_max: u64,
    },
    /// It cannot be read.
    #[error("{}", to_sender(.0))]
    Source(SourceError),
    /// It cannot be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What a sender is told about a log that cannot be read: it has no files and no flags, and sends again.
fn to_sender(error: &SourceError) -> String {
    match error {
        SourceError::Truncated(compression) => format!(
            "the {compression} data ends too early: what comes before the cut was recorded; send the complete log again"
        ),
        SourceError::Damaged { compression, source } => format!(
            "the {compression} data is damaged ({source}): what was read until that was noticed was recorded, possibly \
             altered records among it; send an intact copy again"
        ),
        SourceError::Read(error) => {
            format!("the log broke off ({error}): what came before was recorded; send it again")
        }
        SourceError::Content(error @ StreamError::NotRecognized { .. }) => format!("{error} in the path"),
        SourceError::Content(error) => error.to_string(),
        // These are about files.
        SourceError::NotFound | SourceError::Folder(_) | SourceError::Permission(_) | SourceError::Empty => {
            error.to_string()
        }
    }
}

/// Records the whole of `log`; returns when all of it is durable. An empty log is fine: there was nothing to tell.
pub fn upload(
    log: impl Read + Send + 'static,
    plan: &UploadPlan,
    sink: &impl Sink,
) -> Result<UploadReport, UploadError> {
    let mut upload = Upload { plan, sink, batch: Batch::new(), report: UploadReport::default() };
    let read = upload.read(log);
    upload.record()?;
    read.map(|()| upload.report)
}

struct Upload<'a, S> {
    plan: &'a UploadPlan,
    sink: &'a S,
    batch: Batch,
    report: UploadReport,
}

impl<S: Sink> Upload<'_, S> {
    fn read(&mut self, log: impl Read + Send + 'static) -> Result<(), UploadError> {
        let source_error = |error| UploadError::Source(SourceError::Read(error));
        let (compression, log) = decompressed(log).map_err(source_error)?;
        let mut log = Capped { inner: log, left: self.plan.bytes_max };
        let mut framer = Framer::new(self.plan.format, self.plan.settings.limits);
        let mut lines = Lines::new();
        let mut empty = true;
        let end = loop {
            match lines.next(&mut log) {
                Ok(Some(chunk)) => self.pass_on(|frames| framer.feed(chunk, frames))?,
                Ok(None) => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    break Err(UploadError::TooLarge { bytes_max: self.plan.bytes_max });
                }
                Err(error) => break Err(UploadError::Source(SourceError::reading(error, compression))),
            }
            empty = false;
        };
        match lines.rest() {
            [] if empty => return end,
            rest if end.is_ok() => self.pass_on(|frames| framer.feed(rest, frames))?,
            // The line in which a log breaks off is left out: half a record can look like a whole one.
            _ => {}
        }
        let finished = self.pass_on(|frames| framer.finish(frames));
        end.and(finished)
    }

    /// Parses the frames that `cut` makes, also those before an error.
    fn pass_on(
        &mut self,
        cut: impl FnOnce(&mut Vec<Frame>) -> Result<(), StreamError>,
    ) -> Result<(), UploadError> {
        let mut frames = Vec::new();
        let result = cut(&mut frames);
        for frame in frames {
            frame.parse(&self.plan.settings, &mut self.batch, &mut self.report.tally);
            if self.batch.len() >= BATCH_ROWS_MAX {
                self.record()?;
            }
        }
        result.map_err(|error| UploadError::Source(SourceError::Content(error)))
    }

    fn record(&mut self) -> Result<(), RecordError> {
        if !self.batch.is_empty() {
            let recorded = self.sink.record(&self.batch)?;
            self.batch.clear();
            let total = &mut self.report.recorded;
            total.counted += recorded.counted;
            total.too_old += recorded.too_old;
            total.too_far_ahead += recorded.too_far_ahead;
        }
        Ok(())
    }
}

/// A reader that fails once more than `left` bytes were read of it.
struct Capped<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::io::Cursor;

    /// Keeps what is recorded, and fails from a certain batch on.
    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl Sink for Kept {
        fn record(&self, batch: &Batch) -> Result<Recorded, RecordError> {
            self.0.lock().extend(batch.rows().iter().map(|row| row.ip.to_string()));
            Ok(Recorded { counted: batch.len() as u64, ..Recorded::default() })
        }
    }

    fn plan(bytes_max: u64) -> UploadPlan {
        UploadPlan { format: FormatChoice::Auto, settings: Settings::default(), bytes_max }
    }

    fn lines(count: usize) -> Vec<u8> {
        let line = |number| format!("{{\"device\":\"d\",\"ip\":\"10.0.0.{number}\",\"time\":1504013579}}\n");
        (0..count).map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn all_of_it_is_recorded_whatever_its_compression() {
        let zstd = zstd::encode_all(&lines(7)[..], 1).unwrap();
        for log in [lines(7), zstd, lines(7).trim_ascii_end().to_vec()] {
            let kept = Kept::default();
            let report = upload(Cursor::new(log), &plan(1000), &kept).unwrap();
            assert_eq!((report.recorded.counted, report.tally.records()), (7, 7));
            assert_eq!(kept.0.lock().len(), 7);
        }
        let nothing = upload(Cursor::new(Vec::new()), &plan(1000), &Kept::default()).unwrap();
        assert_eq!(nothing.tally.records(), 0);
    }

    #[test]
    fn what_comes_before_the_limit_or_the_cut_is_recorded() {
        let kept = Kept::default();
        let bomb = zstd::encode_all(&lines(100).repeat(1000)[..], 1).unwrap();
        let error = upload(Cursor::new(bomb), &plan(1 << 20), &kept).unwrap_err();
        assert!(matches!(error, UploadError::TooLarge { bytes_max: 1_048_576 }), "{error}");
        assert!(!kept.0.lock().is_empty());

        let mut cut = zstd::encode_all(&lines(9)[..], 1).unwrap();
        cut.truncate(cut.len() - 1);
        let error = upload(Cursor::new(cut), &plan(1 << 20), &Kept::default()).unwrap_err();
        assert!(matches!(error, UploadError::Source(SourceError::Truncated(_))), "{error}");
        let message = error.to_string();
        assert!(message.contains("send the complete log again") && !message.contains("import"), "{message}");
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let error = upload(Cursor::new(b"hello\nworld\n"), &plan(1000), &Kept::default()).unwrap_err();
        assert!(matches!(error, UploadError::Source(SourceError::Content(_))), "{error}");
        let message = error.to_string();
        assert!(message.ends_with("csv) in the path") && !message.contains("--format"), "{message}");
    }
}
