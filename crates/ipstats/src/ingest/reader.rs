//! The thread that reads logs and cuts them into frames.

use super::decompress::Decompressed;
use super::lines::Lines;
use super::pipeline::{Shared, SourceFrame};
use super::queue::Closed;
use super::source::{Source, SourceError};
use ipstats_formats::{Frame, Framer, StreamError};
use std::sync::Arc;

/// Reads one log after the other; owned by its thread.
pub(super) struct Reader {
    shared: Arc<Shared>,
}

/// Why a log is not read on.
enum Stopped {
    /// It cannot be read.
    Log(SourceError),
    /// Nobody takes its frames any more.
    Queue,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Reads all of them, and reports on each.
    pub(super) fn run(self, sources: Vec<Source>) {
        for (position, source) in sources.into_iter().enumerate() {
            self.shared.report.lock().begin(source.clone());
            match self.read(position, &source) {
                Ok(()) => {}
                Err(Stopped::Log(error)) => self.shared.report.lock().fail(position, error),
                Err(Stopped::Queue) => return,
            }
        }
        self.shared.report.lock().complete = true;
    }

    fn read(&self, position: usize, source: &Source) -> Result<(), Stopped> {
        let Decompressed { compression, reader: mut log, trailing } = source.open(&self.shared.progress)?;
        let mut framer = Framer::of_source(self.shared.format, &self.shared.settings);
        let mut lines = Lines::new();
        let mut empty = true;
        let end = loop {
            match lines.next(&mut log) {
                Ok(Some(chunk)) => self.pass_on(position, |frames| framer.feed(chunk, frames))?,
                Ok(None) => break Ok(()),
                Err(error) => break Err(SourceError::reading(error, compression)),
            }
            empty = false;
        };
        match (&end, lines.rest()) {
            (Ok(()), []) if empty => return self.empty(position, source),
            (Ok(()), rest) => self.pass_on(position, |frames| framer.feed(rest, frames))?,
            // The line in which a log breaks off is left out.
            (Err(_), _) => {}
        }
        let finished = self.pass_on(position, |frames| framer.finish(frames));
        // Why a log broke off says more than what its stump looks like.
        end?;
        if let Some(warning) = trailing.warning() {
            self.shared.report.lock().warn(position, warning);
        }
        finished
    }

    /// Rotated logs are often empty, so an empty file does not fail an import of many; a pipe without data is a failure of
    /// what should have written it.
    fn empty(&self, position: usize, source: &Source) -> Result<(), Stopped> {
        match source {
            Source::Stdin => Err(SourceError::Empty.into()),
            Source::File(_) => {
                self.shared.report.lock().warn(position, SourceError::Empty.to_string());
                Ok(())
            }
        }
    }

    /// Hands the frames that `cut` makes to the workers, also those before an error.
    fn pass_on(
        &self,
        source: usize,
        cut: impl FnOnce(&mut Vec<Frame>) -> Result<(), StreamError>,
    ) -> Result<(), Stopped> {
        let mut frames = Vec::new();
        let result = cut(&mut frames);
        for frame in frames {
            let bytes = frame.byte_len();
            self.shared.queue.push(SourceFrame { source, frame }, bytes)?;
        }
        result.map_err(|error| SourceError::Content(error).into())
    }
}

impl Drop for Reader {
    /// However the reader ends, workers do not wait for it for ever.
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl From<SourceError> for Stopped {
    fn from(error: SourceError) -> Self {
        Self::Log(error)
    }
}

impl From<Closed> for Stopped {
    fn from(_: Closed) -> Self {
        Self::Queue
    }
}
