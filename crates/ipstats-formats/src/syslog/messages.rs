//! Messages out of a connection: RFC 6587, both ways, also mixed.
//!
//! A message begins with its length (`118 <13>1 …`), or goes to the end of its line or to a NUL. What looks like a
//! length counts as one only where a message could begin behind it: a line may begin with a year.

use memchr::memchr2;
use std::ops::Range;

/// Digits of the longest length that is believed; eight are 95 MiB.
const LENGTH_DIGITS_MAX: usize = 8;

/// Room that is kept between reads although nothing is in it, in bytes.
const SPARE_BYTES_MAX: usize = 128 << 10;

/// Cuts what a connection brings into messages. Keeps the part of a message whose end has not come, and no more.
#[derive(Debug)]
pub struct Messages {
    bytes_max: usize,
    kept: Vec<u8>,
    /// Bytes at the start of `kept` in which no line ends.
    searched: usize,
    skipped: Skipped,
}

/// A message, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// A whole message, without its length or line end.
    Whole(&'a [u8]),
    /// A message that is longer than may be; it was not kept.
    TooLong,
    /// A message whose rest never came.
    CutOff,
}

/// What is left of a message that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    Nothing,
    /// So many bytes.
    Bytes(usize),
    /// The rest of the line.
    Line,
}

/// How far the bytes at hand go.
enum Step {
    /// A message is in `message`; the next one begins at `next`.
    Whole { message: Range<usize>, next: usize },
    /// What ends at `next` is too long, and so is what is skipped behind it.
    TooLong { next: usize, skipped: Skipped },
    /// What is before `next` is of no message.
    Empty { next: usize },
    /// The message goes on; no line ends before `searched`.
    Open { searched: usize },
}

/// What the beginning of a message says of its length.
enum Length {
    /// The message is in `start..start + bytes`.
    Counted { start: usize, bytes: usize },
    /// It goes to the end of the line.
    Line,
    /// What came does not tell.
    Open,
}

impl Messages {
    /// Nothing came yet; messages have at most `bytes_max` bytes.
    pub const fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Vec::new(), searched: 0, skipped: Skipped::Nothing }
    }

    /// Takes the next bytes; gives each message that ends in them.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Cut<'_>)) {
        let bytes = self.skip(bytes);
        let mut buffer = std::mem::take(&mut self.kept);
        buffer.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let rest = buffer.get(at..).unwrap_or_default();
            match self.step(rest) {
                Step::Whole { message, next } => {
                    each(Cut::Whole(rest.get(message).unwrap_or_default()));
                    at += next;
                }
                Step::TooLong { next, skipped } => {
                    each(Cut::TooLong);
                    self.skipped = skipped;
                    at += next;
                }
                Step::Empty { next } => at += next,
                Step::Open { searched } => {
                    self.searched = searched;
                    break;
                }
            }
            self.searched = 0;
        }
        buffer.drain(..at.min(buffer.len()));
        // One long message should not keep its room for as long as the connection stands.
        if buffer.capacity() > SPARE_BYTES_MAX {
            buffer.shrink_to(2 * buffer.len());
        }
        self.kept = buffer;
    }

    /// Whether a message has begun and not ended.
    pub const fn is_open(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Nothing comes any more: gives what there is of a last message. A line may end without a line end.
    pub fn finish(&mut self, mut each: impl FnMut(Cut<'_>)) {
        let rest = std::mem::take(&mut self.kept);
        match length(&rest) {
            _ if rest.is_empty() => {}
            Length::Line => each(Cut::Whole(&rest)),
            Length::Counted { .. } | Length::Open => each(Cut::CutOff),
        }
        *self = Self::new(self.bytes_max);
    }

    /// The bytes behind what is skipped.
    fn skip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match self.skipped {
            Skipped::Nothing => bytes,
            Skipped::Bytes(left) => {
                self.skipped =
                    if left > bytes.len() { Skipped::Bytes(left - bytes.len()) } else { Skipped::Nothing };
                bytes.get(left..).unwrap_or_default()
            }
            Skipped::Line => match memchr2(b'\n', 0, bytes) {
                None => &[],
                Some(end) => {
                    self.skipped = Skipped::Nothing;
                    bytes.get(end..).unwrap_or_default()
                }
            },
        }
    }

    fn step(&self, rest: &[u8]) -> Step {
        let blank = rest.iter().take_while(|byte| is_between(**byte)).count();
        if blank > 0 {
            return Step::Empty { next: blank };
        }
        match length(rest) {
            Length::Open => Step::Open { searched: 0 },
            Length::Counted { start, bytes } if bytes > self.bytes_max => {
                let here = bytes.min(rest.len() - start);
                let left = bytes - here;
                let skipped = if left > 0 { Skipped::Bytes(left) } else { Skipped::Nothing };
                Step::TooLong { next: start + here, skipped }
            }
            Length::Counted { start, bytes } if rest.len() - start < bytes => Step::Open { searched: 0 },
            Length::Counted { start, bytes } => {
                Step::Whole { message: start..start + bytes, next: start + bytes }
            }
            Length::Line => self.line(rest),
        }
    }

    fn line(&self, rest: &[u8]) -> Step {
        let new = rest.get(self.searched..).unwrap_or_default();
        match memchr2(b'\n', 0, new).map(|end| self.searched + end) {
            Some(end) if end > self.bytes_max => Step::TooLong { next: end, skipped: Skipped::Nothing },
            Some(end) => Step::Whole { message: 0..end, next: end },
            None if rest.len() > self.bytes_max => Step::TooLong { next: rest.len(), skipped: Skipped::Line },
            None => Step::Open { searched: rest.len() },
        }
    }
}

/// Whether a byte may stand between messages.
const fn is_between(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b' ' | 0)
}

fn length(rest: &[u8]) -> Length {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > LENGTH_DIGITS_MAX || rest.first() == Some(&b'0') {
        return if rest.is_empty() { Length::Open } else { Length::Line };
    }
    match (rest.get(digits), rest.get(digits + 1)) {
        (None, _) | (Some(b' '), None) => Length::Open,
        // A message begins with its priority; one without a header, with its record.
        (Some(b' '), Some(b'<' | b'{')) => {
            let number = rest.iter().take(digits).fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            Length::Counted { start: digits + 1, bytes: number }
        }
        _ => Length::Line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 40;

    fn shown(cut: Cut<'_>) -> String {
        match cut {
            Cut::Whole(message) => String::from_utf8_lossy(message).into_owned(),
            Cut::TooLong => "!".to_owned(),
            Cut::CutOff => "…".to_owned(),
        }
    }

    /// The messages of `parts`.
    fn cut(parts: &[&[u8]]) -> Vec<String> {
        let (mut messages, mut found) = (Messages::new(MAX), Vec::new());
        for part in parts {
            messages.feed(part, |cut| found.push(shown(cut)));
            assert!(messages.kept.len() <= MAX + LENGTH_DIGITS_MAX + 1, "{messages:?}");
        }
        messages.finish(|cut| found.push(shown(cut)));
        assert!(!messages.is_open());
        found
    }

    #[test]
    fn messages_have_a_length_or_end_with_their_line() {
        for (stream, expected) in [
            ("<1>a\n<1>b\r\n\n<1>c\0<1>d", vec!["<1>a", "<1>b\r", "<1>c", "<1>d"]),
            ("5 <1>ab6 <1>c\nd<1>e\n", vec!["<1>ab", "<1>c\nd", "<1>e"]),
            // A line end that its sender does not count.
            ("5 <1>ab\n5 <1>cd\n", vec!["<1>ab", "<1>cd"]),
            ("2 {}6 {\"a\":1", vec!["{}", "{\"a\":1"]),
            // The end is missing.
            ("5 <1>a", vec!["…"]),
            ("<1>a\n12", vec!["<1>a", "…"]),
            // No lengths.
            (
                "2026 is a year\n2026-11-01 too\n0 <1>x\n123456789 <1>\n",
                vec!["2026 is a year", "2026-11-01 too", "0 <1>x", "123456789 <1>"],
            ),
        ] {
            assert_eq!(cut(&[stream.as_bytes()]), expected, "{stream:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_told_once_and_not_kept() {
        let long = "x".repeat(MAX + 1);
        let lines = format!("<1>a\n{long}\n<1>b\n");
        assert_eq!(cut(&[lines.as_bytes()]), ["<1>a", "!", "<1>b"]);
        let counted = format!("{} <{}3 <1>", long.len() + 1, long);
        assert_eq!(cut(&[counted.as_bytes()]), ["!", "<1>"]);
        let parts: Vec<_> = lines.as_bytes().chunks(1).chain(counted.as_bytes().chunks(1)).collect();
        assert_eq!(cut(&parts), ["<1>a", "!", "<1>b", "!", "<1>"]);
        let endless: Vec<&[u8]> = std::iter::repeat_n(long.as_bytes(), 1000).collect();
        assert_eq!(cut(&endless), ["!"]);
        assert_eq!(cut(&[b"99999999 <1>", long.as_bytes()]), ["!"]);
    }

    proptest! {
        #[test]
        fn how_it_arrives_does_not_matter(
            stream in "([0-9]{1,2} <[a-c\n ]{0,5}|<1>[a-c{ ]{0,50}[\n\0]|[0-9 <\n{]{1,3}){0,12}",
            sizes in prop::collection::vec(1_usize..9, 1..200),
        ) {
            let whole = cut(&[stream.as_bytes()]);
            let (mut rest, mut parts) = (stream.as_bytes(), Vec::new());
            for size in sizes.iter().cycle() {
                if rest.is_empty() { break }
                let (part, others) = rest.split_at((*size).min(rest.len()));
                parts.push(part);
                rest = others;
            }
            prop_assert_eq!(cut(&parts), whole);
        }
    }
}
