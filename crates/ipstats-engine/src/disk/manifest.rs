//! The check that fjall leaves out: whether each keyspace's list of tables is the one that was written.
//!
//! fjall keeps that list in `keyspaces/{id}/v{version}` and, in `keyspaces/{id}/current`, the version in force (8 bytes,
//! little-endian), the XXH3-128 of its file (16 bytes, little-endian) and the kind of checksum (0). As of 3.1 it writes
//! that checksum and never compares it: a flipped bit can bring back an older list, or another order of the tables,
//! and with it answers that are wrong. Whatever else it reads has a checksum that it does compare.

use super::DiskError;
use std::fs;
use std::io;
use std::path::Path;

const KEYSPACES_FOLDER: &str = "keyspaces";
const CURRENT_FILE: &str = "current";

/// Checks every keyspace of the database in `folder`, which is not open. One that was not made completely is left alone:
/// fjall makes it again.
pub(super) fn check_all(folder: &Path) -> Result<(), DiskError> {
    let Some(keyspaces) = existing(fs::read_dir(folder.join(KEYSPACES_FOLDER)))? else { return Ok(()) };
    for keyspace in keyspaces {
        check(&keyspace?.path())?;
    }
    Ok(())
}

fn check(keyspace: &Path) -> Result<(), DiskError> {
    let Some(current) = existing(fs::read(keyspace.join(CURRENT_FILE)))? else { return Ok(()) };
    let damaged = |what: &str| DiskError::Damaged(format!("{}: {what}", keyspace.display()));
    let (version, checksum) = parts(&current).ok_or_else(|| damaged("`current` is malformed"))?;
    let list = existing(fs::read(keyspace.join(format!("v{version}"))))?;
    let list = list.ok_or_else(|| damaged("`current` names a version that is not there"))?;
    if xxhash_rust::xxh3::xxh3_128(&list) == checksum {
        return Ok(());
    }
    Err(damaged("the list of tables is not the one that was written"))
}

/// The version and the checksum in a file `current`.
fn parts(current: &[u8]) -> Option<(u64, u128)> {
    let (version, rest) = current.split_first_chunk()?;
    let (checksum, kind) = rest.split_first_chunk()?;
    (kind == [0]).then_some((u64::from_le_bytes(*version), u128::from_le_bytes(*checksum)))
}

fn existing<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
