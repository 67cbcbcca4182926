//! The last durable batch number, outside the database.
//!
//! fjall ends its recovery silently where the structure of its journal is damaged. Contiguous batch numbers show a gap, but
//! not a tail that is gone; this number does. It is written after each fsync of the journal and not synced itself: it may lag behind after a power
//! failure, and is never ahead.
//!
//! File `journal-watermark`: sequence (8 bytes, little-endian) and CRC-32 of those bytes (4 bytes, little-endian).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) struct Watermark {
    file: File,
}

const FILE_NAME: &str = "journal-watermark";
const LENGTH_BYTES: usize = 12;

impl Watermark {
    /// Opens or creates the watermark in `folder`, with the number it holds: 0 in a new or torn file.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, u64)> {
        let path = folder.join(FILE_NAME);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = [0; LENGTH_BYTES];
        let sequence = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => decode(bytes).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        Ok((Self { file }, sequence))
    }

    /// Says that all batches up to `sequence` are durable.
    pub(crate) fn raise(&self, sequence: u64) -> io::Result<()> {
        self.file.write_all_at(&encode(sequence), 0)
    }
}

fn encode(sequence: u64) -> [u8; LENGTH_BYTES] {
    let mut bytes = [0; LENGTH_BYTES];
    let (number, checksum) = bytes.split_at_mut(8);
    number.copy_from_slice(&sequence.to_le_bytes());
    checksum.copy_from_slice(&crc32fast::hash(&sequence.to_le_bytes()).to_le_bytes());
    bytes
}

fn decode(bytes: [u8; LENGTH_BYTES]) -> Option<u64> {
    let (number, checksum) = bytes.split_first_chunk::<8>()?;
    let sequence = u64::from_le_bytes(*number);
    (crc32fast::hash(number).to_le_bytes() == checksum).then_some(sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_file_claims_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (watermark, first) = Watermark::open(folder.path()).unwrap();
        assert_eq!(first, 0);
        watermark.raise(1 << 40).unwrap();
        assert_eq!(Watermark::open(folder.path()).unwrap().1, 1 << 40);
        std::fs::write(folder.path().join(FILE_NAME), [1; LENGTH_BYTES]).unwrap();
        assert_eq!(Watermark::open(folder.path()).unwrap().1, 0);
    }
}
