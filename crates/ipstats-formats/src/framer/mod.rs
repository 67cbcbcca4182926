//! Cuts a stream into frames: recognizes its format, then finds where its records start and end.
//!
//! Nothing here looks at what a record says. What is kept between two calls is bounded: the first
//! [`WINDOW_BYTES`](recognize::WINDOW_BYTES) until the format is known, then a block of whole records and at most one
//! record in progress.

mod blocks;
mod csv;
mod documents;
mod json_keys;
mod nesting;
mod recognize;
mod zeek;

pub(crate) use json_keys::JsonKeys;

use crate::error::StreamError;
use crate::format::{Format, FormatChoice};
use crate::formats::JsonFormat;
use crate::frame::{Frame, Records};
use crate::settings::Limits;
use blocks::{Blocks, Lines};
use csv::CsvFramer;
use documents::Documents;
use recognize::{Layout, Recognizer};
use zeek::ZeekFramer;

/// Size of a frame, in bytes, once a stream is longer than that: enough that handing it to a thread costs nothing
/// beside parsing it, and little enough that a frame and its batch stay in a core's cache.
const FRAME_BYTES: usize = 1 << 20;

/// Bytes that are looked at in one go, so that a huge chunk does not become a huge frame.
const PIECE_BYTES: usize = 1 << 18;

/// Cuts one stream of bytes into [`Frame`]s of whole records. Sequential and cheap: parsing happens in the frames.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    state: State,
    format: Option<Format>,
}

#[derive(Debug)]
enum State {
    /// The format is not known yet.
    Recognizing(Recognizer),
    Zeek(ZeekFramer),
    Csv(CsvFramer),
    JsonLines(&'static JsonFormat, Blocks<Lines>),
    JsonDocuments(Documents),
    Failed(StreamError),
}

impl Framer {
    /// A framer for one stream that has one of the chosen formats.
    pub fn new(choice: FormatChoice, limits: Limits) -> Self {
        Self { limits, state: State::Recognizing(Recognizer::new(choice)), format: None }
    }

    /// Takes the next bytes of the stream and appends the frames that are now complete to `frames`.
    ///
    /// After an error the framer gives no more frames, and every call returns the same error.
    pub fn feed(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        for piece in bytes.chunks(PIECE_BYTES) {
            let result = self.piece(piece, frames);
            self.fuse(result)?;
        }
        Ok(())
    }

    /// The stream is at its end: appends the last frames to `frames`.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let result = self.rest(frames);
        self.fuse(result)
    }

    /// The format of the stream, once it is known.
    pub const fn format(&self) -> Option<Format> {
        self.format
    }

    fn piece(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        match &mut self.state {
            State::Recognizing(recognizer) => match recognizer.feed(piece)? {
                Some(layout) => self.recognized(layout, frames),
                None => Ok(()),
            },
            State::Zeek(zeek) => zeek.feed(piece, frames),
            State::Csv(csv) => csv.feed(piece, frames),
            State::JsonLines(format, lines) => lines.feed(piece, |block| {
                frames.push(block.into_frame(Records::JsonLines(format), self.limits));
                Ok(())
            }),
            State::JsonDocuments(documents) => {
                documents.feed(piece, frames);
                Ok(())
            }
            State::Failed(error) => Err(error.clone()),
        }
    }

    fn rest(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        if let State::Recognizing(recognizer) = &mut self.state {
            match recognizer.finish()? {
                Some(layout) => self.recognized(layout, frames)?,
                None => return Ok(()),
            }
        }
        match &mut self.state {
            State::Recognizing(_) => Ok(()),
            State::Zeek(zeek) => zeek.finish(frames),
            State::Csv(csv) => csv.finish(frames),
            State::JsonLines(format, lines) => lines.finish(|block| {
                frames.push(block.into_frame(Records::JsonLines(format), self.limits));
                Ok(())
            }),
            State::JsonDocuments(documents) => {
                documents.finish(frames);
                Ok(())
            }
            State::Failed(error) => Err(error.clone()),
        }
    }

    /// Goes on with a stream whose layout is known, with the bytes that were looked at to know it.
    fn recognized(&mut self, layout: Layout, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let State::Recognizing(recognizer) = &mut self.state else { return Ok(()) };
        let (window, first_line) = recognizer.take_window();
        self.state = match layout {
            Layout::ZeekTsv => State::Zeek(ZeekFramer::new(first_line, self.limits)),
            Layout::Csv(formats) => State::Csv(CsvFramer::new(formats, first_line, self.limits)),
            Layout::JsonLines(format) => {
                State::JsonLines(format, Blocks::new(Lines, first_line, self.limits))
            }
            Layout::JsonDocuments(format) => {
                State::JsonDocuments(Documents::new(format, first_line, self.limits))
            }
        };
        self.format = Some(layout.format());
        self.piece(&window, frames)
    }

    fn fuse(&mut self, result: Result<(), StreamError>) -> Result<(), StreamError> {
        if let Err(error) = &result {
            self.state = State::Failed(error.clone());
        }
        result
    }
}
