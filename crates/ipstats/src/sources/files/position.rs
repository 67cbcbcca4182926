//! Where a followed file was read up to, and whether a file is still the one it was.
//!
//! A file is known by device and inode, which survive a rotation. Both can come back for another file, and a file can be
//! emptied and written anew; so the bytes before the place are compared too, and where they differ the file is read from
//! its beginning. That is never wrong: what is read twice changes nothing.

use crate::clock::Clock;
use aws_lc_rs::digest::{self, SHA256};
use ipstats_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

/// How many bytes before the place are compared.
const GUARD_BYTES: u64 = 1024;

/// A file on this machine, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// A file as it is at one moment: what changes when it is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) identity: Identity,
    /// In bytes.
    pub(super) length: u64,
    modified: (i64, i64),
}

/// A place in a file, as its checkpoint keeps it (JSON; fields may be added).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Bytes of the file whose records are in the store.
    pub(super) offset: u64,
    /// Hash of the bytes before.
    guard: String,
    /// Format of the file.
    pub(super) format: Option<String>,
    /// The header in force at the place.
    pub(super) header: Vec<u8>,
    /// When that was, in seconds since the epoch.
    pub(super) at: i64,
}

impl Version {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::of_metadata(&metadata))
    }

    pub(super) fn of_metadata(metadata: &Metadata) -> Self {
        Self {
            identity: Identity { device: metadata.dev(), inode: metadata.ino() },
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// When the file was last written to: seconds since the epoch, and nanoseconds.
    pub(super) const fn modified(self) -> (i64, i64) {
        self.modified
    }

    /// Whether nobody wrote to the file since `time`.
    pub(super) const fn was_written_before(self, time: Timestamp) -> bool {
        self.modified.0 < time.second()
    }

    /// Whether nobody wrote to the file for `age`. A time in the future makes a file young.
    pub(super) fn is_older(self, age: Duration) -> bool {
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        Clock::System.now().second().saturating_sub(self.modified.0) > age
    }
}

impl Identity {
    /// The name of the file's checkpoint.
    pub(super) fn name(self) -> String {
        format!("{:x}-{:x}", self.device, self.inode)
    }
}

impl Position {
    /// The place `offset` of `file`.
    pub(super) fn new(
        file: &File,
        offset: u64,
        format: Option<&str>,
        header: &[u8],
        at: i64,
    ) -> io::Result<Self> {
        let format = format.map(str::to_owned);
        Ok(Self { offset, guard: guard(file, offset)?, format, header: header.to_vec(), at })
    }

    /// Whether `file` still has the bytes before the place.
    pub(super) fn fits(&self, file: &File) -> io::Result<bool> {
        if file.metadata()?.len() < self.offset {
            return Ok(false);
        }
        Ok(guard(file, self.offset)? == self.guard)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // Strings and numbers always serialize; an empty checkpoint would mean: from the beginning.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What a checkpoint says; nothing if it is of a form that is not known.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Hash of the bytes of `file` before `offset`.
pub(super) fn guard(file: &File, offset: u64) -> io::Result<String> {
    let start = offset.saturating_sub(GUARD_BYTES);
    let mut bytes = vec![0; usize::try_from(offset - start).unwrap_or_default()];
    file.read_exact_at(&mut bytes, start)?;
    let hash = digest::digest(&SHA256, &bytes);
    let first = hash.as_ref().first_chunk().copied().unwrap_or_default();
    Ok(format!("{:032x}", u128::from_be_bytes(first)))
}
