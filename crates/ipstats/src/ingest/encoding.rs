//! What a sender says that it compressed a body with, and a body without it.

use super::decompress::{Compression, Decompressed, ZstdWindow, decompressed_within, inflated};
use super::members::TrailingBytes;
use std::io::{self, Read};

/// Most encodings on top of each other.
const ENCODINGS_MAX: usize = 4;

/// The encodings of a body in the order in which they were applied, as `Content-Encoding` lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encodings(Vec<Encoding>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// gzip or zstd: which of them is seen from the content, and so is whether somebody undid it on the way.
    Seen,
    Deflate,
}

/// An encoding that is none of ours, or too many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownEncoding {
    /// Its name.
    #[error("the content encoding {0} is not supported; send the log plain, as gzip, zstd or deflate")]
    Named(String),
    /// There is no use for so many.
    #[error("more than {ENCODINGS_MAX} content encodings; one is enough")]
    TooMany,
}

impl Encodings {
    /// Reads the values of `Content-Encoding` headers.
    pub fn read<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, UnknownEncoding> {
        let mut encodings = Vec::new();
        for name in values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()) {
            match name.as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" | "zstd" => encodings.push(Encoding::Seen),
                "deflate" => encodings.push(Encoding::Deflate),
                _ => return Err(UnknownEncoding::Named(name)),
            }
        }
        if encodings.len() > ENCODINGS_MAX { Err(UnknownEncoding::TooMany) } else { Ok(Self(encodings)) }
    }
}

/// What was sent as `raw`: without its encodings, and without the compression of a log that was compressed before it was
/// sent. Fails with [`io::ErrorKind::FileTooLarge`] once any layer is longer than `bytes_max`, so that nothing that
/// unfolds again and again takes for ever. The compression is the outermost there is.
pub fn decoded(
    raw: impl Read + Send + 'static,
    encodings: &Encodings,
    bytes_max: u64,
) -> io::Result<Decompressed> {
    let trailing = TrailingBytes::default();
    let capped = |inner| Box::new(Capped { inner, left: bytes_max }) as Box<dyn Read + Send>;
    let mut reader = capped(Box::new(raw) as Box<dyn Read + Send>);
    let mut outermost = Compression::None;
    for encoding in encodings.0.iter().rev().chain([&Encoding::Seen]) {
        let (compression, content) = match encoding {
            Encoding::Seen => {
                let layer = decompressed_within(ZstdWindow::FOR_REQUESTS, reader, trailing.clone())?;
                (layer.compression, layer.reader)
            }
            Encoding::Deflate => (Compression::Deflate, inflated(reader)?),
        };
        if outermost == Compression::None {
            outermost = compression;
        }
        reader = capped(content);
    }
    Ok(Decompressed { compression: outermost, reader, trailing })
}

/// A reader that fails once more than `left` bytes were read of it.
struct Capped<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::{Cursor, Write};

    const TEXT: &[u8] = b"{\"device\":\"d\"}\n";

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(content: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_deflate(content: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(header: &str, body: Vec<u8>, bytes_max: u64) -> io::Result<Vec<u8>> {
        let encodings = Encodings::read([header].into_iter()).unwrap();
        let mut content = Vec::new();
        decoded(Cursor::new(body), &encodings, bytes_max)?.reader.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn encodings_are_undone_from_the_last_to_the_first() {
        let zstd = |content: &[u8]| zstd::encode_all(content, 1).unwrap();
        for (header, body) in [
            ("", TEXT.to_vec()),
            ("identity", TEXT.to_vec()),
            ("gzip", gzip(TEXT)),
            ("gzip", gzip(&gzip(TEXT))),
            ("gzip", TEXT.to_vec()),
            ("", gzip(TEXT)),
            ("deflate", zlib(TEXT)),
            ("deflate", raw_deflate(TEXT)),
            ("Deflate, GZIP", gzip(&zlib(TEXT))),
            ("zstd,gzip ,deflate", raw_deflate(&gzip(&zstd(TEXT)))),
        ] {
            assert_eq!(read(header, body, 1000).unwrap(), TEXT, "{header}");
        }
        assert_eq!(Encodings::read(["gzip", "br"].into_iter()), Err(UnknownEncoding::Named("br".to_owned())));
        assert_eq!(Encodings::read(["gzip,gzip,gzip,gzip,gzip"].into_iter()), Err(UnknownEncoding::TooMany));
    }

    #[test]
    fn no_layer_grows_without_end() {
        // A megabyte of members without content: the last layer stays empty.
        let empty_members = gzip(&[]).repeat(50_000);
        let error = read("gzip", gzip(&empty_members), 100_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        let error = read("deflate", zlib(&b"x".repeat(200_000)), 100_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_cut_body_ends_unexpectedly() {
        for (header, mut body) in
            [("deflate", zlib(TEXT)), ("deflate", raw_deflate(TEXT)), ("gzip", gzip(TEXT))]
        {
            body.truncate(body.len() - 3);
            assert_eq!(
                read(header, body, 1000).unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof,
                "{header}"
            );
        }
    }

    #[test]
    fn rejects_data_after_deflate_stream() {
        for body in [[zlib(TEXT), zlib(TEXT)].concat(), [raw_deflate(TEXT), b"x".to_vec()].concat()] {
            let error = read("deflate", body, 1000).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(error.to_string(), "trailing data after the end of the stream");
        }
        let padded = [zlib(TEXT), vec![0; 1024]].concat();
        assert_eq!(read("deflate", padded, 1 << 20).unwrap(), TEXT, "zeros are padding");
        // The checksum of the outer layer is checked, too.
        let mut damaged = gzip(&zlib(TEXT));
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert!(read("deflate, gzip", damaged, 1000).is_err());
    }

    #[test]
    fn a_huge_window_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(TEXT).unwrap();
        encoder.flush().unwrap();
        encoder.write_all(TEXT).unwrap();
        let frame = encoder.finish().unwrap();
        assert!(read("zstd", frame, 1000).unwrap_err().to_string().contains("too much memory"));
    }
}
