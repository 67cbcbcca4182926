//! A body of records in envelopes, without what it was compressed with.

use crate::ingest::{Compression, Decompressed, Encodings, TrailingBytes, UploadError, decoded};
use std::io::{self, Read};

/// A body without its encodings, whose errors are those of uploads.
pub struct DecodedBody {
    reader: Box<dyn Read + Send>,
    compression: Compression,
    trailing: TrailingBytes,
    bytes_max: u64,
}

impl DecodedBody {
    /// What was sent as `raw`, at most `bytes_max` long.
    pub fn new(
        raw: impl Read + Send + 'static,
        encodings: &Encodings,
        bytes_max: u64,
    ) -> Result<Self, UploadError> {
        let Decompressed { compression, reader, trailing } = decoded(raw, encodings, bytes_max)
            .map_err(|error| UploadError::reading(error, Compression::None, bytes_max))?;
        Ok(Self { reader, compression, trailing, bytes_max })
    }

    /// Bytes after the end of the compressed data, once the body was read.
    pub fn trailing(&self) -> TrailingBytes {
        self.trailing.clone()
    }

    /// The whole of it, in memory.
    pub(super) fn whole(mut self) -> Result<Vec<u8>, UploadError> {
        let mut body = Vec::new();
        self.reader.read_to_end(&mut body).map_err(|error| self.error(error))?;
        Ok(body)
    }

    /// The body as a reader, and what its errors mean.
    pub(super) fn into_parts(self) -> (Box<dyn Read + Send>, impl Fn(io::Error) -> UploadError) {
        let Self { reader, compression, bytes_max, .. } = self;
        (reader, move |error| UploadError::reading(error, compression, bytes_max))
    }

    fn error(&self, error: io::Error) -> UploadError {
        UploadError::reading(error, self.compression, self.bytes_max)
    }
}
