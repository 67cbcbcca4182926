//! Record batches without their compression, within a bound.

use std::io::{self, Read};

/// Most bytes of one batch. Brokers limit batches as they are sent (1 MiB by default), so only a batch that expands
/// more than sixtyfold meets it.
const BATCH_BYTES_MAX: usize = 64 << 20;

/// The largest window of zstd, as a power of two of bytes: a whole batch.
const ZSTD_WINDOW_LOG_MAX: u32 = 26;

/// How Java's snappy streams begin: magic, version, oldest compatible version. Other clients send bare blocks.
const SNAPPY_STREAM: &[u8] = b"\x82SNAPPY\0";
const SNAPPY_HEADER_BYTES: usize = 16;

/// The compressions that batches can have, by the numbers of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// A number that no compression has.
pub(super) struct UnknownCodec(pub(super) i16);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecompressError {
    #[error("it is larger than {} MiB", BATCH_BYTES_MAX >> 20)]
    TooLarge,
    #[error("{0}")]
    Damaged(String),
}

impl TryFrom<i16> for Codec {
    type Error = UnknownCodec;

    fn try_from(number: i16) -> Result<Self, UnknownCodec> {
        Ok(match number {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            unknown => return Err(UnknownCodec(unknown)),
        })
    }
}

/// The content of `bytes`.
pub(super) fn decompress(codec: Codec, bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    match codec {
        Codec::None => read_bounded(bytes),
        Codec::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(bytes)),
        Codec::Snappy => decompress_snappy(bytes),
        Codec::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(bytes)),
        Codec::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(bytes)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            read_bounded(decoder)
        }
    }
}

fn read_bounded(reader: impl Read) -> Result<Vec<u8>, DecompressError> {
    let mut content = Vec::new();
    reader.take(BATCH_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
    if content.len() > BATCH_BYTES_MAX { Err(DecompressError::TooLarge) } else { Ok(content) }
}

fn decompress_snappy(bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let mut content = Vec::new();
    if !bytes.starts_with(SNAPPY_STREAM) {
        append_snappy_block(bytes, &mut content)?;
        return Ok(content);
    }
    let cut = || DecompressError::Damaged("a snappy block is cut off".to_owned());
    let mut rest = bytes.get(SNAPPY_HEADER_BYTES..).ok_or_else(cut)?;
    while !rest.is_empty() {
        let (length, blocks) = rest.split_first_chunk().ok_or_else(cut)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, next) = blocks.split_at_checked(length).ok_or_else(cut)?;
        append_snappy_block(block, &mut content)?;
        rest = next;
    }
    Ok(content)
}

fn append_snappy_block(block: &[u8], content: &mut Vec<u8>) -> Result<(), DecompressError> {
    let damaged = |error: snap::Error| DecompressError::Damaged(error.to_string());
    let length = snap::raw::decompress_len(block).map_err(damaged)?;
    if length.saturating_add(content.len()) > BATCH_BYTES_MAX {
        return Err(DecompressError::TooLarge);
    }
    content.extend(snap::raw::Decoder::new().decompress_vec(block).map_err(damaged)?);
    Ok(())
}

impl From<io::Error> for DecompressError {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn compressed(codec: Codec, content: &[u8]) -> Vec<u8> {
        match codec {
            Codec::None => content.to_vec(),
            Codec::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Snappy => snap::raw::Encoder::new().compress_vec(content).unwrap(),
            Codec::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Zstd => zstd::encode_all(content, 1).unwrap(),
        }
    }

    fn java_snappy(content: &[u8]) -> Vec<u8> {
        let mut stream = [SNAPPY_STREAM, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for block in content.chunks(7) {
            let block = compressed(Codec::Snappy, block);
            stream.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
            stream.extend(block);
        }
        stream
    }

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    #[test]
    fn every_codec_is_decompressed() {
        let content = b"a batch of records, a batch of records".repeat(20);
        for codec in CODECS {
            assert_eq!(decompress(codec, &compressed(codec, &content)).as_ref(), Ok(&content), "{codec:?}");
        }
        assert_eq!(decompress(Codec::Snappy, &java_snappy(&content)).as_ref(), Ok(&content));
    }

    #[test]
    fn expansion_is_bounded() {
        let bomb = vec![0; BATCH_BYTES_MAX + 1];
        for codec in CODECS {
            let result = decompress(codec, &compressed(codec, &bomb));
            assert_eq!(result, Err(DecompressError::TooLarge), "{codec:?}");
        }
    }

    #[test]
    fn cut_batches_are_errors() {
        let content = b"a batch of records, a batch of records".repeat(20);
        for codec in CODECS.into_iter().skip(1) {
            let whole = compressed(codec, &content);
            assert!(decompress(codec, &whole[..whole.len() / 2]).is_err(), "{codec:?}");
        }
        assert!(decompress(Codec::Snappy, &java_snappy(&content)[..40]).is_err());
    }
}
