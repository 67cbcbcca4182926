//! Cuts a stream of bytes into frames: detects its layout, then finds where its records start and end.

use crate::detect::{Detector, Layout};
use crate::error::StreamError;
use crate::format::{Format, FormatChoice};
use crate::formats::mapped::FieldMap;
use crate::frame::Frame;
use crate::framing::{self, PIECE_BYTES, RecordFramer};
use crate::record::Records;
use crate::settings::{Limits, Settings};
use std::borrow::Cow;
use std::sync::Arc;

/// Cuts one stream of bytes into [`Frame`]s of whole records. Sequential and cheap: parsing happens in the frames.
#[derive(Debug)]
pub struct Framer {
    choice: FormatChoice,
    limits: Limits,
    /// Columns of Zeek rows that arrive without a header.
    columns: Vec<String>,
    /// Which fields records of no known format have.
    map: Option<Arc<FieldMap>>,
    state: State,
    layout: Option<Layout>,
    /// Whether the next byte starts a line.
    at_line_start: bool,
    /// The first two bytes of the stream that are not white space.
    start: Vec<u8>,
    /// Whether these are of JSON or of a Zeek log.
    starts_log: bool,
    /// NUL bytes that were left out before the layout was known.
    padding_bytes: usize,
}

#[derive(Debug)]
enum State {
    /// The layout is not known yet.
    Detecting(Detector),
    Framing(Box<dyn RecordFramer>),
    Failed(StreamError),
}

impl Framer {
    /// A framer for one stream that has one of the chosen formats.
    pub fn new(choice: FormatChoice, limits: Limits) -> Self {
        Self::with(choice, limits, Vec::new(), None)
    }

    /// A framer for one stream of a source with these settings.
    pub fn of_source(choice: FormatChoice, settings: &Settings) -> Self {
        let (columns, map) = (settings.columns.clone(), settings.map.clone());
        Self::with(settings.choice(choice), settings.limits, columns, map)
    }

    fn with(choice: FormatChoice, limits: Limits, columns: Vec<String>, map: Option<Arc<FieldMap>>) -> Self {
        let detector = Detector::new(choice, !columns.is_empty());
        Self {
            choice,
            limits,
            columns,
            map,
            state: State::Detecting(detector),
            layout: None,
            at_line_start: true,
            start: Vec::new(),
            starts_log: false,
            padding_bytes: 0,
        }
    }

    /// Takes the next bytes of the stream and appends the frames that are now complete to `frames`.
    ///
    /// After an error the framer gives no more frames, and every call returns the same error.
    pub fn feed(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        for piece in bytes.chunks(PIECE_BYTES) {
            let text = self.without_padding(piece);
            let result = self.piece(&text, frames);
            self.fuse(result)?;
        }
        Ok(())
    }

    /// Appends the whole records that are buffered to `frames`, for a stream that pauses: what is written meanwhile may
    /// take long to fill a frame.
    pub fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let result = match &mut self.state {
            State::Detecting(_) => Ok(()),
            State::Framing(records) => records.cut(frames),
            State::Failed(error) => Err(error.clone()),
        };
        self.fuse(result)
    }

    /// How many of the bytes that were fed last are in no frame yet.
    ///
    /// A reader that starts the stream again that many bytes earlier, with a framer of [`rest_choice`](Self::rest_choice)
    /// that is fed [`header`](Self::header) first, misses nothing.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Detecting(detector) => detector.held_bytes() + self.padding_bytes,
            State::Framing(records) => records.held_bytes(),
            State::Failed(_) => 0,
        }
    }

    /// The header of the table, which the rest of the stream needs; empty for formats without one.
    pub fn header(&self) -> &[u8] {
        match &self.state {
            State::Framing(records) => records.header(),
            State::Detecting(_) | State::Failed(_) => &[],
        }
    }

    /// Which formats the rest of the stream may have: JSON records need not have the format of the first.
    pub fn rest_choice(&self) -> FormatChoice {
        match (self.layout, self.choice) {
            (
                Some(Layout::JsonLines(_) | Layout::JsonDocuments(..)),
                FormatChoice::Auto | FormatChoice::Json,
            ) => FormatChoice::Json,
            (None | Some(Layout::JsonLines(_)), choice) => choice,
            (Some(layout), _) => layout.format().map_or(self.choice, FormatChoice::Exactly),
        }
    }

    /// The stream is at its end: appends the last frames to `frames`.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let result = self.rest(frames);
        self.fuse(result)
    }

    /// The format of the stream, once it is known: of a stream of JSON, that of its first record.
    pub fn format(&self) -> Option<Format> {
        self.layout.and_then(Layout::format)
    }

    fn piece(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        match &mut self.state {
            State::Detecting(detector) => {
                if let Some(layout) = detector.feed(piece)? {
                    return self.start(layout, frames);
                }
                if detector.held_bytes() == 0 {
                    self.padding_bytes = 0;
                }
                Ok(())
            }
            State::Framing(records) => records.feed(piece, frames),
            State::Failed(error) => Err(error.clone()),
        }
    }

    fn rest(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        if let State::Detecting(detector) = &mut self.state {
            match detector.finish()? {
                Some(layout) => self.start(layout, frames)?,
                None => return Ok(()),
            }
        }
        match &mut self.state {
            State::Detecting(_) => Ok(()),
            State::Framing(records) => records.finish(frames),
            State::Failed(error) => Err(error.clone()),
        }
    }

    /// Continues with a stream whose layout is known, with the bytes that were kept to detect it.
    fn start(&mut self, layout: Layout, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let State::Detecting(detector) = &mut self.state else { return Ok(()) };
        let (window, first_line) = detector.take_window();
        let limits = self.limits;
        let records = || Records::new(self.choice);
        self.state = State::Framing(match layout {
            Layout::ZeekTsv => framing::zeek_rows(first_line, limits, &self.columns),
            Layout::VpcFlow => framing::vpc_flow_rows(first_line, limits),
            Layout::Evtx => framing::evtx_chunks(),
            Layout::Csv(format) => framing::csv_rows(format, self.map.clone(), first_line, limits),
            Layout::JsonLines(_) => framing::json_lines(records(), first_line, limits),
            Layout::JsonDocuments(_, lists) => framing::json_documents(records(), lists, first_line, limits),
        });
        self.layout = Some(layout);
        window.chunks(PIECE_BYTES).try_for_each(|piece| self.piece(piece, frames))
    }

    /// The piece without runs of NUL bytes: a log that was truncated under its writer, or that a crash left incomplete, has
    /// them in place of what was lost. Inside a line they end it: what follows is another record.
    fn without_padding<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        let is_binary = match &self.state {
            State::Detecting(detector) => detector.detects_binary(piece),
            _ => matches!(self.layout, Some(Layout::Evtx)),
        };
        if is_binary {
            return Cow::Borrowed(piece);
        }
        if memchr::memchr(0, piece).is_none() {
            self.note_text(piece);
            return Cow::Borrowed(piece);
        }
        let mut text = Vec::with_capacity(piece.len());
        for part in piece.chunk_by(|one, next| (*one == 0) == (*next == 0)) {
            if part.first() != Some(&0) {
                text.extend_from_slice(part);
                self.note_text(part);
            } else if self.at_line_start {
                // Padding in place of whole lines.
            } else if self.starts_log {
                text.push(b'\n');
                self.at_line_start = true;
            } else {
                text.extend_from_slice(part);
            }
        }
        if matches!(self.state, State::Detecting(_)) {
            self.padding_bytes += piece.len() - text.len();
        }
        Cow::Owned(text)
    }

    /// Notes what text shows of the stream: whether a line ended, and whether it starts as JSON or a Zeek log do. (UTF-16 does
    /// not: its second byte is NUL.)
    fn note_text(&mut self, text: &[u8]) {
        self.at_line_start = text.last().map_or(self.at_line_start, |last| *last == b'\n');
        let bytes = text.iter().filter(|byte| !byte.is_ascii_whitespace());
        for byte in bytes.take(2_usize.saturating_sub(self.start.len())) {
            self.start.push(*byte);
        }
        self.starts_log = self.start.len() == 2 && matches!(self.start.first(), Some(b'{' | b'[' | b'#'));
    }

    fn fuse(&mut self, result: Result<(), StreamError>) -> Result<(), StreamError> {
        if let Err(error) = &result {
            self.state = State::Failed(error.clone());
        }
        result
    }
}
