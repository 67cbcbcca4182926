//! Where logs are read from, and why one could not be read.

use super::decompress::{Compression, Decompressed, decompressed};
use super::progress::Progress;
use crate::visible::Visible;
use ipstats_formats::StreamError;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// One log: a file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, compressed or not.
    File(PathBuf),
    /// Standard input, compressed or not.
    Stdin,
}

/// Why a log was not read, or not to its end. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no such file (any more): check the name")]
    NotFound,
    /// It is a folder.
    #[error("is a folder: name the files in it, for example {}", .0.join("*.log").display())]
    Folder(PathBuf),
    /// The file may not be read.
    #[error("may not be read: run as a user who may read it, or pass it in with `-` ({0})")]
    Permission(io::Error),
    /// There is nothing in it.
    #[error("is empty: check what should have written it")]
    Empty,
    /// A compressed log ends in the middle.
    #[error(
        "the {0} data ends too early (the file is truncated, or still being written): what comes before the cut was \
         imported; import the complete file again, nothing is counted twice"
    )]
    Truncated(Compression),
    /// A compressed log is damaged in the middle.
    #[error(
        "the {compression} data is damaged ({source}): what was read until that was noticed was imported, possibly \
         altered records among it; import an intact copy again, nothing is counted twice"
    )]
    Damaged {
        /// How it is compressed.
        compression: Compression,
        /// What the decoder said.
        source: io::Error,
    },
    /// Reading failed.
    #[error("reading failed ({0}): what came before was imported; import it again, nothing is counted twice")]
    Read(io::Error),
    /// Its content is not a log this program reads.
    #[error("{}", with_flag(.0))]
    Content(#[from] StreamError),
}

/// Where the format is to be named, on the command line.
fn with_flag(error: &StreamError) -> String {
    match error {
        StreamError::NotRecognized { .. } => format!("{error} with --format"),
        other => other.to_string(),
    }
}

impl Source {
    /// The source that a command line names: `-` is standard input.
    pub fn named(name: PathBuf) -> Self {
        if name.as_os_str() == "-" { Self::Stdin } else { Self::File(name) }
    }

    /// Whether it is a file without content.
    pub fn is_empty_file(&self) -> bool {
        let Self::File(path) = self else { return false };
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
    }

    /// Bytes of the log as it is stored, where that is known.
    pub(super) fn byte_len(&self) -> u64 {
        match self {
            Self::File(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Stdin => 0,
        }
    }

    /// Opens the log and looks through its compression; bytes read are told to `progress`.
    pub(super) fn open(&self, progress: &Arc<Progress>) -> Result<Decompressed, SourceError> {
        let progress = Arc::clone(progress);
        match self {
            Self::Stdin => decompressed(Counted { inner: io::stdin(), progress }),
            Self::File(path) if path.is_dir() => return Err(SourceError::Folder(path.clone())),
            Self::File(path) => File::open(path).and_then(|inner| decompressed(Counted { inner, progress })),
        }
        .map_err(SourceError::opening)
    }
}

impl SourceError {
    /// Why a file cannot be opened.
    pub fn opening(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::Permission(error),
            _ => Self::Read(error),
        }
    }

    /// Why reading a log with this compression stopped.
    pub(super) fn reading(error: io::Error, compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Read(error),
            _ if error.kind() == io::ErrorKind::UnexpectedEof => Self::Truncated(compression),
            // The sender of a request, not its data.
            _ if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::ConnectionAborted) => {
                Self::Read(error)
            }
            // What the operating system said has a number; the rest is what the decoder said about the data.
            _ if error.raw_os_error().is_none() => Self::Damaged { compression, source: error },
            _ => Self::Read(error),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => Visible(path.display()).fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// A reader that tells how much was read of it.
struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.progress.add_bytes(count);
        Ok(count)
    }
}
