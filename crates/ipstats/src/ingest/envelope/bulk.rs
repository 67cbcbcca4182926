//! The bulk API of Elasticsearch: pairs of lines, an action and a document.
//!
//! Of a request, what is kept is one line, one batch, and two bytes an item for the answer.

use super::DecodedBody;
use crate::ingest::{Delivery, UploadError};
use ipstats_formats::Malformed;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io::{self, BufRead, BufReader, Read};

/// Bytes asked of a body at a time.
const READ_BYTES: usize = 64 << 10;

/// Longest line that says what to do with a document, in bytes.
const ACTION_BYTES_MAX: usize = 64 << 10;

/// Malformed documents whose problem is told; of more, only that they are.
const PROBLEMS_MAX: usize = 100;

/// What became of each item of a request, in its order.
#[derive(Debug, Default)]
pub struct Items {
    /// What was to be done with each, and what became of it.
    pub items: Vec<(Verb, Fate)>,
    /// What is wrong with the first malformed ones.
    pub problems: Vec<String>,
}

/// What an action says to do with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Add it.
    Create,
    /// Add it, or replace it.
    Index,
    /// Change it.
    Update,
    /// Delete it.
    Delete,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Read, and durable where it is a connection.
    Taken,
    /// It cannot be read.
    Malformed,
    /// Nothing here can be changed.
    NotSupported,
    /// Nothing here can be deleted.
    NotFound,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Create(IgnoredAny),
    Index(IgnoredAny),
    Update(IgnoredAny),
    Delete(IgnoredAny),
}

/// One line of a body.
enum Line {
    Whole,
    /// It was skipped.
    TooLong,
    End,
}

/// Reads all pairs of `body`.
pub fn read(body: DecodedBody, delivery: &mut Delivery<'_>) -> Result<Items, UploadError> {
    let (reader, to_error) = body.into_parts();
    let mut lines =
        Lines { reader: BufReader::with_capacity(READ_BYTES, reader), line: Vec::new(), number: 0 };
    let mut items = Items::default();
    loop {
        match lines.next(ACTION_BYTES_MAX).map_err(&to_error)? {
            Line::End => return Ok(items),
            Line::Whole if lines.line.is_empty() => continue,
            Line::Whole | Line::TooLong => {}
        }
        let verb = action(&lines.line)
            .ok_or_else(|| malformed(lines.number, "is no action such as {\"create\":{}}"))?;
        let fate = match verb {
            Verb::Delete => Fate::NotFound,
            Verb::Create | Verb::Index | Verb::Update => {
                let read = lines.next(delivery.record_bytes_max()).map_err(&to_error)?;
                document(verb, &read, &lines, delivery, &mut items)?
            }
        };
        items.items.push((verb, fate));
    }
}

fn document(
    verb: Verb,
    read: &Line,
    lines: &Lines<impl Read>,
    delivery: &mut Delivery<'_>,
    items: &mut Items,
) -> Result<Fate, UploadError> {
    let problem = match (read, verb) {
        (Line::End, _) => return Err(malformed(lines.number - 1, "is an action whose document is missing")),
        (_, Verb::Update) => return Ok(Fate::NotSupported),
        (Line::TooLong, _) => Some(delivery.too_long()),
        (Line::Whole, _) => delivery.read(&lines.line)?,
    };
    Ok(problem.map_or(Fate::Taken, |problem| items.malformed(&problem)))
}

fn action(line: &[u8]) -> Option<Verb> {
    Some(match serde_json::from_slice(line).ok()? {
        Action::Create(_) => Verb::Create,
        Action::Index(_) => Verb::Index,
        Action::Update(_) => Verb::Update,
        Action::Delete(_) => Verb::Delete,
    })
}

impl Items {
    /// Whether an item failed, as Elasticsearch counts: to delete what is not there is none.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|(_, fate)| matches!(fate, Fate::Malformed | Fate::NotSupported))
    }

    fn malformed(&mut self, problem: &Malformed) -> Fate {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem.to_string());
        }
        Fate::Malformed
    }
}

impl Verb {
    /// As actions and answers write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

struct Lines<R> {
    reader: BufReader<R>,
    /// The last line, without its end. Nothing of one that is too long.
    line: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    fn next(&mut self, bytes_max: usize) -> io::Result<Line> {
        self.line.clear();
        self.number += 1;
        let mut found = Line::End;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', buffer);
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            if matches!(found, Line::End) {
                found = Line::Whole;
            }
            if self.line.len() + part.len() > bytes_max {
                found = Line::TooLong;
                self.line = Vec::new();
            } else if matches!(found, Line::Whole) {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(found)
    }
}

fn malformed(line: u64, problem: &str) -> UploadError {
    UploadError::Envelope(format!("line {line} of the bulk request {problem}; what came before is recorded"))
}
