//! Compressed files by what they contain, not by what they are called: gzip and zstd, any number of members.

use super::members::{Members, READ_BYTES, TrailingBytes};
use flate2::bufread::{DeflateDecoder, ZlibDecoder};
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

    pub(super) const fn log(self) -> u32 {
        self.0
    }
}

/// The content of compressed data, and what is known about it.
pub struct Decompressed {
    /// How it was compressed.
    pub compression: Compression,
    /// Its content.
    pub reader: Box<dyn Read + Send>,
    /// Bytes after its end, once the content was read.
    pub trailing: TrailingBytes,
}

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

    /// Whether data that starts with `head` may be of this compression: `head` is its mark, or all there is of it.
    pub(super) fn may_start_with(self, head: &[u8]) -> bool {
        const GZIP: &[u8] = &[0x1f, 0x8b, 8];
        const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
        const SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];
        match (self, head) {
            (Self::Gzip, _) => head.starts_with(GZIP) || GZIP.starts_with(head),
            (Self::Zstd, [0x50..=0x5f, rest @ ..]) => SKIPPABLE.starts_with(rest),
            (Self::Zstd, _) => ZSTD.starts_with(head),
            (Self::None | Self::Deflate, _) => false,
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
/// [`io::ErrorKind::UnexpectedEof`]; any other error of a compressed stream is damage. Bytes after its end are left out and
/// [reported](Decompressed::trailing).
pub fn decompressed(raw: impl Read + Send + 'static) -> io::Result<Decompressed> {
    decompressed_within(ZstdWindow::FOR_FILES, raw, TrailingBytes::default())
}

/// As [`decompressed`], with another limit of the window of zstd, and the report of trailing bytes of another layer.
pub(super) fn decompressed_within(
    window: ZstdWindow,
    mut raw: impl Read + Send + 'static,
    trailing: TrailingBytes,
) -> io::Result<Decompressed> {
    let mut head = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut head)?;
    let compression = Compression::of(&head);
    let whole = Cursor::new(head).chain(raw);
    let reader: Box<dyn Read + Send> = match compression {
        // Deflate has no mark of its own.
        Compression::None | Compression::Deflate => Box::new(whole),
        Compression::Gzip | Compression::Zstd => {
            Box::new(Members::new(compression, window, whole, trailing.clone()))
        }
    };
    Ok(Decompressed { compression, reader, trailing })
}

/// The content of `raw`, which is said to be `deflate`: zlib, or the bare format that some send instead.
pub(super) fn inflated(mut raw: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::with_capacity(2);
    raw.by_ref().take(2).read_to_end(&mut head)?;
    let is_zlib = matches!(*head.as_slice(), [method, flags]
        if method & 0x0f == 8 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0);
    let whole = BufReader::with_capacity(READ_BYTES, Cursor::new(head).chain(raw));
    Ok(if is_zlib {
        Box::new(ToTheEnd { inflater: ZlibDecoder::new(whole), rest: ZlibDecoder::get_mut })
    } else {
        Box::new(ToTheEnd { inflater: DeflateDecoder::new(whole), rest: DeflateDecoder::get_mut })
    })
}

/// Deflate knows its own end. Data after it is an error unless it is padding, and the checks at the end of an outer layer
/// are read, too.
struct ToTheEnd<D, R> {
    inflater: D,
    /// What the inflater reads from.
    rest: fn(&mut D) -> &mut R,
}

impl<D: Read, R: BufRead> Read for ToTheEnd<D, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inflater.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let rest = (self.rest)(&mut self.inflater);
        loop {
            let bytes = rest.fill_buf()?;
            if bytes.iter().any(|byte| *byte != 0) {
                let problem = "trailing data after the end of the stream";
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
            match bytes.len() {
                0 => return Ok(0),
                padding => rest.consume(padding),
            }
        }
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
        let (compression, content, _) = read_with_warning(file);
        (compression, content)
    }

    fn read_with_warning(file: Vec<u8>) -> (Compression, io::Result<Vec<u8>>, Option<String>) {
        let Decompressed { compression, mut reader, trailing } = decompressed(Cursor::new(file)).unwrap();
        let mut content = Vec::new();
        let content = reader.read_to_end(&mut content).map(|_| content);
        (compression, content, trailing.warning())
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
    #[test]
    fn zeros_around_members_are_padding() {
        let zstd = |content: &[u8]| zstd::encode_all(content, 1).unwrap();
        for zeros in [1, 3, 4, 1024, 300_000].map(|count| vec![0; count]) {
            for file in [
                [gzip(b"one "), zeros.clone(), gzip(b"two"), zeros.clone()].concat(),
                [zstd(b"one "), zeros.clone(), zstd(b"two"), zeros.clone()].concat(),
            ] {
                let (_, content, warning) = read_with_warning(file);
                assert_eq!((content.unwrap(), warning), (b"one two".to_vec(), None));
            }
        }
    }

    #[test]
    fn trailing_bytes_are_reported_beside_content() {
        let zstd = zstd::encode_all(&b"one"[..], 1).unwrap();
        for (member, name) in [(gzip(b"one"), "gzip"), (zstd, "zstd")] {
            let long = vec![9; 200_000];
            for trailing in [&b"x"[..], b"plain text\n", &[0, 0, 0, 7], &[0x1f, 0x8b, 7, 0], &long] {
                let (_, content, warning) = read_with_warning([&member[..], trailing].concat());
                assert_eq!(content.unwrap(), b"one", "{name}");
                let bytes = trailing.iter().skip_while(|byte| **byte == 0).count();
                let start = format!("{bytes} bytes after the end of the {name} data are not {name} data: ");
                assert!(warning.as_ref().unwrap().starts_with(&start), "{warning:?}");
            }
        }
    }

    #[test]
    fn cut_header_of_later_member_is_truncation() {
        let zstd = |content: &[u8]| zstd::encode_all(content, 1).unwrap();
        for (first, second) in [(gzip(b"one"), gzip(b"two")), (zstd(b"one"), zstd(b"two"))] {
            for length in 1..second.len() {
                let (_, content) = read([&first[..], &second[..length]].concat());
                assert_eq!(content.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{length} bytes");
            }
        }
    }
}
