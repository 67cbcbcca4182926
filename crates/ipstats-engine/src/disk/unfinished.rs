//! Recognizes a database whose creation was killed before it could hold a record.
//!
//! fjall 3.1 creates `lock`, `keyspaces/`, `0.jnl` (preallocated with zeros) and `version`, in this order, and then the first
//! keyspace. Without `version` it tries to create all of them again and fails at `lock`. A record needs a keyspace and
//! bytes in a journal: a database with neither holds no record, whatever else happened to it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

const FILES: [&str; 4] = ["lock", "keyspaces", "0.jnl", "version"];
const BUFFER_BYTES: usize = 64 << 10;

/// Whether `database` is what a killed creation left: these files and no others, no keyspace, nothing in the journal.
pub(crate) fn is_unfinished(database: &Path) -> io::Result<bool> {
    if !is_folder(database)? {
        return Ok(false);
    }
    for file in fs::read_dir(database)? {
        let name = file?.file_name();
        if !FILES.iter().any(|known| name == *known) {
            return Ok(false);
        }
    }
    let keyspaces = database.join("keyspaces");
    if is_folder(&keyspaces)? && fs::read_dir(keyspaces)?.next().is_some() {
        return Ok(false);
    }
    match File::open(database.join("0.jnl")) {
        Ok(journal) => is_all_zeros(journal),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_folder(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_all_zeros(mut file: File) -> io::Result<bool> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(true);
        }
        if buffer.iter().take(count).any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file that fjall creates, one after the other, is unfinished; one byte of a record is not.
    #[test]
    fn recognizes_killed_creation() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("store");
        assert!(!is_unfinished(&database).unwrap(), "there is no database");
        fs::create_dir(&database).unwrap();
        assert!(is_unfinished(&database).unwrap());
        fs::write(database.join("lock"), "").unwrap();
        fs::create_dir(database.join("keyspaces")).unwrap();
        fs::write(database.join("0.jnl"), vec![0; BUFFER_BYTES + 1]).unwrap();
        assert!(is_unfinished(&database).unwrap());
        let mut journal = vec![0; BUFFER_BYTES + 1];
        journal[BUFFER_BYTES] = 1;
        fs::write(database.join("0.jnl"), journal).unwrap();
        assert!(!is_unfinished(&database).unwrap(), "a journal with a record");
        fs::write(database.join("0.jnl"), "").unwrap();
        fs::write(database.join("1.jnl"), "").unwrap();
        assert!(!is_unfinished(&database).unwrap(), "a second journal");
        fs::remove_file(database.join("1.jnl")).unwrap();
        fs::create_dir(database.join("keyspaces/0")).unwrap();
        assert!(!is_unfinished(&database).unwrap(), "a keyspace");
    }
}
