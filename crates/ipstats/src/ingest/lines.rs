//! A log in chunks of whole lines.
//!
//! Why: a log that breaks off (a truncated gzip, a failing disk) must be cut at a line. Half a record can look like a
//! whole one, and nothing below can tell.

use std::io::{self, Read};

/// Bytes asked of a log at a time, and the longest line that is kept whole.
const CHUNK_BYTES: usize = 256 << 10;

/// Reads chunks that end with a newline; a line longer than 256 KiB comes in pieces.
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were given out.
    given: usize,
    /// Bytes of the buffer that were read.
    filled: usize,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; CHUNK_BYTES], given: 0, filled: 0 }
    }

    /// The next chunk; none at the end of the log.
    pub(super) fn next(&mut self, log: &mut impl Read) -> io::Result<Option<&[u8]>> {
        self.buffer.copy_within(self.given..self.filled, 0);
        self.filled -= self.given;
        self.given = 0;
        while self.given == 0 {
            let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let count = match log.read(free) {
                Ok(0) => return Ok(None),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let newline = free.get(..count).and_then(|new| new.iter().rposition(|byte| *byte == b'\n'));
            self.given = newline.map_or(0, |position| self.filled + position + 1);
            self.filled += count;
            if self.given == 0 && self.filled == self.buffer.len() {
                self.given = self.filled;
            }
        }
        Ok(self.buffer.get(..self.given))
    }

    /// What follows the last newline, once there is no next chunk.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.given..self.filled).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its parts one a read, then the end.
    struct Parts(Vec<Vec<u8>>);

    impl Read for Parts {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let mut part = self.0.remove(0);
            let count = part.len().min(buffer.len());
            buffer[..count].copy_from_slice(&part[..count]);
            if count < part.len() {
                self.0.insert(0, part.split_off(count));
            }
            Ok(count)
        }
    }

    fn chunks(parts: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut log = Parts(parts.iter().map(|part| part.to_vec()).collect());
        let mut lines = Lines::new();
        let mut chunks = Vec::new();
        while let Some(chunk) = lines.next(&mut log).unwrap() {
            chunks.push(chunk.to_vec());
        }
        (chunks, lines.rest().to_vec())
    }

    #[test]
    fn chunks_end_with_a_line() {
        let (whole, rest) = chunks(&[b"a\nb", b"b", b"b\nc\nd", b"d"]);
        assert_eq!(whole, [&b"a\n"[..], b"bbb\nc\n"]);
        assert_eq!(rest, b"dd");
        assert_eq!(chunks(&[]), (vec![], vec![]));
        assert_eq!(chunks(&[b"a\n"]), (vec![b"a\n".to_vec()], vec![]));
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let line = vec![b'x'; 2 * CHUNK_BYTES + 10];
        let (pieces, rest) = chunks(&[b"a\n", &line, b"\nb\nc"]);
        assert_eq!(pieces.concat(), [b"a\n", &line[..], b"\nb\n"].concat());
        assert!(pieces.iter().all(|piece| piece.len() <= CHUNK_BYTES));
        assert_eq!(rest, b"c");
    }
}
