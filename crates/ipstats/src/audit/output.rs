//! What lines are written to.

use crate::config::AuditDestination;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Who may read the file: its owner and its group, so that a log shipper can be let in.
const FILE_MODE: u32 = 0o640;

/// The audit log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be written.
    #[error("audit_log: cannot write to {}: {source} (choose another file, or let this user write there)", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The system has no thread left.
    #[error("audit_log: no thread can be started: {0}")]
    Thread(#[source] io::Error),
}

/// An open destination.
pub(super) enum Output {
    Stdout,
    Stderr,
    File(File),
    #[cfg(test)]
    Test(Box<dyn Write + Send>),
}

impl Output {
    pub(super) fn open(destination: &AuditDestination) -> Result<Self, AuditError> {
        match destination {
            AuditDestination::Stdout => Ok(Self::Stdout),
            AuditDestination::Stderr => Ok(Self::Stderr),
            AuditDestination::File(path) => open(path).map(Self::File),
        }
    }

    /// Writes some of `bytes`, and tells how many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            // The standard output buffers: what it has taken must leave it.
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush().map(|()| bytes.len())
            }
            Self::Stderr => io::stderr().write(bytes),
            Self::File(file) => file.write(bytes),
            #[cfg(test)]
            Self::Test(output) => output.write(bytes),
        }
    }
}

fn open(path: &Path) -> Result<File, AuditError> {
    let opened = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path);
    opened.map_err(|source| AuditError::File { path: path.to_owned(), source })
}
