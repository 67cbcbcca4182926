//! Following files: new ones appear, live ones grow, rotated ones are read to their end, compressed ones are read whole.
//!
//! One thread looks at all files of a source once a second. It holds live files open, so that what was written just
//! before a rotation is read although the name is gone.

mod compressed;
mod file;
mod plain;
mod position;

use super::account::Backlog;
use super::recorder::{Recorder, Stopped};
use crate::clock::Clock;
use crate::config::Pattern;
use file::{Followed, Reading, Step};
use ipstats_formats::FormatChoice;
use position::{Identity, Position, Version};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How often files are looked at.
const POLL: Duration = Duration::from_secs(1);

/// Files of one source that are looked at; more are left out and said to be.
const FILES_MAX: usize = 20_000;

/// Bytes of logs that are read before their checkpoints are written.
const SAVE_BYTES: u64 = 64 << 20;

/// A checkpoint of a file that is not there is kept for this long: it may be on a disk that comes back.
const FORGET_SECONDS: i64 = 31 * 24 * 3600;

/// Follows the files that match `patterns` until the recorder is told to stop.
pub(super) fn follow(patterns: &[Pattern], format: FormatChoice, recorder: Recorder) {
    let mut follower = Follower { patterns, format, recorder, files: HashMap::new(), troubles: Vec::new() };
    // Stopped at any point: what was read and not recorded is read again after the next start.
    let _ = follower.run();
}

struct Follower<'a> {
    patterns: &'a [Pattern],
    format: FormatChoice,
    recorder: Recorder,
    files: HashMap<Identity, Followed>,
    /// What hindered the source in this round.
    troubles: Vec<String>,
}

impl Follower<'_> {
    fn run(&mut self) -> Result<(), Stopped> {
        let mut kept: HashMap<String, Position> = HashMap::new();
        for (name, bytes) in self.recorder.checkpoints()? {
            kept.extend(Position::decode(&bytes).map(|position| (name, position)));
        }
        let mut first = true;
        loop {
            let found = self.discover(&mut kept);
            if first {
                self.forget_old(&kept)?;
                first = false;
            }
            let progressed = self.round(&found)?;
            self.tell();
            if self.recorder.is_stopped() {
                return Err(Stopped);
            }
            if !progressed {
                self.recorder.wait(POLL)?;
            }
        }
    }

    /// Looks at every file once; whether there was anything new.
    fn round(&mut self, found: &HashMap<Identity, Version>) -> Result<bool, Stopped> {
        let mut order: Vec<Identity> = self.files.keys().copied().collect();
        order.sort_unstable();
        let (mut progressed, mut unsaved_bytes) = (false, 0);
        self.note_backlog(found);
        for identity in order {
            let Some(file) = self.files.get_mut(&identity) else { continue };
            if let Step::Read { bytes } = file.step(found.get(&identity).copied(), &mut self.recorder)? {
                progressed = true;
                unsaved_bytes += bytes;
            }
            if unsaved_bytes >= SAVE_BYTES {
                self.save()?;
                self.note_backlog(found);
                unsaved_bytes = 0;
            }
            if self.recorder.is_stopped() {
                break;
            }
        }
        self.save()?;
        self.drop_ended()?;
        self.note_backlog(found);
        Ok(progressed)
    }

    /// Notes how much of the files that were found is still to be read.
    fn note_backlog(&self, found: &HashMap<Identity, Version>) {
        let left =
            found.iter().filter_map(|(identity, version)| Some(self.files.get(identity)?.left(*version)));
        self.recorder.set_backlog(Backlog::Bytes(left.sum()));
    }

    /// Records what was read, then notes how far.
    fn save(&mut self) -> Result<(), Stopped> {
        self.recorder.flush()?;
        let now = Clock::System.now().second();
        let mut checkpoints = Vec::new();
        for (identity, file) in &mut self.files {
            match file.new_position(now) {
                Ok(None) => {}
                Ok(Some(position)) => checkpoints.push((identity.name(), Some(position.encode()))),
                Err(error) => self.troubles.push(format!("{}: {error}", file.path().display())),
            }
        }
        self.recorder.set_checkpoints(&checkpoints)
    }

    /// Lets go of files that are gone and read to their end.
    fn drop_ended(&mut self) -> Result<(), Stopped> {
        let ended: Vec<Identity> =
            self.files.iter().filter(|(_, file)| file.has_ended()).map(|(identity, _)| *identity).collect();
        let mut forgotten = Vec::new();
        for identity in ended {
            if let Some(file) = self.files.remove(&identity) {
                file.finish(&mut self.recorder)?;
                forgotten.push((identity.name(), None));
            }
        }
        self.recorder.flush()?;
        self.recorder.set_checkpoints(&forgotten)
    }

    /// Finds the files there are now; those that are not there any more are marked.
    fn discover(&mut self, kept: &mut HashMap<String, Position>) -> HashMap<Identity, Version> {
        self.files.values_mut().for_each(Followed::not_found);
        let mut found = HashMap::new();
        for path in self.matching() {
            // What goes away between two calls is not there.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let version = Version::of_metadata(&metadata);
            let identity = version.identity;
            if let Some(known) = self.files.get_mut(&identity) {
                known.found_at(path);
            } else if self.files.len() < FILES_MAX {
                let begin = kept.remove(&identity.name());
                let reading = Reading { choice: self.format, limits: self.recorder.settings().limits, begin };
                self.files.insert(identity, Followed::new(identity, path, reading));
            } else {
                self.troubles.push(format!("more than {FILES_MAX} files match: move old logs away"));
                break;
            }
            found.insert(identity, version);
        }
        if found.is_empty() {
            let patterns: Vec<_> = self.patterns.iter().map(Pattern::as_str).collect();
            self.troubles.push(format!("no file matches {}", patterns.join(", ")));
        }
        found
    }

    fn matching(&mut self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for pattern in self.patterns {
            // Checked when the configuration was read.
            let Ok(found) = glob::glob(pattern.as_str()) else { continue };
            for entry in found {
                match entry {
                    Ok(path) => paths.push(path),
                    Err(error) => self.troubles.push(error.to_string()),
                }
            }
        }
        paths
    }

    fn forget_old(&self, kept: &HashMap<String, Position>) -> Result<(), Stopped> {
        let now = Clock::System.now().second();
        let old = kept.iter().filter(|(_, position)| position.at < now - FORGET_SECONDS);
        let forgotten: Vec<_> = old.map(|(name, _)| (name.clone(), None)).collect();
        self.recorder.set_checkpoints(&forgotten)
    }

    /// Says what hindered the source in this round, or that nothing did. Troubles of files are in the log already.
    fn tell(&mut self) {
        let of_files: Vec<String> = self.files.values().filter_map(Followed::trouble).collect();
        match (self.troubles.as_slice(), of_files.as_slice()) {
            ([], []) => self.recorder.recovered(),
            ([], [only]) => self.recorder.note_trouble(only.clone()),
            ([], [first, others @ ..]) => {
                self.recorder.note_trouble(format!("{first} (and {} more files)", others.len()));
            }
            ([first, ..], _) => self.recorder.trouble(first),
        }
        self.troubles.clear();
    }
}
