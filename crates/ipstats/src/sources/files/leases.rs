//! The dhcp.log files of a source: which device had which address when.
//!
//! A connection whose device was not known is counted under its address, and nothing takes that back. So leases are
//! read before connections: all that are there when the source begins, and what is new in them before each look at the
//! logs. Connections wait in their files until the leases that came before them are certainly written ([`Reach`]).
//!
//! Nothing of it is kept for the next start: then all files are read again.

use super::position::{Identity, Version, guard};
use super::{FILES_MAX, matching};
use crate::config::{LeaseFiles, Pattern};
use crate::ingest::{Compression, decompressed};
use ipstats_formats::{Aliases, LeaseLog, Limits};
use ipstats_model::Timestamp;
use ipstats_model::limits::RETENTION_HOURS;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes that are read at a time.
const READ_BYTES: usize = 128 << 10;

/// A compressed file that nobody wrote to for this long is complete.
const COMPLETE: Duration = Duration::from_secs(5);

/// A file that nobody wrote to for this long is closed between two looks.
const LIVE: Duration = Duration::from_mins(10);

/// Looks at which a file is not found before it is given up.
const MISSING_LOOKS: u32 = 3;

/// Leases that ended this long ago, in seconds, name no connection that counts: a day more than what is kept.
const FORGET_SECONDS: i64 = (RETENTION_HOURS as i64 + 24) * 3600;

/// How often ended leases are forgotten.
const FORGET_PERIOD: Duration = Duration::from_hours(1);

/// Leases from which on it is worth looking for ended ones at once.
const FORGET_FROM: usize = 10_000;

/// How far the logs may be read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach {
    /// To their ends.
    Everything,
    /// What was in them this long before leases were looked at.
    Before {
        /// When leases were looked at.
        looked: Instant,
        /// How long before.
        wait: Duration,
    },
    /// Not at all.
    Nothing,
}

/// The leases of a source, followed.
pub(super) struct Leases<'a> {
    config: &'a LeaseFiles,
    logs: HashMap<Identity, LeaseFile>,
    /// Whether all files that were there at first have been read.
    is_complete: bool,
    forgot: Instant,
    forget_from: usize,
}

/// Why connections have to wait.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseError {
    #[error("no lease log matches {0}: connections wait until there is one")]
    None(String),
    #[error(
        "no lease log matches {0} any more: connections go on with the leases that were read, new ones are not known"
    )]
    Gone(String),
    #[error("the lease log {} cannot be read: {error}; connections wait", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("the lease log {} is still being written: connections wait", .0.display())]
    Incomplete(PathBuf),
}

struct LeaseFile {
    path: PathBuf,
    log: LeaseLog,
    /// Open while the file is live.
    file: Option<File>,
    /// Bytes that were read, or the length of a compressed file that was.
    fed: u64,
    /// Hash of the bytes before that.
    guard: String,
    settled: Option<Version>,
    missing_looks: u32,
}

impl<'a> Leases<'a> {
    pub(super) fn new(config: &'a LeaseFiles) -> Self {
        Self {
            config,
            logs: HashMap::new(),
            is_complete: false,
            forgot: Instant::now(),
            forget_from: FORGET_FROM,
        }
    }

    /// Reads what is new into `aliases`; how far connections may be read then. `now` is the time of the data.
    pub(super) fn look(&mut self, aliases: &mut Aliases, now: Timestamp) -> Result<Reach, LeaseError> {
        let looked = Instant::now();
        let oldest = now.plus_seconds(-FORGET_SECONDS);
        let found = self.discover(oldest);
        let mut waits = None;
        for (identity, version) in &found {
            let Some(log) = self.logs.get_mut(identity) else { continue };
            if let Err(error) = log.read(*version, aliases) {
                // An archive that is made while the service runs holds what was read before it was one.
                let hinders = !self.is_complete || !matches!(error, LeaseError::Incomplete(_));
                waits = waits.or(hinders.then_some(error));
            }
            self.forget(aliases, oldest);
        }
        self.read_renamed(&found, aliases);
        match waits {
            Some(error) => Err(error),
            None if self.logs.is_empty() && !self.is_complete => Err(LeaseError::None(self.names())),
            None => {
                self.is_complete = true;
                Ok(Reach::Before { looked, wait: self.config.wait })
            }
        }
    }

    /// What is wrong where all logs that there were are gone.
    pub(super) fn all_gone(&self) -> Option<LeaseError> {
        (self.is_complete && self.logs.is_empty()).then(|| LeaseError::Gone(self.names()))
    }

    /// The files there are, the one that was written to last at the end: leases are best read in the order of time. What was
    /// not written to since `oldest` has no lease that matters.
    fn discover(&mut self, oldest: Timestamp) -> Vec<(Identity, Version)> {
        self.logs.values_mut().for_each(|log| log.missing_looks = log.missing_looks.saturating_add(1));
        let (paths, _) = matching(&self.config.patterns);
        let mut found = Vec::new();
        for path in paths {
            // What goes away between two calls is not there.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let version = Version::of_metadata(&metadata);
            if !metadata.is_file() || version.was_written_before(oldest) {
                continue;
            }
            // Of years of archives, only those of the last month count here.
            if found.len() == FILES_MAX {
                break;
            }
            let log = self.logs.entry(version.identity).or_insert_with(|| LeaseFile::new(self.config));
            (log.path, log.missing_looks) = (path, 0);
            found.push((version.identity, version));
        }
        found.sort_by_key(|(_, version)| version.modified());
        found
    }

    /// Reads to their ends what has no name any more, and gives up what is long gone.
    fn read_renamed(&mut self, found: &[(Identity, Version)], aliases: &mut Aliases) {
        let is_found = |identity: &Identity| found.iter().any(|(known, _)| known == identity);
        for (_, log) in self.logs.iter_mut().filter(|(identity, _)| !is_found(identity)) {
            log.read_on(aliases);
        }
        for log in self.logs.values_mut().filter(|log| log.missing_looks > MISSING_LOOKS) {
            log.log.end(aliases);
        }
        self.logs.retain(|_, log| log.missing_looks <= MISSING_LOOKS);
    }

    /// Forgets what ended before `oldest`, now and then.
    fn forget(&mut self, aliases: &mut Aliases, oldest: Timestamp) {
        if aliases.report().leases >= self.forget_from || self.forgot.elapsed() >= FORGET_PERIOD {
            aliases.forget_ended(oldest);
            self.forgot = Instant::now();
            // Twice as many, so that each lease is looked at a bounded number of times.
            self.forget_from = (aliases.report().leases * 2).max(FORGET_FROM);
        }
    }

    fn names(&self) -> String {
        self.config.patterns.iter().map(Pattern::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl LeaseFile {
    fn new(config: &LeaseFiles) -> Self {
        Self {
            path: PathBuf::new(),
            log: LeaseLog::new(config.by, Limits::default().line_bytes_max),
            file: None,
            fed: 0,
            guard: String::new(),
            settled: None,
            missing_looks: 0,
        }
    }

    /// Reads what is new in the file, which was found as `version`.
    fn read(&mut self, version: Version, aliases: &mut Aliases) -> Result<(), LeaseError> {
        if self.settled == Some(version) {
            return Ok(());
        }
        match self.try_read(version, aliases) {
            Ok(true) => {
                self.settled = Some(version);
                Ok(())
            }
            Ok(false) => Err(LeaseError::Incomplete(self.path.clone())),
            // It goes away as we look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(LeaseError::Io { path: self.path.clone(), error }),
        }
    }

    /// Whether the file could be read to its end.
    fn try_read(&mut self, version: Version, aliases: &mut Aliases) -> io::Result<bool> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        if Version::of(&file)?.identity != version.identity {
            return Ok(false);
        }
        match Compression::of_file(&file)? {
            Compression::None | Compression::Deflate => {
                if version.length < self.fed || guard(&file, self.fed)? != self.guard {
                    self.log.end(aliases);
                    self.fed = 0;
                }
                self.file = Some(file);
                self.read_plain(aliases)?;
                if version.is_older(LIVE) {
                    self.file = None;
                }
                Ok(true)
            }
            _ if !version.is_older(COMPLETE) => Ok(false),
            Compression::Gzip | Compression::Zstd => {
                if let Err(error) = read_whole(file, &mut self.log, aliases) {
                    damaged(&self.path, &error);
                }
                Ok(true)
            }
        }
    }

    /// Reads on in a file that has no name any more. What cannot be read then is lost with it.
    fn read_on(&mut self, aliases: &mut Aliases) {
        if let Err(error) = self.read_plain(aliases) {
            damaged(&self.path, &error);
            self.file = None;
        }
    }

    fn read_plain(&mut self, aliases: &mut Aliases) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.seek(SeekFrom::Start(self.fed))?;
        self.fed += feed(file, &mut self.log, aliases)?;
        self.guard = guard(file, self.fed)?;
        Ok(())
    }
}

fn read_whole(file: File, log: &mut LeaseLog, aliases: &mut Aliases) -> io::Result<()> {
    let mut reader = decompressed(file)?.reader;
    let read = feed(&mut reader, log, aliases);
    log.end(aliases);
    read.map(drop)
}

/// Feeds all that `reader` has; how many bytes that were.
fn feed(reader: &mut impl Read, log: &mut LeaseLog, aliases: &mut Aliases) -> io::Result<u64> {
    let (mut buffer, mut bytes) = (vec![0; READ_BYTES], 0);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(count) => {
                log.feed(buffer.get(..count).unwrap_or_default(), aliases);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn damaged(path: &Path, error: &io::Error) {
    tracing::warn!(
        file = %path.display(),
        "the lease log is damaged or ends too early ({error}): devices whose leases were in it go by their addresses"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn years_of_archives_do_not_hide_the_leases_of_today() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().metadata().unwrap();
        let (now, long_ago) = (made.mtime(), made.modified().unwrap() - Duration::from_hours(24 * 365));
        for number in 0..=FILES_MAX {
            let archive = File::create(folder.path().join(format!("dhcp.{number:05}.log"))).unwrap();
            archive.set_modified(long_ago).unwrap();
        }
        let mut log = File::create(folder.path().join("dhcp.log")).unwrap();
        writeln!(log, "#separator \\x09\n#path\tdhcp\n#fields\tts\tmac\tassigned_addr\tlease_time").unwrap();
        writeln!(log, "{now}.0\t08:00:27:00:00:0a\t10.0.0.1\t600.0").unwrap();
        let pattern = folder.path().join("dhcp.*").display().to_string();
        let config = LeaseFiles {
            patterns: vec![pattern.parse().unwrap()],
            by: ipstats_formats::AliasBy::Mac,
            wait: Duration::ZERO,
        };
        let mut aliases = Aliases::default();
        Leases::new(&config).look(&mut aliases, Timestamp::from_second(now)).unwrap();
        assert_eq!(aliases.report().leases, 1);
    }
}
