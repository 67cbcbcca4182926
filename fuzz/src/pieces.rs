//! A body as it comes over a connection: in pieces.

use std::io::{self, Cursor, Read};

/// Reads at most so many bytes at a time.
pub(crate) struct Pieces {
    bytes: Cursor<Vec<u8>>,
    piece_bytes: usize,
}

impl Pieces {
    pub(crate) fn new(bytes: &[u8], piece_bytes: usize) -> Self {
        Self { bytes: Cursor::new(bytes.to_vec()), piece_bytes }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.piece_bytes);
        self.bytes.read(&mut buffer[..count])
    }
}
