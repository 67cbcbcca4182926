//! Cuts a stream into frames: recognizes its format, then finds where its records start and end.
//!
//! Nothing here looks at what a record says. What is kept between two calls is bounded: the first
//! [`WINDOW_BYTES`](recognize::WINDOW_BYTES) until the format is known, then a block of whole records and at most one
//! record in progress.

mod blocks;
mod csv;
mod documents;
mod evtx;
mod json_keys;
mod nesting;
mod recognize;
mod vpc_flow;
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
use evtx::EvtxFramer;
use recognize::{Layout, Recognizer};
use vpc_flow::VpcFlowFramer;
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
    VpcFlow(VpcFlowFramer),
    Evtx(EvtxFramer),
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

    /// Appends the whole records at hand to `frames`, for a stream that makes a pause: what is written meanwhile may take
    /// long to fill a frame.
    pub fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let result = match &mut self.state {
            State::Recognizing(_) => Ok(()),
            State::Zeek(zeek) => zeek.cut(frames),
            State::VpcFlow(rows) => rows.cut(frames),
            State::Evtx(chunks) => {
                chunks.cut(frames);
                Ok(())
            }
            State::Csv(csv) => csv.cut(frames),
            State::JsonLines(format, lines) => lines.cut(|block| {
                frames.push(block.into_frame(Records::JsonLines(format), self.limits));
                Ok(())
            }),
            State::JsonDocuments(documents) => {
                documents.cut(frames);
                Ok(())
            }
            State::Failed(error) => Err(error.clone()),
        };
        self.fuse(result)
    }

    /// How many of the bytes that were fed last are in no frame yet.
    ///
    /// Whoever begins the stream again that many bytes earlier, with a framer that is fed [`header`](Self::header) first,
    /// misses nothing.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Recognizing(recognizer) => recognizer.held_bytes(),
            State::Zeek(zeek) => zeek.held_bytes(),
            State::VpcFlow(rows) => rows.held_bytes(),
            State::Evtx(chunks) => chunks.held_bytes(),
            State::Csv(csv) => csv.held_bytes(),
            State::JsonLines(_, lines) => lines.held_bytes(),
            State::JsonDocuments(documents) => documents.held_bytes(),
            State::Failed(_) => 0,
        }
    }

    /// What says how the rest of the stream is to be read: the header of a table, nothing for other formats.
    pub fn header(&self) -> &[u8] {
        match &self.state {
            State::Zeek(zeek) => zeek.header(),
            State::VpcFlow(rows) => rows.header(),
            State::Evtx(chunks) => chunks.header(),
            State::Csv(csv) => csv.header(),
            State::Recognizing(_) | State::JsonLines(..) | State::JsonDocuments(_) | State::Failed(_) => &[],
        }
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
            State::VpcFlow(rows) => rows.feed(piece, frames),
            State::Evtx(chunks) => {
                chunks.feed(piece, frames);
                Ok(())
            }
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
            State::VpcFlow(rows) => rows.finish(frames),
            State::Evtx(chunks) => {
                chunks.finish(frames);
                Ok(())
            }
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
            Layout::VpcFlow => State::VpcFlow(VpcFlowFramer::new(first_line, self.limits)),
            Layout::Evtx => State::Evtx(EvtxFramer::new()),
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
