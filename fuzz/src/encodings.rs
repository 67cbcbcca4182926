//! Bodies that are compressed, or say that they are.

use super::pieces::Pieces;
use ipstats::ingest::{Encodings, decoded};
use std::io::{self, Read};

/// Most bytes of a decoded body.
const BYTES_MAX: u64 = 1 << 16;

/// What a sender may say, chosen by the first byte.
const SAID: [&str; 8] = [
    "",
    "gzip",
    "zstd",
    "deflate",
    "gzip, gzip",
    "deflate, gzip",
    "gzip, deflate, zstd, deflate",
    "deflate, deflate",
];

/// A body is decoded, or it is an error; never longer than allowed, and however it arrives.
pub fn encodings(data: &[u8]) {
    let Some((knob, body)) = data.split_first() else { return };
    let said = Encodings::read([SAID[usize::from(knob % 8)]].into_iter()).unwrap();
    let whole = read(body, body.len().max(1), &said);
    let pieces = read(body, usize::from(knob / 8) + 1, &said);
    // Where several things are wrong, which is noticed first may depend on the pieces.
    assert_eq!(whole.as_ref().ok(), pieces.as_ref().ok(), "{whole:?}, {pieces:?}");
    assert!(whole.map_or(0, |content| content.len() as u64) <= BYTES_MAX);
}

fn read(body: &[u8], piece_bytes: usize, said: &Encodings) -> Result<Vec<u8>, io::ErrorKind> {
    let mut reader =
        decoded(Pieces::new(body, piece_bytes), said, BYTES_MAX).map_err(|error| error.kind())?.reader;
    let mut content = Vec::new();
    reader.read_to_end(&mut content).map_err(|error| error.kind())?;
    Ok(content)
}
