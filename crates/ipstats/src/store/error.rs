//! Why a store does not open, answer or acknowledge: one enum each, for all backends.

use super::clickhouse::ClickHouseOpenError;
use super::clock_check::PinnedBeforeData;
use super::pieces::PieceAhead;
use ipstats_engine::{FolderError, OpenError, ReadError, RecordError};
use std::error::Error;

/// What a backend says is wrong, with the way out.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// The data folder could not be opened.
    #[error(transparent)]
    Engine(#[from] OpenError),
    /// ClickHouse cannot be used.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseOpenError),
    /// The pinned clock lies before data already stored.
    #[error(transparent)]
    Pinned(#[from] PinnedBeforeData),
    /// The store could not be asked what it holds.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenStoreError {
    /// Whether another process has the data folder open.
    pub const fn is_in_use(&self) -> bool {
        matches!(self, Self::Engine(OpenError::Folder(FolderError::InUse { .. })))
    }
}

/// Why the store did not answer or acknowledge.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much is waiting already; a later try may succeed.
    #[error("the store is busy: as many calls as it can queue are in progress ({waiting})")]
    Busy {
        /// The limit that was reached.
        waiting: usize,
    },
    /// The store is closed, or about to be.
    #[error("the store is closed")]
    Closed,
    /// The store cannot be read.
    #[error(transparent)]
    Read(Cause),
    /// The store acknowledges no records.
    #[error(transparent)]
    Write(Cause),
    /// What another store holds cannot be right here.
    #[error(transparent)]
    PieceAhead(PieceAhead),
    /// The call itself failed: a defect.
    #[error("a call of the store ended early: {0}")]
    Defect(String),
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        Self::Read(error.into())
    }
}

impl From<RecordError> for StoreError {
    fn from(error: RecordError) -> Self {
        Self::Write(error.into())
    }
}
