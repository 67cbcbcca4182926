//! What can go wrong, one enum per operation.

use crate::contacts::DamagedBatch;
use crate::devices::InternError;
use crate::disk::DiskError;
use crate::folder::FolderError;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest checkpoint, name and position together, in bytes.
pub(crate) const CHECKPOINT_BYTES_MAX: usize = 32 << 10;

/// Why a data folder could not be opened. Each message names the folder and the way out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder itself.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What the database in it holds.
    #[error(
        "data folder {}: the store cannot be opened: {reason} (restore it from a backup, or move it away and import again)",
        folder.display()
    )]
    Store {
        /// The data folder.
        folder: PathBuf,
        /// Why it failed.
        reason: String,
    },
    /// Acknowledged batches are gone.
    #[error(
        "data folder {}: the journal lost acknowledged batches {}: the disk was damaged. Import the logs of that time \
         again; to go on without them, open it once with --accept-lost-batches",
        folder.display(),
        ranges(missing)
    )]
    LostBatches {
        /// The data folder.
        folder: PathBuf,
        /// Their numbers.
        missing: Vec<RangeInclusive<u64>>,
    },
}

/// Why a batch was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A write or fsync failed; nothing is acknowledged any more until the process is restarted.
    #[error(
        "the store cannot be written: {0} (nothing acknowledged is lost; free disk space or mend the disk, then restart)"
    )]
    Failed(Arc<str>),
    /// Device names cannot be looked up.
    #[error("device names cannot be read: {0}")]
    Devices(String),
    /// A checkpoint is too long to be kept.
    #[error("a checkpoint of {bytes} bytes is too long; at most {CHECKPOINT_BYTES_MAX} are kept")]
    Checkpoint {
        /// Length of the source's name and its position, in bytes.
        bytes: usize,
    },
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk, or what it holds, is damaged.
    #[error("the store cannot be read: {0}")]
    Storage(String),
}

/// Why the store's background work stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("a thread of the flush panicked")]
    Panicked,
    #[error(transparent)]
    Batch(#[from] DamagedBatch),
    #[error("the {level} tile of {ip} in organization {organization}: {source}")]
    Tile {
        level: &'static str,
        organization: ipstats_model::Organization,
        ip: ipstats_model::CanonicalIp,
        source: crate::tile::TileError,
    },
    #[error(
        "the journal has batches of epoch {found}, which is more than 2 after the flushed epoch {flushed}"
    )]
    Epoch { found: u64, flushed: u64 },
}

impl OpenError {
    /// A disk that refuses is one thing, what it holds another: the ways out differ.
    pub(crate) fn store(folder: &Path, error: StoreError) -> Self {
        let folder = folder.to_owned();
        match error {
            StoreError::Disk(DiskError::Io(reason)) => {
                FolderError::Io { folder, action: "cannot open its store", reason }.into()
            }
            error => Self::Store { folder, reason: error.to_string() },
        }
    }
}

impl From<InternError> for RecordError {
    fn from(error: InternError) -> Self {
        Self::Devices(error.to_string())
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<DiskError> for ReadError {
    fn from(error: DiskError) -> Self {
        Self::Storage(error.to_string())
    }
}

fn ranges(ranges: &[RangeInclusive<u64>]) -> String {
    let shown: Vec<String> =
        ranges.iter().map(|range| format!("{}..={}", range.start(), range.end())).collect();
    shown.join(", ")
}
