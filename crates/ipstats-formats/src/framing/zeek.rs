//! Zeek TSV: header lines, wherever they are in the stream, say what the rows below them are.

use super::blocks::{Block, line_ends};
use super::rows::RowHeader;
use crate::error::StreamError;
use crate::format::Format;
use crate::formats::zeek_tsv::{Columns, Header};
use crate::frame::{Content, Frame};
use crate::outcome::Malformed;
use crate::settings::Limits;
use crate::tally::Issue;
use memchr::{memchr, memmem};
use std::sync::Arc;

/// What says which columns a row has, as the header in force when it comes says to cut it.
const FIELDS: &[u8] = b"#fields";

/// What the header lines so far say.
#[derive(Debug)]
pub(super) struct Headers {
    limits: Limits,
    header: Header,
    columns: Option<Arc<Columns>>,
    /// The lines that said so, as they came.
    text: Vec<u8>,
}

impl RowHeader for Headers {
    /// Makes a frame of each run of rows between header lines.
    fn frames(&mut self, block: Block, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let mut line = block.first_line;
        let mut rest = block.bytes.as_slice();
        while !rest.is_empty() {
            if let (Some(columns), false) = (&self.columns, rest.starts_with(b"#")) {
                let content = Content::ZeekRows(Arc::clone(columns));
                let end = memmem::find(rest, b"\n#").map_or(rest.len(), |at| at + 1);
                if end == block.bytes.len() {
                    // The usual block has no header line in it and becomes a frame as it is.
                    let rows = Block { bytes: block.bytes, first_line: line, issues: block.issues };
                    frames.push(rows.into_frame(content, self.limits));
                    return Ok(());
                }
                let (rows, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                rest = behind;
                let rows = Block { bytes: rows.to_vec(), first_line: line, issues: Vec::new() };
                line += line_ends(&rows.bytes);
                frames.push(rows.into_frame(content, self.limits));
            } else {
                let end = memchr(b'\n', rest).unwrap_or(rest.len());
                let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                rest = behind.split_first().map_or(&[], |(_, rest)| rest);
                if text.len() > self.limits.line_bytes_max {
                    let problem = Malformed::TooLong { bytes_max: self.limits.line_bytes_max };
                    frames.push(Frame::of_issues(vec![Issue { line, problem }]));
                } else {
                    self.header_line(text.trim_ascii(), line)?;
                }
                line += 1;
            }
        }
        if !block.issues.is_empty() {
            frames.push(Frame::of_issues(block.issues));
        }
        Ok(())
    }

    fn text(&self) -> &[u8] {
        &self.text
    }
}

impl Headers {
    /// Rows below header lines; those before the first have these columns, where there are some.
    pub(super) fn new(limits: Limits, columns: &[String]) -> Self {
        let columns = Columns::named(columns).map(Arc::new);
        Self { limits, header: Header::default(), columns, text: Vec::new() }
    }

    fn header_line(&mut self, whole: &[u8], line: u64) -> Result<(), StreamError> {
        let Some(text) = whole.strip_prefix(b"#") else {
            return if whole.is_empty() { Ok(()) } else { Err(StreamError::NoHeader { line }) };
        };
        // `#separator` comes first, in a form that needs no separator.
        if let Some(separator) = text.strip_prefix(b"separator ") {
            let separator =
                unescaped(separator).map_err(|separator| StreamError::Separator { line, separator })?;
            self.header = Header { separator, ..Header::default() };
            self.text.clear();
            self.remember(whole);
            return Ok(());
        }
        let separator = self.header.separator;
        let mut words = text.split(|byte| *byte == separator);
        match (words.next(), words.next()) {
            (Some(b"fields"), first) => self.fields(first.into_iter().chain(words), line)?,
            (Some(b"unset_field"), Some(unset)) => self.header.unset = unset.to_vec(),
            (Some(b"empty_field"), Some(empty)) => self.header.empty = empty.to_vec(),
            (Some(b"path"), Some(path)) => {
                self.header.path = Some(String::from_utf8_lossy(path).into_owned());
            }
            // `#types`, `#open`, `#close`, comments: nothing to know.
            _ => return Ok(()),
        }
        self.remember(whole);
        Ok(())
    }

    /// Keeps a header line. However often one comes back, the last of its kind is enough; but what is said behind a
    /// `#fields` line holds for the next one only, so what was said before it stays.
    fn remember(&mut self, line: &[u8]) {
        let kind = |line: &[u8]| line.iter().copied().take_while(u8::is_ascii_graphic).collect::<Vec<u8>>();
        let mut kept: Vec<&[u8]> = self.text.split_inclusive(|byte| *byte == b'\n').collect();
        let in_force = match kept.iter().rposition(|kept| kept.starts_with(FIELDS)) {
            Some(fields) if !line.starts_with(FIELDS) => fields + 1,
            _ => 0,
        };
        let mut place = 0;
        kept.retain(|kept| {
            place += 1;
            place <= in_force || kind(kept) != kind(line)
        });
        if line.starts_with(FIELDS) {
            // All that was said twice: the last of it is in force now.
            let kinds: Vec<_> = kept.iter().map(|kept| kind(kept)).collect();
            let mut place = 0;
            kept.retain(|_| {
                place += 1;
                kinds.get(place - 1).is_some_and(|kind| !kinds.iter().skip(place).any(|later| later == kind))
            });
        }
        self.text = [&kept.concat(), line, b"\n"].concat();
    }

    fn fields<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>, line: u64) -> Result<(), StreamError> {
        let columns = Columns::new(self.header.clone(), names)
            .map_err(|missing| StreamError::missing_columns(line, Format::ZeekTsv, missing))?;
        self.columns = Some(Arc::new(columns));
        Ok(())
    }
}

/// The one byte of a separator, written as it is or as `\x09`.
fn unescaped(separator: &[u8]) -> Result<u8, String> {
    let byte = match separator {
        [byte] => Some(*byte),
        [b'\\', b'x', hex @ ..] if hex.len() == 2 => {
            std::str::from_utf8(hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
        }
        _ => None,
    };
    byte.ok_or_else(|| String::from_utf8_lossy(separator).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_one_byte() {
        assert_eq!(unescaped(b"\\x09"), Ok(b'\t'));
        assert_eq!(unescaped(b","), Ok(b','));
        for wrong in ["", "\\x0", "\\x0g", "\\x09\\x09", "ab"] {
            assert!(unescaped(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
