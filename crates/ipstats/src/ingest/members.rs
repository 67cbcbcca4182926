//! Compressed data as gzip and zstd write it: members, one after the other.
//!
//! Padding of zero bytes between members and after the last is left out, as gzip does: tapes and preallocated files have it.
//! Other bytes after a member are counted: their reader returns the content before them and reports how many there were.

use super::decompress::{Compression, ZstdWindow};
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, OnceLock};

/// Bytes a decoder asks of a file at a time.
pub(super) const READ_BYTES: usize = 128 << 10;

/// Bytes that show whether a member starts.
const MAGIC_BYTES: usize = 4;

/// Bytes after the end of compressed data that are neither padding nor a member. Known when the data was read to its end.
#[derive(Debug, Clone, Default)]
pub struct TrailingBytes(Arc<OnceLock<(Compression, u64)>>);

impl TrailingBytes {
    /// What to report about them, where there are some.
    pub fn warning(&self) -> Option<String> {
        let (compression, bytes) = self.0.get()?;
        Some(format!(
            "{bytes} bytes after the end of the {compression} data are not {compression} data: they were not read, everything \
             before them was; check what appended them"
        ))
    }

    fn set(&self, compression: Compression, bytes: u64) {
        // Of several layers the outermost is reported.
        let _ = self.0.set((compression, bytes));
    }
}

/// Reads the content of all members.
pub(super) struct Members<R> {
    compression: Compression,
    window: ZstdWindow,
    member: Member<R>,
    trailing: TrailingBytes,
}

enum Member<R> {
    /// None is open: at the start, and between two.
    None(Input<R>),
    Gzip(Box<GzDecoder<Input<R>>>),
    Zstd(zstd::Decoder<'static, Input<R>>),
    /// The last one was read.
    End,
}

impl<R: Read> Members<R> {
    /// The members of `compression` in `raw`.
    pub(super) fn new(compression: Compression, window: ZstdWindow, raw: R, trailing: TrailingBytes) -> Self {
        let inner = BufReader::with_capacity(READ_BYTES, raw);
        let input = Input { peeked: Vec::new(), inner };
        Self { compression, window, member: Member::None(input), trailing }
    }

    /// Opens the next member, or finds the end.
    fn open_next(&mut self) -> io::Result<()> {
        let mut input = match std::mem::replace(&mut self.member, Member::End) {
            Member::None(input) => input,
            Member::Gzip(decoder) => decoder.into_inner(),
            Member::Zstd(decoder) => decoder.finish(),
            Member::End => return Ok(()),
        };
        input.skip_zeros()?;
        let start = input.peek()?;
        if start.is_empty() {
            return Ok(());
        }
        if !self.compression.may_start_with(start) {
            self.trailing.set(self.compression, io::copy(&mut input, &mut io::sink())?);
            return Ok(());
        }
        self.member = match self.compression {
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(self.window.log())?;
                Member::Zstd(decoder)
            }
            Compression::None | Compression::Deflate | Compression::Gzip => {
                Member::Gzip(Box::new(GzDecoder::new(input)))
            }
        };
        Ok(())
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = match &mut self.member {
                Member::None(_) => 0,
                Member::Gzip(decoder) => decoder.read(buffer)?,
                Member::Zstd(decoder) => decoder.read(buffer)?,
                Member::End => return Ok(0),
            };
            if count > 0 {
                return Ok(count);
            }
            self.open_next()?;
        }
    }
}

/// Compressed bytes, of which the next few can be looked at first. Interrupted calls are repeated, because decoders take
/// them for the end of a member.
struct Input<R> {
    peeked: Vec<u8>,
    inner: BufReader<R>,
}

impl<R: Read> Input<R> {
    /// The next [`MAGIC_BYTES`]; fewer at the end.
    fn peek(&mut self) -> io::Result<&[u8]> {
        let missing = MAGIC_BYTES.saturating_sub(self.peeked.len());
        self.inner.by_ref().take(missing as u64).read_to_end(&mut self.peeked)?;
        Ok(&self.peeked)
    }

    fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.fill_buf()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let (is_end, is_padding) = (bytes.is_empty(), zeros == bytes.len());
            self.consume(zeros);
            if is_end || !is_padding {
                return Ok(());
            }
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.peeked.is_empty() {
            return Ok(&self.peeked);
        }
        while let Err(error) = self.inner.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(self.inner.buffer())
    }

    fn consume(&mut self, count: usize) {
        if self.peeked.is_empty() {
            self.inner.consume(count);
        } else {
            self.peeked.drain(..count.min(self.peeked.len()));
        }
    }
}
