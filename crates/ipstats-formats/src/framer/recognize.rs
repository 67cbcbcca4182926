//! Which format a stream has, from its first lines.

use super::csv::places;
use super::evtx;
use super::json_keys::JsonKeys;
use crate::error::StreamError;
use crate::format::{Format, FormatChoice};
use crate::formats::{CsvFormat, Grammar, JsonFormat, grammar, vpc_flow};
use memchr::memchr;

/// How much of a stream is looked at, in bytes, behind blank lines.
pub(super) const WINDOW_BYTES: usize = 1 << 16;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How a stream is to be cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    ZeekTsv,
    VpcFlow,
    Evtx,
    Csv(&'static CsvFormat),
    JsonLines(&'static JsonFormat),
    JsonDocuments(&'static JsonFormat),
}

/// Collects the start of a stream until its format is known.
///
/// It decides on the first line, and if that does not tell (pretty-printed JSON), on the first [`WINDOW_BYTES`] or the
/// whole stream, if it is shorter. So the decision does not depend on the pieces the stream comes in.
#[derive(Debug)]
pub(super) struct Recognizer {
    choice: FormatChoice,
    window: Vec<u8>,
    /// The line the window starts on.
    line: u64,
    started: bool,
    /// What the first line said about the layout of JSON, when it did not tell the format.
    first_line: Option<JsonStyle>,
}

/// How the objects of a JSON stream are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonStyle {
    /// One object a line.
    Lines,
    /// Arrays, objects over several lines, several objects a line.
    Documents,
}

impl Layout {
    pub(super) const fn format(self) -> Format {
        match self {
            Self::ZeekTsv => Format::ZeekTsv,
            Self::VpcFlow => Format::VpcFlow,
            Self::Evtx => Format::SysmonEvtx,
            Self::Csv(csv) => csv.format,
            Self::JsonLines(json) | Self::JsonDocuments(json) => json.format,
        }
    }
}

impl Recognizer {
    pub(super) const fn new(choice: FormatChoice) -> Self {
        Self { choice, window: Vec::new(), line: 1, started: false, first_line: None }
    }

    /// Takes the next bytes; the layout, once it is known.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<Option<Layout>, StreamError> {
        self.window.extend_from_slice(piece);
        self.decide(false)
    }

    /// The stream is at its end. A stream of blank lines has no layout and is no error.
    pub(super) fn finish(&mut self) -> Result<Option<Layout>, StreamError> {
        self.decide(true)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.window.len()
    }

    /// The bytes that were kept, and the line they start on.
    pub(super) fn take_window(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.window), self.line)
    }

    fn decide(&mut self, at_end: bool) -> Result<Option<Layout>, StreamError> {
        if !self.started && !at_end && self.window.len() < BYTE_ORDER_MARK.len() {
            return Ok(None);
        }
        if !self.started {
            self.started = true;
            if self.window.starts_with(BYTE_ORDER_MARK) {
                self.window.drain(..BYTE_ORDER_MARK.len());
            }
        }
        self.drop_blank_lines();
        if self.window.starts_with(evtx::MAGIC) {
            return self.admit(Layout::Evtx, b"ElfFile").map(Some);
        }
        let is_full = at_end || self.window.len() >= WINDOW_BYTES;
        let view = self.window.get(..WINDOW_BYTES).unwrap_or(&self.window);
        if view.trim_ascii().is_empty() && !(is_full && view.len() == WINDOW_BYTES) {
            return Ok(None);
        }
        if self.first_line.is_none() {
            let line = match memchr(b'\n', view) {
                Some(end) => view.get(..end).unwrap_or_default(),
                None if is_full => view,
                None => return Ok(None),
            };
            check_text(line)?;
            if let Some(layout) = self.by_first_line(line)? {
                return Ok(Some(layout));
            }
            self.first_line = Some(JsonStyle::of_first_line(line));
        }
        if is_full { self.by_window(view).map(Some) } else { Ok(None) }
    }

    /// Drops whole blank lines, so that any number of them before the first record is no obstacle.
    fn drop_blank_lines(&mut self) {
        let blank =
            self.window.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(self.window.len());
        let blank_lines = self.window.get(..blank).unwrap_or_default();
        if let Some(last) = memchr::memrchr(b'\n', blank_lines) {
            self.line += super::blocks::line_ends(blank_lines);
            self.window.drain(..=last);
        }
    }

    /// What the first line tells; nothing if it starts JSON of a format that it does not tell.
    fn by_first_line(&self, line: &[u8]) -> Result<Option<Layout>, StreamError> {
        let trimmed = line.trim_ascii();
        if let FormatChoice::Exactly(format) = self.choice {
            return Ok(Some(match grammar(format) {
                Grammar::ZeekTsv => Layout::ZeekTsv,
                Grammar::VpcFlow => Layout::VpcFlow,
                Grammar::Evtx => return Err(self.not_recognized(None, trimmed)),
                Grammar::Csv(csv) => Layout::Csv(csv),
                Grammar::Json(json) => {
                    json_layout(json, &JsonKeys::new(line), JsonStyle::of_first_line(line))
                }
            }));
        }
        match trimmed.first() {
            Some(b'{' | b'[') => {
                let keys = JsonKeys::new(line);
                let Some(json) = self.json_format(&keys) else { return Ok(None) };
                self.admit(json_layout(json, &keys, JsonStyle::of_first_line(line)), trimmed).map(Some)
            }
            Some(b'#') if is_zeek_header(trimmed) => self.admit(Layout::ZeekTsv, trimmed).map(Some),
            _ if vpc_flow::is_header(trimmed) || vpc_flow::is_default_row(trimmed) => {
                self.admit(Layout::VpcFlow, trimmed).map(Some)
            }
            _ => match csv_formats().find(|csv| places(csv, line).is_ok()) {
                Some(csv) => self.admit(Layout::Csv(csv), trimmed).map(Some),
                None => Err(self.nearly_csv(line).unwrap_or_else(|| self.not_recognized(None, trimmed))),
            },
        }
    }

    /// What the first bytes tell, where the first line did not: it is JSON.
    fn by_window(&self, view: &[u8]) -> Result<Layout, StreamError> {
        let keys = JsonKeys::new(view);
        let style = self.first_line.unwrap_or(JsonStyle::Documents);
        match self.json_format(&keys) {
            Some(json) => self.admit(json_layout(json, &keys, style), view.trim_ascii()),
            None => Err(self.not_recognized(None, view.trim_ascii())),
        }
    }

    /// The first format that has these keys, of those that are admitted if there is one.
    fn json_format(&self, keys: &JsonKeys<'_>) -> Option<&'static JsonFormat> {
        let mut fitting = json_formats().filter(|json| (json.recognizes)(keys)).peekable();
        let first = fitting.peek().copied();
        fitting.find(|json| self.choice.admits(json.format)).or(first)
    }

    fn admit(&self, layout: Layout, start: &[u8]) -> Result<Layout, StreamError> {
        let format = layout.format();
        if self.choice.admits(format) { Ok(layout) } else { Err(self.not_recognized(Some(format), start)) }
    }

    fn not_recognized(&self, looks_like: Option<Format>, start: &[u8]) -> StreamError {
        const SHOWN_CHARACTERS: usize = 60;
        if std::str::from_utf8(start).is_err_and(|error| error.error_len().is_some()) {
            return StreamError::Binary { looks_like: "no text in UTF-8", way_out: OTHER };
        }
        let start = String::from_utf8_lossy(start).chars().take(SHOWN_CHARACTERS).collect();
        StreamError::NotRecognized { choice: self.choice, looks_like, start }
    }

    /// The first line has some columns of a CSV format: that it lacks the others says more than that nothing fits.
    fn nearly_csv(&self, line: &[u8]) -> Option<StreamError> {
        let formats = csv_formats().filter(|csv| self.choice.admits(csv.format));
        let missing = formats.filter_map(|csv| Some((csv, places(csv, line).err()?)));
        let (csv, missing) = missing.min_by_key(|(_, missing)| missing.len())?;
        let found = csv.columns.len() - missing.len();
        let format = csv.format;
        (found >= 2).then_some(StreamError::MissingColumns { line: self.line, format, missing })
    }
}

impl JsonStyle {
    fn of_first_line(line: &[u8]) -> Self {
        let line = line.trim_ascii();
        if line.starts_with(b"[") {
            return Self::Documents;
        }
        match JsonKeys::new(line).first_end() {
            Some(end) if end == line.len() => Self::Lines,
            Some(_) => Self::Documents,
            // An object that goes on below breaks its lines behind one of these; one that was cut off seldom does.
            None if line.ends_with(b"{") || line.ends_with(b"[") || line.ends_with(b",") => Self::Documents,
            None => Self::Lines,
        }
    }
}

fn json_layout(json: &'static JsonFormat, keys: &JsonKeys<'_>, style: JsonStyle) -> Layout {
    let has_list = json.lists.iter().any(|list| keys.has_list(list));
    if has_list || style == JsonStyle::Documents {
        Layout::JsonDocuments(json)
    } else {
        Layout::JsonLines(json)
    }
}

fn json_formats() -> impl Iterator<Item = &'static JsonFormat> {
    Format::ALL.into_iter().filter_map(|format| match grammar(format) {
        Grammar::Json(json) => Some(json),
        _ => None,
    })
}

fn csv_formats() -> impl Iterator<Item = &'static CsvFormat> {
    Format::ALL.into_iter().filter_map(|format| match grammar(format) {
        Grammar::Csv(csv) => Some(csv),
        _ => None,
    })
}

fn is_zeek_header(line: &[u8]) -> bool {
    let words: [&[u8]; 7] =
        [b"#separator", b"#set_separator", b"#empty_field", b"#unset_field", b"#path", b"#open", b"#fields"];
    words.into_iter().any(|word| line.starts_with(word))
}

/// Refuses what is no text, by the first bytes that known kinds of files start with, and by null bytes.
/// What to do about data of no known kind.
const OTHER: &str = "export the log as text";

fn check_text(start: &[u8]) -> Result<(), StreamError> {
    const COMPRESSED: &str = "decompress it first";
    const UTF_16: &str = "save it as UTF-8";
    let kinds: [(&[u8], &str, &str); 8] = [
        (b"\x1F\x8B", "gzip", COMPRESSED),
        (b"\x28\xB5\x2F\xFD", "zstd", COMPRESSED),
        (b"BZh", "bzip2", COMPRESSED),
        (b"\xFD7zXZ", "xz", COMPRESSED),
        (b"PK\x03\x04", "zip", COMPRESSED),
        (b"\xFF\xFE", "UTF-16", UTF_16),
        (b"\xFE\xFF", "UTF-16", UTF_16),
        (b"", "null bytes", OTHER),
    ];
    let found = kinds.into_iter().find(|(magic, _, _)| match magic {
        [] => memchr(0, start).is_some(),
        magic => start.starts_with(magic),
    });
    found.map_or(Ok(()), |(_, looks_like, way_out)| Err(StreamError::Binary { looks_like, way_out }))
}
