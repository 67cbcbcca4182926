//! The grammar of CSV (RFC 4180): where rows end and what their cells hold.
//!
//! A quote opens a quoted cell only at its start; inside, `""` is a quote, and commas and line ends are text. A row
//! that grows over the limit ends at the next line end, quoted or not, so that one stray quote does not swallow a file.

use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// Finds the ends of rows in bytes that arrive in pieces.
#[derive(Debug, Default)]
pub(crate) struct RowScanner {
    cell: Cell,
    /// Bytes of the row so far.
    row_bytes: usize,
}

/// Where in a cell the scanner is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cell {
    #[default]
    Start,
    Bare,
    Quoted,
    /// Behind a quote in a quoted cell: its end, or the first half of `""`.
    Quote,
}

/// The end of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowEnd {
    /// How many bytes of the piece belong to the row, its line end included.
    pub(crate) length: usize,
    /// Whether the row, without its line end, is longer than the limit.
    pub(crate) too_long: bool,
}

impl RowScanner {
    /// The end of the row in progress, if it is in `piece`.
    pub(crate) fn row_end(&mut self, piece: &[u8], row_bytes_max: usize) -> Option<RowEnd> {
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            at += self.cell.bytes_without_effect(rest);
            let Some(byte) = piece.get(at) else { break };
            at += 1;
            let too_long = self.row_bytes + at - 1 > row_bytes_max;
            if *byte == b'\n' && (too_long || self.cell != Cell::Quoted) {
                *self = Self::default();
                return Some(RowEnd { length: at, too_long });
            }
            self.cell = self.cell.after(*byte);
        }
        self.row_bytes += piece.len();
        None
    }

    /// Whether a quoted cell is open.
    pub(crate) fn is_quoted(&self) -> bool {
        self.cell == Cell::Quoted
    }
}

impl Cell {
    /// How many of the first bytes leave this state as it is.
    fn bytes_without_effect(self, bytes: &[u8]) -> usize {
        let next = match self {
            Self::Bare => memchr2(b',', b'\n', bytes),
            Self::Quoted => memchr2(b'"', b'\n', bytes),
            Self::Start | Self::Quote => return 0,
        };
        next.unwrap_or(bytes.len())
    }

    /// The state behind `byte`, which does not end the row.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::Quote,
            (Self::Start | Self::Quote, b'"') | (Self::Quoted, _) => Self::Quoted,
            (_, b',') => Self::Start,
            _ => Self::Bare,
        }
    }
}

/// The cells of a row without its line end.
pub(crate) fn cells(row: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = cell_end(text.as_bytes());
        // The cell ends before a comma or at the end of the row: both are borders of characters.
        let (cell, behind) = text.split_at_checked(end).unwrap_or((text, ""));
        rest = behind.strip_prefix(',');
        Some(content(cell))
    })
}

/// Where the cell ends with which `bytes` start.
fn cell_end(bytes: &[u8]) -> usize {
    let mut cell = Cell::Start;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b',' && cell != Cell::Quoted {
            return at;
        }
        cell = cell.after(*byte);
        at += 1;
        at += match cell {
            Cell::Bare => memchr(b',', bytes.get(at..).unwrap_or_default()).unwrap_or(bytes.len() - at),
            Cell::Quoted => memchr(b'"', bytes.get(at..).unwrap_or_default()).unwrap_or(bytes.len() - at),
            Cell::Start | Cell::Quote => 0,
        };
    }
    bytes.len()
}

/// What a cell says: a bare one is trimmed, a quoted one is taken out of its quotes.
fn content(cell: &str) -> Cow<'_, str> {
    let Some(quoted) = cell.strip_prefix('"') else { return Cow::Borrowed(cell.trim()) };
    match quoted.strip_suffix('"') {
        Some(text) if !text.contains('"') => Cow::Borrowed(text),
        _ => Cow::Owned(unquoted(quoted)),
    }
}

/// The text behind an opening quote, with `""` made `"` and the closing quote left out.
fn unquoted(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '"' {
            text.push(character);
        } else if characters.next_if_eq(&'"').is_some() {
            text.push('"');
        } else {
            text.extend(characters.by_ref());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(row: &str) -> Vec<String> {
        cells(row).map(Cow::into_owned).collect()
    }

    #[test]
    fn cells_are_taken_out_of_their_quotes() {
        assert_eq!(split(""), [""]);
        assert_eq!(split("a,b,,"), ["a", "b", "", ""]);
        assert_eq!(split(r#""a,b","c ""d""","""#), ["a,b", "c \"d\"", ""]);
        assert_eq!(split("\"two\nlines\", bare ,é"), ["two\nlines", "bare", "é"]);
        assert_eq!(split(r#"5" disk,"open"#), ["5\" disk", "open"]);
        assert_eq!(split(r#""a"b,c"#), ["ab", "c"]);
    }

    #[test]
    fn rows_end_at_line_ends_outside_quotes() {
        let text = b"a,\"x\n\"\"y\"\nb\n";
        let end = |length| Some(RowEnd { length, too_long: false });
        let mut scanner = RowScanner::default();
        assert_eq!(scanner.row_end(text, 100), end(10));
        assert_eq!(scanner.row_end(&text[10..], 100), end(2));
        let mut scanner = RowScanner::default();
        for byte in &text[..9] {
            assert_eq!(scanner.row_end(&[*byte], 100), None);
        }
        assert_eq!(scanner.row_end(&text[9..], 100), end(1));
    }

    #[test]
    fn a_row_over_the_limit_ends_at_the_next_line_end() {
        let mut scanner = RowScanner::default();
        assert_eq!(scanner.row_end(b"\"ab\ncdef\nnext", 5), Some(RowEnd { length: 9, too_long: true }));
        assert_eq!(scanner.row_end(b"12345\n", 5), Some(RowEnd { length: 6, too_long: false }));
        assert_eq!(scanner.row_end(b"123456\n", 5), Some(RowEnd { length: 7, too_long: true }));
    }
}
