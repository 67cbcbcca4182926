//! Which layout a stream has, and which format its first record, from its first lines.

use crate::binary::{self, PCAPNG_MAGIC, check_text};
use crate::envelope;
use crate::error::StreamError;
use crate::format::{Format, FormatChoice};
use crate::formats::{grammar, json_formats, mapped, vpc_flow};
use crate::framing::{EVTX_MAGIC, places};
use crate::grammar::{CsvFormat, Grammar, JsonFormat};
use crate::json_keys::JsonKeys;
use memchr::memchr;

/// How much of a stream is looked at, in bytes, behind blank lines.
pub(crate) const WINDOW_BYTES: usize = 1 << 16;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How a stream is to be cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    ZeekTsv,
    VpcFlow,
    Evtx,
    Csv(&'static CsvFormat),
    /// One object a line; the format of the first, where it has one.
    JsonLines(Option<Format>),
    /// Objects in documents, in arrays of these keys.
    JsonDocuments(Option<Format>, &'static [&'static str]),
}

/// Collects the start of a stream until its format is known.
///
/// It decides on the first line, and if that does not tell (pretty-printed JSON), on the first [`WINDOW_BYTES`] or the
/// whole stream, if it is shorter. So the decision does not depend on the pieces the stream comes in.
#[derive(Debug)]
pub(crate) struct Detector {
    choice: FormatChoice,
    /// Whether Zeek rows may arrive without a header.
    knows_columns: bool,
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
    /// The format of the stream; of a stream of JSON, that of its first record, which may be none.
    pub(crate) const fn format(self) -> Option<Format> {
        match self {
            Self::ZeekTsv => Some(Format::ZeekTsv),
            Self::VpcFlow => Some(Format::VpcFlow),
            Self::Evtx => Some(Format::SysmonEvtx),
            Self::Csv(csv) => Some(csv.format),
            Self::JsonLines(first) | Self::JsonDocuments(first, _) => first,
        }
    }
}

impl Detector {
    pub(crate) const fn new(choice: FormatChoice, knows_columns: bool) -> Self {
        Self { choice, knows_columns, window: Vec::new(), line: 1, started: false, first_line: None }
    }

    /// Takes the next bytes; the layout, once it is known.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<Option<Layout>, StreamError> {
        self.window.extend_from_slice(piece);
        self.decide(false)
    }

    /// The stream is at its end. A stream of blank lines has no layout and is no error.
    pub(crate) fn finish(&mut self) -> Result<Option<Layout>, StreamError> {
        self.decide(true)
    }

    /// Whether the stream is binary, with `piece` as its next bytes.
    pub(crate) fn detects_binary(&self, piece: &[u8]) -> bool {
        let start = self.window.iter().chain(piece).take(EVTX_MAGIC.len());
        start.eq(EVTX_MAGIC)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.window.len()
    }

    /// The bytes that were kept, and the line they start on.
    pub(crate) fn take_window(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.window), self.line)
    }

    fn decide(&mut self, at_end: bool) -> Result<Option<Layout>, StreamError> {
        let may_become = |mark: &[u8]| self.window.len() < mark.len() && mark.starts_with(&self.window);
        let may_become_mark = [BYTE_ORDER_MARK, PCAPNG_MAGIC].into_iter().any(may_become);
        if !self.started && !at_end && may_become_mark {
            return Ok(None);
        }
        if !self.started {
            self.started = true;
            if self.window.starts_with(BYTE_ORDER_MARK) {
                self.window.drain(..BYTE_ORDER_MARK.len());
            }
            if self.window.starts_with(PCAPNG_MAGIC) {
                check_text(&self.window)?;
            }
        }
        self.drop_blank_lines();
        if self.window.starts_with(EVTX_MAGIC) {
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
            self.line += memchr::memchr_iter(b'\n', blank_lines).count() as u64;
            self.window.drain(..=last);
        }
    }

    /// What the first line shows; nothing if it starts JSON whose layout or format it does not show.
    fn by_first_line(&self, line: &[u8]) -> Result<Option<Layout>, StreamError> {
        let trimmed = line.trim_ascii();
        let is_json = matches!(trimmed.first(), Some(b'{' | b'['));
        match self.choice {
            FormatChoice::Exactly(Format::Mapped) if !is_json => return Ok(Some(Layout::Csv(&mapped::CSV))),
            FormatChoice::Exactly(format) => {
                return Ok(Some(match grammar(format) {
                    Grammar::ZeekTsv => Layout::ZeekTsv,
                    Grammar::VpcFlow => Layout::VpcFlow,
                    Grammar::Evtx => return Err(self.not_recognized(None, trimmed)),
                    Grammar::Csv(csv) => Layout::Csv(csv),
                    Grammar::Json(_) => {
                        self.json_layout(&JsonKeys::new(line), JsonStyle::of_first_line(line))
                    }
                }));
            }
            FormatChoice::Json if !is_json => {
                return Ok(Some(self.json_layout(&JsonKeys::new(line), JsonStyle::of_first_line(line))));
            }
            _ => {}
        }
        match trimmed.first() {
            Some(b'{' | b'[') => {
                let keys = JsonKeys::new(line);
                let style = JsonStyle::of_first_line(line);
                // What follows the first line of a document may show more.
                if self.json_format(&keys).is_none() && style == JsonStyle::Documents {
                    return Ok(None);
                }
                self.admit(self.json_layout(&keys, style), trimmed).map(Some)
            }
            Some(b'#') if is_zeek_header(trimmed) => self.admit(Layout::ZeekTsv, trimmed).map(Some),
            _ if vpc_flow::is_header(trimmed) || vpc_flow::is_default_row(trimmed) => {
                self.admit(Layout::VpcFlow, trimmed).map(Some)
            }
            _ => match csv_formats().find(|csv| places(csv, line).is_ok()) {
                Some(csv) => self.admit(Layout::Csv(csv), trimmed).map(Some),
                None if self.knows_columns && trimmed.contains(&b'\t') => {
                    self.admit(Layout::ZeekTsv, trimmed).map(Some)
                }
                None => Err(self.nearly_csv(line).unwrap_or_else(|| self.not_recognized(None, trimmed))),
            },
        }
    }

    /// What the first bytes show, where the first line did not: it is JSON.
    fn by_window(&self, view: &[u8]) -> Result<Layout, StreamError> {
        let style = self.first_line.unwrap_or(JsonStyle::Documents);
        self.admit(self.json_layout(&JsonKeys::new(view), style), view.trim_ascii())
    }

    /// The first format that has these keys, of those that are admitted if there is one.
    fn json_format(&self, keys: &JsonKeys<'_>) -> Option<&'static JsonFormat> {
        let has_list = |json: &JsonFormat| json.lists.iter().any(|list| keys.has_list(list));
        let mut fitting = json_formats().filter(|json| (json.recognizes)(keys) || has_list(json)).peekable();
        let first = fitting.peek().copied();
        fitting.find(|json| self.choice.admits(json.format)).or(first)
    }

    fn json_layout(&self, keys: &JsonKeys<'_>, style: JsonStyle) -> Layout {
        let json = match (self.choice, self.json_format(keys)) {
            (FormatChoice::Exactly(format), _) => json_formats().find(|json| json.format == format),
            (_, json) => json,
        };
        let lists = match json {
            Some(json) if !json.wraps => json.lists,
            _ => &envelope::LIST_KEYS,
        };
        let first = json.map(|json| json.format);
        if style == JsonStyle::Documents || lists.iter().any(|list| keys.has_list(list)) {
            Layout::JsonDocuments(first, lists)
        } else {
            Layout::JsonLines(first)
        }
    }

    fn admit(&self, layout: Layout, start: &[u8]) -> Result<Layout, StreamError> {
        match layout.format() {
            Some(format) if !self.choice.admits(format) => Err(self.not_recognized(Some(format), start)),
            None if !self.choice.admits_json() => Err(self.not_recognized(None, start)),
            _ => Ok(layout),
        }
    }

    fn not_recognized(&self, looks_like: Option<Format>, start: &[u8]) -> StreamError {
        const SHOWN_CHARACTERS: usize = 60;
        if std::str::from_utf8(start).is_err_and(|error| error.error_len().is_some()) {
            return binary::not_utf8();
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
        (found >= 2).then(|| StreamError::missing_columns(self.line, format, missing))
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
