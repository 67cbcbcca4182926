//! Zeek's dhcp.log files, read whole before the logs they name devices for.

use super::decompress::Decompressed;
use super::progress::Progress;
use super::source::{Source, SourceError};
use ipstats_formats::{AliasBy, Aliases, LeaseLog, Limits};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// A dhcp.log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", file.display())]
pub struct AliasError {
    file: PathBuf,
    error: SourceError,
}

/// The leases in `files`, compressed or not. A file that cannot be read to its end is an error: without all leases, one device
/// would go by two names.
pub fn read_aliases(files: &[PathBuf], by: AliasBy) -> Result<Aliases, AliasError> {
    let mut aliases = Aliases::default();
    for file in files {
        read(file.clone(), by, &mut aliases).map_err(|error| AliasError { file: file.clone(), error })?;
    }
    Ok(aliases)
}

fn read(file: PathBuf, by: AliasBy, aliases: &mut Aliases) -> Result<(), SourceError> {
    let mut leases = LeaseLog::new(by, Limits::default().line_bytes_max);
    let Decompressed { compression, reader: mut log, .. } =
        Source::named(file).open(&Arc::new(Progress::default()))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match log.read(&mut chunk).map_err(|error| SourceError::reading(error, compression))? {
            0 => break,
            count => leases.feed(chunk.get(..count).unwrap_or_default(), aliases),
        }
    }
    leases.end(aliases);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use tempfile::NamedTempFile;

    fn file(content: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    const LEASE: &[u8] = b"{\"ts\":100,\"mac\":\"08:00:27:00:00:01\",\"assigned_addr\":\"10.0.0.7\"}\n";

    #[test]
    fn every_file_is_read_compressed_or_not() {
        let other = String::from_utf8(LEASE.repeat(3)).unwrap().replace("10.0.0.7", "10.0.0.8");
        let zstd = zstd::encode_all(other.as_bytes(), 1).unwrap();
        let files = [file(LEASE), file(&zstd)];
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path().to_owned()).collect();
        let aliases = read_aliases(&paths, AliasBy::Mac).unwrap();
        assert_eq!((aliases.report().leases, aliases.report().malformed), (2, 0));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = read_aliases(&["no/dhcp.log".into()], AliasBy::Mac).unwrap_err().to_string();
        assert!(missing.starts_with("no/dhcp.log: there is no such file"), "{missing}");
        let mut cut = zstd::encode_all(LEASE, 1).unwrap();
        cut.truncate(cut.len() - 1);
        let cut = file(&cut);
        assert!(read_aliases(&[cut.path().to_owned()], AliasBy::Mac).is_err());
    }
}
