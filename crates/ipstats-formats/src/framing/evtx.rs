//! EVTX files: a header of 4 KiB, then chunks of 64 KiB; several files one behind the other.

use super::{FRAME_BYTES, RecordFramer};
use crate::error::StreamError;
use crate::formats::evtx::CHUNK_BYTES;
use crate::frame::{Content, Frame};

/// What an EVTX file starts with.
pub(crate) const MAGIC: &[u8] = b"ElfFile\0";

/// Size of the header, in bytes.
const HEADER_BYTES: usize = 4096;

/// Collects chunks. What it keeps is a frame of whole chunks and one in progress.
#[derive(Debug, Default)]
pub(super) struct EvtxFramer {
    /// The header of the file at hand.
    header: Vec<u8>,
    /// Whole chunks, then the one in progress, or the header in progress.
    buffer: Vec<u8>,
    /// Where the last whole chunk ends.
    whole: usize,
    /// The number of the first chunk in `buffer`, from 1, over all files.
    number: u64,
}

impl EvtxFramer {
    pub(super) fn new() -> Self {
        Self { number: 1, ..Self::default() }
    }

    fn take(&mut self, piece: &[u8], frames: &mut Vec<Frame>) {
        self.buffer.extend_from_slice(piece);
        while let Some(rest) = self.buffer.get(self.whole..) {
            if rest.len() < MAGIC.len() {
                break;
            }
            if rest.starts_with(MAGIC) {
                if rest.len() < HEADER_BYTES {
                    break;
                }
                // The chunks before it come first.
                self.cut_chunks(frames);
                self.header = self.buffer.drain(..HEADER_BYTES).collect();
            } else if rest.len() < CHUNK_BYTES {
                break;
            } else {
                self.whole += CHUNK_BYTES;
                if self.whole >= FRAME_BYTES {
                    self.cut_chunks(frames);
                }
            }
        }
    }

    /// Gives the whole chunks.
    fn cut_chunks(&mut self, frames: &mut Vec<Frame>) {
        if self.whole > 0 {
            let rest = self.buffer.split_off(self.whole);
            let bytes = std::mem::replace(&mut self.buffer, rest);
            let chunks = bytes.len().div_ceil(CHUNK_BYTES) as u64;
            frames.push(Frame {
                bytes,
                first_line: self.number,
                issues: Vec::new(),
                content: Content::EvtxChunks,
                record_bytes_max: CHUNK_BYTES,
            });
            self.number += chunks;
            self.whole = 0;
        }
    }
}

impl RecordFramer for EvtxFramer {
    fn feed(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.take(piece, frames);
        Ok(())
    }

    fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.cut_chunks(frames);
        Ok(())
    }

    /// A chunk in progress is cut off.
    fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.cut_chunks(frames);
        self.whole = self.buffer.len();
        self.cut_chunks(frames);
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The header of the current file.
    fn header(&self) -> &[u8] {
        &self.header
    }
}
