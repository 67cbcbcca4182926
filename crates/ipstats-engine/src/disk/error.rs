//! What goes wrong below the engine, in words for an operator: fjall's own errors are for its developers.

use fjall::LsmError;
use std::any::Any;
use std::io;

/// Why the disk did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// The operating system refused: the disk is full, or cannot be read or written.
    #[error(transparent)]
    Io(io::Error),
    /// A write or fsync failed before, perhaps in the background; fjall takes no more, for good reason.
    #[error("an earlier write failed")]
    Stopped,
    /// What is on the disk is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl DiskError {
    /// An entry that this program cannot have written, or a missing one that it has.
    pub(crate) fn entry(what: &str) -> Self {
        Self::Damaged(format!("{what} is not as it was written"))
    }

    /// fjall asserts where it could refuse; it does so about what it reads from a damaged disk.
    pub(super) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Self::Damaged(format!("an assertion failed while it was read: {}", text.replace('\n', " ")))
    }
}

impl From<fjall::Error> for DiskError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => error.into(),
            fjall::Error::Poisoned => Self::Stopped,
            // It has no words of its own, only names of variants.
            fjall::Error::Storage(error) => Self::Damaged(format!("{error:?}")),
            error => Self::Damaged(format!("{error:?}")),
        }
    }
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A file that is too short, or has something else in it.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            _ => Self::Io(error),
        }
    }
}
