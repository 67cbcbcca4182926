//! Cuts a stream into frames.

use crate::error::StreamError;
use crate::format::{Format, FormatChoice};
use crate::frame::Frame;
use crate::settings::Limits;

/// Cuts one stream of bytes into [`Frame`]s of whole records. Sequential and cheap: parsing happens in the frames.
#[derive(Debug)]
pub struct Framer {
    format: Option<Format>,
}

impl Framer {
    /// A framer for one stream that has one of the chosen formats.
    pub fn new(choice: FormatChoice, limits: Limits) -> Self {
        let _ = (choice, limits);
        Self { format: None }
    }

    /// Takes the next bytes of the stream and appends the frames that are now complete to `frames`.
    ///
    /// After an error the framer gives no more frames, and every call returns the same error.
    pub fn feed(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let _ = (bytes, frames);
        Ok(())
    }

    /// The stream is at its end: appends the last frames to `frames`.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let _ = frames;
        Ok(())
    }

    /// The format of the stream, once it is known.
    pub const fn format(&self) -> Option<Format> {
        self.format
    }
}
