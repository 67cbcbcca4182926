//! EVTX files: a header of 4 KiB, then chunks of 64 KiB; several files one behind the other.

use super::FRAME_BYTES;
use crate::formats::evtx::CHUNK_BYTES;
use crate::frame::{Frame, Records};

/// What an EVTX file starts with.
pub(super) const MAGIC: &[u8] = b"ElfFile\0";

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

    pub(super) fn feed(&mut self, piece: &[u8], frames: &mut Vec<Frame>) {
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
                self.cut(frames);
                self.header = self.buffer.drain(..HEADER_BYTES).collect();
            } else if rest.len() < CHUNK_BYTES {
                break;
            } else {
                self.whole += CHUNK_BYTES;
                if self.whole >= FRAME_BYTES {
                    self.cut(frames);
                }
            }
        }
    }

    /// Gives the whole chunks at hand.
    pub(super) fn cut(&mut self, frames: &mut Vec<Frame>) {
        if self.whole > 0 {
            let rest = self.buffer.split_off(self.whole);
            let bytes = std::mem::replace(&mut self.buffer, rest);
            let chunks = bytes.len().div_ceil(CHUNK_BYTES) as u64;
            frames.push(Frame {
                bytes,
                first_line: self.number,
                issues: Vec::new(),
                records: Records::EvtxChunks,
                record_bytes_max: CHUNK_BYTES,
            });
            self.number += chunks;
            self.whole = 0;
        }
    }

    /// Bytes that were fed and not given yet.
    pub(super) fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The header of the file at hand.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The stream is at its end: a chunk in progress is cut off.
    pub(super) fn finish(&mut self, frames: &mut Vec<Frame>) {
        self.cut(frames);
        self.whole = self.buffer.len();
        self.cut(frames);
    }
}
