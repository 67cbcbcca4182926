//! Blocks of whole records, for formats whose records end at line ends.

use super::{FRAME_BYTES, PIECE_BYTES};
use crate::error::StreamError;
use crate::fields::csv::RowScanner;
use crate::frame::{Content, Frame};
use crate::outcome::Malformed;
use crate::settings::Limits;
use crate::tally::Issue;
use memchr::{memchr, memchr_iter, memrchr};

/// Where records end.
pub(super) trait RecordEnds: std::fmt::Debug + Send {
    /// The end of the last record that ends in `piece`, which goes on where the last piece stopped.
    fn last_end(&mut self, piece: &[u8], record_bytes_max: usize) -> Option<usize>;

    /// The next byte starts a record.
    fn restart(&mut self);
}

/// Every line is a record.
#[derive(Debug)]
pub(super) struct Lines;

/// Collects a stream into blocks of whole records.
///
/// A record in progress that grows over the limit is dropped, up to the end of the line, and becomes an issue. The
/// parsers do the same to a too long record that came in one piece, so the outcome does not depend on the pieces.
#[derive(Debug)]
pub(super) struct Blocks<E> {
    ends: E,
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the last whole record in `buffer` ends.
    whole: usize,
    /// The line `buffer` starts on.
    line: u64,
    /// Whether the rest of the line belongs to a record that was dropped.
    skipping: bool,
}

/// Whole records.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) first_line: u64,
    /// What was dropped behind these records.
    pub(super) issues: Vec<Issue>,
}

impl<E: RecordEnds> Blocks<E> {
    /// Blocks of a stream that starts on `first_line`.
    pub(super) fn new(ends: E, first_line: u64, limits: Limits) -> Self {
        Self { ends, limits, buffer: Vec::new(), whole: 0, line: first_line, skipping: false }
    }

    pub(super) fn feed(
        &mut self,
        mut piece: &[u8],
        mut give: impl FnMut(Block) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        if self.skipping {
            let Some(end) = memchr(b'\n', piece) else { return Ok(()) };
            piece = piece.get(end + 1..).unwrap_or_default();
            self.line += 1;
            self.skipping = false;
        }
        let start = self.buffer.len();
        self.buffer.extend_from_slice(piece);
        if let Some(end) = self.ends.last_end(piece, self.limits.line_bytes_max) {
            self.whole = start + end;
        }
        if self.buffer.len() - self.whole > self.limits.line_bytes_max {
            give(self.block_before_skip())
        } else if self.whole >= FRAME_BYTES {
            give(self.block())
        } else {
            Ok(())
        }
    }

    /// Gives the whole records at hand.
    pub(super) fn cut(
        &mut self,
        mut give: impl FnMut(Block) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        if self.whole > 0 { give(self.block()) } else { Ok(()) }
    }

    /// Bytes that were fed and not given yet.
    pub(super) fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The stream is at its end: what is left is the last record.
    pub(super) fn finish(
        &mut self,
        give: impl FnMut(Block) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        self.whole = self.buffer.len();
        self.cut(give)
    }

    /// Takes the whole records out.
    fn block(&mut self) -> Block {
        let mut bytes = std::mem::take(&mut self.buffer);
        if bytes.len() >= FRAME_BYTES {
            self.buffer.reserve(FRAME_BYTES + PIECE_BYTES);
        }
        self.buffer.extend_from_slice(bytes.get(self.whole..).unwrap_or_default());
        bytes.truncate(self.whole);
        self.whole = 0;
        let first_line = self.line;
        self.line += line_ends(&bytes);
        Block { bytes, first_line, issues: Vec::new() }
    }

    /// Takes the whole records out and drops the record in progress: it is too long.
    fn block_before_skip(&mut self) -> Block {
        let mut block = self.block();
        let problem = Malformed::TooLong { bytes_max: self.limits.line_bytes_max };
        block.issues.push(Issue { line: self.line, problem });
        self.line += line_ends(&self.buffer);
        self.buffer.clear();
        self.skipping = true;
        self.ends.restart();
        block
    }
}

impl Block {
    pub(super) fn into_frame(self, content: Content, limits: Limits) -> Frame {
        Frame {
            bytes: self.bytes,
            first_line: self.first_line,
            issues: self.issues,
            content,
            record_bytes_max: limits.line_bytes_max,
        }
    }
}

impl RecordEnds for Lines {
    fn last_end(&mut self, piece: &[u8], _: usize) -> Option<usize> {
        memrchr(b'\n', piece).map(|at| at + 1)
    }

    fn restart(&mut self) {}
}

impl RecordEnds for RowScanner {
    fn last_end(&mut self, piece: &[u8], record_bytes_max: usize) -> Option<usize> {
        let mut last = None;
        let mut at = 0;
        while let Some(end) = self.row_end(piece.get(at..).unwrap_or_default(), record_bytes_max) {
            at += end.length;
            last = Some(at);
        }
        last
    }

    fn restart(&mut self) {
        *self = Self::default();
    }
}

pub(super) fn line_ends(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
