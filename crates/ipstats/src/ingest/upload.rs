//! One log whose sender waits for the answer: the body of a request.
//!
//! It is read, parsed and recorded by the one thread that calls: many senders at once use the cores well enough, and
//! each takes a bounded amount of memory (a chunk, a frame and a batch).

use super::batcher::Batcher;
use super::decompress::{Compression, Decompressed};
use super::encoding::{Encodings, decoded};
use super::guess::{Head, OtherFormat};
use super::lines::Lines;
use super::members::TrailingBytes;
use super::outcomes::Outcomes;
use super::sink::Sink;
use super::source::SourceError;
use crate::store::StoreError;
use ipstats_formats::{FormatChoice, Frame, Framer, Settings, StreamError, Tally};
use ipstats_model::Recorded;
use std::io::{self, Read};

/// How an upload is read.
#[derive(Debug, Clone)]
pub struct UploadPlan {
    /// What its sender says that it compressed it with.
    pub encodings: Encodings,
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
    /// Where no record was a connection, or the log could not be read: which format it seems to have, if that is another.
    pub other_format: Option<OtherFormat>,
    /// What is odd about it, although its records were read.
    pub warning: Option<String>,
}

impl UploadReport {
    /// How many of its records ended where.
    pub fn outcomes(&self) -> Outcomes {
        Outcomes::new(&self.tally, self.recorded)
    }
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
    /// What the records are wrapped in is not what its protocol says.
    #[error("{0}")]
    Envelope(String),
    /// It cannot be recorded.
    #[error(transparent)]
    Record(#[from] StoreError),
}

/// What a sender is told about a log that cannot be read: it has no files and no flags, and sends again.
fn to_sender(error: &SourceError) -> String {
    match error {
        SourceError::Truncated(compression) => format!(
            "the {compression} data ends too early: what comes before the cut was recorded; send the complete log again"
        ),
        SourceError::Damaged { compression: Compression::Zstd, source } if asks_for_too_much(source) => {
            "the zstd data needs a window of more than 8 MiB: compress it without --ultra and --long"
                .to_owned()
        }
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

/// The decoder has no kind of its own for it.
fn asks_for_too_much(error: &io::Error) -> bool {
    error.to_string().contains("too much memory")
}

impl UploadError {
    /// Whether the first bytes tell that there is nothing to record.
    pub const fn is_of_no_log(&self) -> bool {
        let Self::Source(SourceError::Content(error)) = self else { return false };
        matches!(error, StreamError::NotRecognized { .. } | StreamError::Binary { .. })
    }

    /// Why reading a body stopped that is at most `bytes_max` long and has this compression.
    pub fn reading(error: io::Error, compression: Compression, bytes_max: u64) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge => Self::TooLarge { bytes_max },
            _ => Self::Source(SourceError::reading(error, compression)),
        }
    }
}

/// Records the whole of `log`; returns when all of it is durable. An empty log is not an error. The report covers what was
/// read, also where that is only a part.
pub fn upload(
    log: impl Read + Send + 'static,
    plan: &UploadPlan,
    sink: &impl Sink,
) -> (UploadReport, Result<(), UploadError>) {
    let head = Head::new(plan.format);
    let mut upload =
        Upload { plan, sink, head, batcher: Batcher::default(), trailing: TrailingBytes::default() };
    let read = upload.read(log);
    let flushed = upload.batcher.flush(|batch| sink.record(batch));
    let (tally, recorded) = upload.batcher.take();
    let counts_nothing = tally.connections() == 0 && (tally.records() > 0 || is_unreadable(&read));
    let other_format = if counts_nothing { upload.head.other_format() } else { None };
    let report = UploadReport { tally, recorded, other_format, warning: upload.trailing.warning() };
    (report, flushed.map_err(UploadError::Record).and(read))
}

/// Whether a log could not be read as its format, and the error does not say which other it seems to have.
const fn is_unreadable(read: &Result<(), UploadError>) -> bool {
    match read {
        Err(UploadError::Source(SourceError::Content(error))) => {
            !matches!(error, StreamError::NotRecognized { .. })
        }
        _ => false,
    }
}

struct Upload<'a, S> {
    plan: &'a UploadPlan,
    sink: &'a S,
    head: Head,
    batcher: Batcher,
    /// After the end of compressed data.
    trailing: TrailingBytes,
}

impl<S: Sink> Upload<'_, S> {
    fn read(&mut self, log: impl Read + Send + 'static) -> Result<(), UploadError> {
        let bytes_max = self.plan.bytes_max;
        let Decompressed { compression, reader: mut log, trailing } =
            decoded(log, &self.plan.encodings, bytes_max)
                .map_err(|error| UploadError::reading(error, Compression::None, bytes_max))?;
        self.trailing = trailing;
        let UploadPlan { format, settings, .. } = self.plan;
        let mut framer = Framer::of_source(*format, settings);
        let mut lines = Lines::new();
        let mut empty = true;
        let end = loop {
            match lines.next(&mut log) {
                Ok(Some(chunk)) => {
                    self.head.feed(chunk);
                    self.pass_on(|frames| framer.feed(chunk, frames))?;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(UploadError::reading(error, compression, bytes_max)),
            }
            empty = false;
        };
        match lines.rest() {
            [] if empty => return end,
            rest if end.is_ok() => {
                self.head.feed(rest);
                self.pass_on(|frames| framer.feed(rest, frames))?;
            }
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
        let sink = self.sink;
        self.batcher.parse(&frames, &self.plan.settings, |batch| sink.record(batch))?;
        result.map_err(|error| UploadError::Source(SourceError::Content(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipstats_model::Batch;
    use parking_lot::Mutex;
    use std::io::Cursor;

    /// Keeps what is recorded, and fails from a certain batch on.
    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl Sink for Kept {
        fn record(&self, batch: &Batch) -> Result<Recorded, StoreError> {
            self.0.lock().extend(batch.rows().iter().map(|row| row.ip.to_string()));
            Ok(Recorded { counted: batch.len() as u64, ..Recorded::default() })
        }
    }

    fn plan(bytes_max: u64) -> UploadPlan {
        UploadPlan {
            encodings: Encodings::default(),
            format: FormatChoice::Auto,
            settings: Settings::default(),
            bytes_max,
        }
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
            let (report, end) = upload(Cursor::new(log), &plan(1000), &kept);
            end.unwrap();
            assert_eq!((report.recorded.counted, report.tally.records()), (7, 7));
            assert_eq!(kept.0.lock().len(), 7);
        }
        let (nothing, end) = upload(Cursor::new(Vec::new()), &plan(1000), &Kept::default());
        end.unwrap();
        assert_eq!(nothing.tally.records(), 0);
    }

    #[test]
    fn what_comes_before_the_limit_or_the_cut_is_recorded() {
        let kept = Kept::default();
        let bomb = zstd::encode_all(&lines(100).repeat(1000)[..], 1).unwrap();
        let error = upload(Cursor::new(bomb), &plan(1 << 20), &kept).1.unwrap_err();
        assert!(matches!(error, UploadError::TooLarge { bytes_max: 1_048_576 }), "{error}");
        assert!(!kept.0.lock().is_empty());

        let mut cut = zstd::encode_all(&lines(9)[..], 1).unwrap();
        cut.truncate(cut.len() - 1);
        let error = upload(Cursor::new(cut), &plan(1 << 20), &Kept::default()).1.unwrap_err();
        assert!(matches!(error, UploadError::Source(SourceError::Truncated(_))), "{error}");
        let message = error.to_string();
        assert!(message.contains("send the complete log again") && !message.contains("import"), "{message}");
    }

    #[test]
    fn a_log_of_another_format_is_named() {
        let looks_like = |format: &str, log: Vec<u8>| {
            let plan = UploadPlan { format: format.parse().unwrap(), ..plan(1 << 20) };
            upload(Cursor::new(log), &plan, &Kept::default()).0.other_format
        };
        let other = looks_like("csv", lines(3)).unwrap();
        assert_eq!(other.about("the log"), "nothing of the log was counted as csv: it looks like ndjson");
        assert_eq!(looks_like("zeek-json", b"device,ip,time\n".repeat(2)).unwrap().looks_like.name(), "csv");
        assert_eq!(looks_like("ndjson", lines(3)), None, "it counts");
        assert_eq!(
            looks_like("ndjson", b"{\"device\":1,\"ip\":\"\",\"time\":1}\n".to_vec()),
            None,
            "it is ndjson"
        );
        assert_eq!(looks_like("ndjson", b"{\"a\":1}\n".to_vec()), None, "it looks like nothing");
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let error = upload(Cursor::new(b"hello\nworld\n"), &plan(1000), &Kept::default()).1.unwrap_err();
        assert!(matches!(error, UploadError::Source(SourceError::Content(_))), "{error}");
        let message = error.to_string();
        assert!(message.ends_with("csv) in the path") && !message.contains("--format"), "{message}");
    }
}
