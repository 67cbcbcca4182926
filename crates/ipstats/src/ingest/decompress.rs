//! Compressed files by what they contain, not by what they are called: gzip and zstd, any number of members.

use flate2::bufread::{DeflateDecoder, ZlibDecoder};
use flate2::read::MultiGzDecoder;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all, as far as its first bytes tell.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 1950, or RFC 1951 alone. Never seen from the content: it has to be told.
    Deflate,
}

/// The largest window a zstd frame may ask for, as a power of two of bytes. The decoder allocates it whatever the frame
/// holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZstdWindow(u32);

impl ZstdWindow {
    /// 128 MiB, which is what `zstd --ultra` and `--long` may ask for: for files that an operator names.
    pub const FOR_FILES: Self = Self(27);
    /// 8 MiB, which is what levels up to 19 ask for: for what comes over the network.
    pub const FOR_REQUESTS: Self = Self(23);
}

/// Bytes a decoder asks of a file at a time.
const READ_BYTES: usize = 128 << 10;

impl Compression {
    /// The compression that a file which starts with `head` has.
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            // A frame, or a skippable frame before it.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

impl Compression {
    /// The compression of a file, whose place it does not move.
    pub fn of_file(file: &File) -> io::Result<Self> {
        let mut head = [0; 4];
        let count = file.read_at(&mut head, 0)?;
        Ok(Self::of(head.get(..count).unwrap_or_default()))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        })
    }
}

/// The content of `raw` without its compression. A compressed stream that ends too early ends with
/// [`io::ErrorKind::UnexpectedEof`]; any other error of a compressed stream is damage.
pub fn decompressed(raw: impl Read + Send + 'static) -> io::Result<(Compression, Box<dyn Read + Send>)> {
    decompressed_within(ZstdWindow::FOR_FILES, raw)
}

/// As [`decompressed`], with another limit of the window of zstd.
pub(super) fn decompressed_within(
    window: ZstdWindow,
    mut raw: impl Read + Send + 'static,
) -> io::Result<(Compression, Box<dyn Read + Send>)> {
    let mut head = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut head)?;
    let compression = Compression::of(&head);
    let whole = Cursor::new(head).chain(raw);
    let reader: Box<dyn Read + Send> = match compression {
        // Deflate has no mark of its own.
        Compression::None | Compression::Deflate => Box::new(whole),
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, whole))),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(READ_BYTES, whole))?;
            decoder.window_log_max(window.0)?;
            Box::new(decoder)
        }
    };
    Ok((compression, reader))
}

/// The content of `raw`, which is said to be `deflate`: zlib, or the bare format that some send instead.
pub(super) fn inflated(mut raw: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::with_capacity(2);
    raw.by_ref().take(2).read_to_end(&mut head)?;
    let is_zlib = matches!(*head.as_slice(), [method, flags]
        if method & 0x0f == 8 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0);
    let whole = BufReader::with_capacity(READ_BYTES, Cursor::new(head).chain(raw));
    Ok(if is_zlib {
        Box::new(ToTheEnd { inflater: ZlibDecoder::new(whole), behind: ZlibDecoder::get_mut })
    } else {
        Box::new(ToTheEnd { inflater: DeflateDecoder::new(whole), behind: DeflateDecoder::get_mut })
    })
}

/// Deflate knows its own end. What comes behind it must not be left out without a word, nor the checks at the end of
/// what it is wrapped in.
struct ToTheEnd<D, R> {
    inflater: D,
    /// What the inflater reads from.
    behind: fn(&mut D) -> &mut R,
}

impl<D: Read, R: BufRead> Read for ToTheEnd<D, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inflater.read(buffer)?;
        if count == 0 && !buffer.is_empty() && !(self.behind)(&mut self.inflater).fill_buf()?.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there is more behind its end"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(file: Vec<u8>) -> (Compression, io::Result<Vec<u8>>) {
        let (compression, mut reader) = decompressed(Cursor::new(file)).unwrap();
        let mut content = Vec::new();
        (compression, reader.read_to_end(&mut content).map(|_| content))
    }

    #[test]
    fn every_member_is_read() {
        let members = [gzip(b"one "), gzip(b"two")].concat();
        let (compression, content) = read(members);
        assert_eq!((compression, content.unwrap()), (Compression::Gzip, b"one two".to_vec()));

        let skippable = [0x5e, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
        let frames = [
            &skippable[..],
            &zstd::encode_all(&b"one "[..], 1).unwrap(),
            &zstd::encode_all(&b"two"[..], 1).unwrap(),
        ];
        let (compression, content) = read(frames.concat());
        assert_eq!((compression, content.unwrap()), (Compression::Zstd, b"one two".to_vec()));

        for plain in [&b""[..], b"a", b"abc", b"abcdef"] {
            let (compression, content) = read(plain.to_vec());
            assert_eq!((compression, content.unwrap()), (Compression::None, plain.to_vec()));
        }
    }

    #[test]
    fn a_truncated_stream_ends_unexpectedly() {
        let content = b"0123456789".repeat(1000);
        for file in [gzip(&content), zstd::encode_all(&content[..], 1).unwrap()] {
            for length in [5, file.len() / 2, file.len() - 1] {
                let (_, content) = read(file[..length].to_vec());
                assert_eq!(content.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{length} bytes");
            }
        }
    }
}
