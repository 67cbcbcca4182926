//! Which format a log seems to have, for whoever was told another one.

use super::progress::Progress;
use super::source::Source;
use ipstats_formats::{Format, FormatChoice, Framer, Limits};
use std::fmt;
use std::io::Read;
use std::sync::Arc;

/// Bytes of a log that are looked at: more than it takes to recognize any format.
const HEAD_BYTES: usize = 128 << 10;

/// Nothing of a log counted, and it seems to have another format than it was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherFormat {
    /// How it was read.
    pub read_as: FormatChoice,
    /// What it seems to be.
    pub looks_like: Format,
}

impl OtherFormat {
    /// The format that `source` seems to have, where that is none that `choice` stands for. Nothing about standard input,
    /// which cannot be read again.
    pub fn of_source(source: &Source, choice: FormatChoice) -> Option<Self> {
        if matches!(source, Source::Stdin) {
            return None;
        }
        let log = source.open(&Arc::new(Progress::default())).ok()?.reader;
        let mut head = Vec::new();
        // What can be read of a damaged log is enough.
        let _ = log.take(HEAD_BYTES as u64).read_to_end(&mut head);
        Self::of_head(&head, choice)
    }

    fn of_head(head: &[u8], choice: FormatChoice) -> Option<Self> {
        let mut framer = Framer::new(FormatChoice::Auto, Limits::default());
        let mut whole = Vec::new();
        framer.feed(head, &mut whole).and_then(|()| framer.finish(&mut whole)).ok()?;
        let looks_like = framer.format().filter(|format| !choice.admits(*format))?;
        Some(Self { read_as: choice, looks_like })
    }

    /// The sentence about `log`. What to do is up to who has read it.
    pub fn about(self, log: impl fmt::Display) -> String {
        let Self { read_as, looks_like } = self;
        format!("nothing of {log} was counted as {read_as}: it looks like {looks_like}")
    }
}

/// The beginning of a log that is read once, kept until it is known whether anything counts.
#[derive(Debug)]
pub(super) struct Head {
    read_as: FormatChoice,
    bytes: Vec<u8>,
}

impl Head {
    /// Of a log that is read as `choice`. Where that is any format, nothing is kept.
    pub(super) const fn new(choice: FormatChoice) -> Self {
        Self { read_as: choice, bytes: Vec::new() }
    }

    /// Takes the next bytes of the log.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.read_as != FormatChoice::Auto {
            let room = HEAD_BYTES.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// The format that the log seems to have, where that is another.
    pub(super) fn other_format(&self) -> Option<OtherFormat> {
        OtherFormat::of_head(&self.bytes, self.read_as)
    }
}
