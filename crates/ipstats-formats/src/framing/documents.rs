//! JSON documents: arrays, objects that list their records, objects over several lines or side by side.
//!
//! The scanner follows strings and nesting and nothing else; whether an element is a good record is for the parser to
//! say. A line end inside a string means that the string is broken: the record ends there, and reading goes on with
//! the next line as if a document began, where the remaining elements of the broken one are records just as well.

use super::blocks::line_ends;
use super::nesting::{Event, Nesting};
use super::{FRAME_BYTES, RecordFramer};
use crate::error::StreamError;
use crate::frame::{Content, Frame, Span};
use crate::outcome::Malformed;
use crate::record::Records;
use crate::settings::Limits;
use crate::tally::Issue;
use memchr::{memchr, memchr3};

/// What is kept of a record that is too long: enough to see the key of a list that follows, in bytes.
const TAIL_BYTES: usize = 32;

/// How many issues a frame takes before it is given, whatever its size.
const ISSUES_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Documents {
    records: Records,
    /// Keys of a top-level object whose array holds the records.
    lists: &'static [&'static str],
    limits: Limits,
    /// The line of the next byte.
    line: u64,
    inside: Inside,
    list: List,
    nesting: Nesting,
    /// Whole records, then the record in progress.
    bytes: Vec<u8>,
    spans: Vec<Span>,
    issues: Vec<Issue>,
    /// Where in `bytes` the record in progress starts.
    start: usize,
    start_line: u64,
    too_long: bool,
}

/// What the next byte is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// Nothing: between records.
    Between,
    /// An object, an array or a string.
    Record,
    /// Anything else.
    Junk,
    /// What follows the list in an object that lists records.
    Rest,
}

/// Where records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// At the top level.
    None,
    /// In an array at the top level.
    Array,
    /// In an array that is the value of a key.
    OfKey,
}

impl Documents {
    pub(super) const fn new(
        records: Records,
        lists: &'static [&'static str],
        first_line: u64,
        limits: Limits,
    ) -> Self {
        Self {
            records,
            lists,
            limits,
            line: first_line,
            inside: Inside::Between,
            list: List::None,
            nesting: Nesting::new(),
            bytes: Vec::new(),
            spans: Vec::new(),
            issues: Vec::new(),
            start: 0,
            start_line: first_line,
            too_long: false,
        }
    }

    fn take_piece(&mut self, piece: &[u8], frames: &mut Vec<Frame>) {
        let mut rest = piece;
        while !rest.is_empty() {
            let used = match self.inside {
                Inside::Between => self.between(rest),
                Inside::Record => self.record(rest),
                Inside::Junk => self.junk(rest),
                Inside::Rest => self.rest_of_object(rest),
            };
            let (done, behind) = rest.split_at_checked(used).unwrap_or((rest, &[]));
            self.line += line_ends(done);
            rest = behind;
        }
        if self.start >= FRAME_BYTES || self.issues.len() >= ISSUES_MAX {
            frames.push(self.frame());
        }
    }

    fn give(&mut self, frames: &mut Vec<Frame>) {
        if self.start > 0 || !self.issues.is_empty() {
            frames.push(self.frame());
        }
    }

    /// Goes to the next record. Returns how many bytes were used, as the other steps do.
    fn between(&mut self, bytes: &[u8]) -> usize {
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        let Some(at) = bytes.iter().position(|byte| !is_between(byte)) else { return bytes.len() };
        let byte = bytes.get(at).copied().unwrap_or_default();
        match (byte, self.list) {
            (b'[', List::None) => self.list = List::Array,
            (b']', List::OfKey) => {
                self.list = List::None;
                self.inside = Inside::Rest;
                self.nesting = Nesting::in_object();
            }
            (b']', _) => self.list = List::None,
            // What closes a document that was broken.
            (b'}', _) => {}
            _ => {
                self.start_line = self.line + line_ends(bytes.get(..at).unwrap_or_default());
                self.inside = if matches!(byte, b'{' | b'[' | b'"') { Inside::Record } else { Inside::Junk };
                self.nesting = Nesting::default();
                return at;
            }
        }
        at + 1
    }

    fn record(&mut self, bytes: &[u8]) -> usize {
        let (used, event) = self.nesting.next(bytes);
        self.take(bytes.get(..used).unwrap_or_default());
        match event {
            Event::Array if self.is_list_of_key() => {
                self.discard();
                self.list = List::OfKey;
            }
            Event::Array | Event::More => {}
            Event::Closed => self.end(),
            Event::Broken => {
                self.end();
                self.list = List::None;
            }
        }
        used
    }

    /// Inside an array, junk goes on to the next element; elsewhere to the end of the line.
    fn junk(&mut self, bytes: &[u8]) -> usize {
        let end = match self.list {
            List::None => memchr(b'\n', bytes),
            List::Array | List::OfKey => memchr3(b',', b']', b'\n', bytes),
        };
        let used = end.unwrap_or(bytes.len());
        self.take(bytes.get(..used).unwrap_or_default());
        if end.is_some() {
            self.end();
        }
        used
    }

    fn rest_of_object(&mut self, bytes: &[u8]) -> usize {
        let (used, event) = self.nesting.next(bytes);
        if matches!(event, Event::Closed | Event::Broken) {
            self.inside = Inside::Between;
        }
        used
    }

    /// Whether the array that has just opened is the list of records of a top-level object.
    fn is_list_of_key(&self) -> bool {
        if self.list != List::None || self.nesting.depth() != 2 {
            return false;
        }
        let record = self.bytes.get(self.start..).unwrap_or_default();
        let Some(before) = record.strip_suffix(b"[").map(<[u8]>::trim_ascii_end) else { return false };
        let Some(key) = before.strip_suffix(b":").map(<[u8]>::trim_ascii_end) else { return false };
        let Some(name) = key.strip_suffix(b"\"") else { return false };
        self.lists.iter().any(|list| {
            name.strip_suffix(list.as_bytes())
                .is_some_and(|before| before.ends_with(b"\"") && !before.ends_with(b"\\\""))
        })
    }

    /// Adds bytes to the record in progress. Of one that is too long, only the last bytes are kept.
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.too_long |= self.bytes.len() - self.start > self.limits.line_bytes_max;
        if self.too_long {
            let tail = self.bytes.len().saturating_sub(TAIL_BYTES).max(self.start);
            self.bytes.drain(self.start..tail);
        }
    }

    /// The record in progress is complete.
    fn end(&mut self) {
        if self.too_long {
            return self.end_as(self.too_long());
        }
        self.start = self.bytes.len();
        self.spans.push(Span { end: self.start, line: self.start_line });
        self.inside = Inside::Between;
    }

    /// The record in progress ends as malformed.
    fn end_as(&mut self, problem: Malformed) {
        self.issues.push(Issue { line: self.start_line, problem });
        self.discard();
    }

    fn discard(&mut self) {
        self.bytes.truncate(self.start);
        self.too_long = false;
        self.inside = Inside::Between;
    }

    const fn too_long(&self) -> Malformed {
        Malformed::TooLong { bytes_max: self.limits.line_bytes_max }
    }

    /// Takes the whole records out.
    fn frame(&mut self) -> Frame {
        let in_progress = self.bytes.split_off(self.start);
        self.start = 0;
        Frame {
            bytes: std::mem::replace(&mut self.bytes, in_progress),
            first_line: 0,
            issues: std::mem::take(&mut self.issues),
            content: Content::JsonObjects(self.records.clone(), std::mem::take(&mut self.spans)),
            record_bytes_max: self.limits.line_bytes_max,
        }
    }
}

impl RecordFramer for Documents {
    fn feed(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.take_piece(piece, frames);
        Ok(())
    }

    fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.give(frames);
        Ok(())
    }

    /// A record in progress is cut off.
    fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        match self.inside {
            Inside::Between | Inside::Rest => {}
            Inside::Junk => self.end(),
            Inside::Record => self.end_as(if self.too_long { self.too_long() } else { Malformed::CutOff }),
        }
        self.give(frames);
        Ok(())
    }

    /// Bytes of the record in progress.
    fn held_bytes(&self) -> usize {
        self.bytes.len() - self.start
    }
}
