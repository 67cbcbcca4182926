//! Following files: new ones appear, live ones grow, rotated ones are read to their end, compressed ones are read whole.
//!
//! One thread looks at all files of a source once a second. It holds live files open, so that what was written just
//! before a rotation is read although the name is gone. Where devices are named by leases, connections wait in their files
//! until the leases before them are known.

mod compressed;
mod file;
mod leases;
mod plain;
mod position;
mod seen;
mod turns;

use super::account::Backlog;
use super::recorder::{Recorder, Stopped};
use crate::clock::Clock;
use crate::config::{LeaseFiles, Pattern};
use file::{Followed, Reading, Step};
use ipstats_formats::FormatChoice;
use leases::{Leases, Reach};
use position::{Identity, Position, Version};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use turns::Turns;

/// How often files are looked at.
const POLL: Duration = Duration::from_secs(1);

/// Files of one source that are looked at; more are left out and said to be.
const FILES_MAX: usize = 20_000;

/// Bytes of logs that are read before their checkpoints are written.
const SAVE_BYTES: u64 = 64 << 20;

/// A checkpoint of a file that is not there is kept for this long: it may be on a disk that comes back.
const FORGET_SECONDS: i64 = 31 * 24 * 3600;

/// Follows the files that match `patterns` until the recorder is told to stop; `leases` name the devices in them.
pub(super) fn follow(
    patterns: &[Pattern],
    leases: Option<&LeaseFiles>,
    format: FormatChoice,
    recorder: Recorder,
) {
    let leases = leases.map(Leases::new);
    let mut follower = Follower {
        patterns,
        leases,
        format,
        recorder,
        files: HashMap::new(),
        names: HashMap::new(),
        turns: Turns::default(),
        troubles: Vec::new(),
    };
    // Stopped at any point: what was read and not recorded is read again after the next start.
    let _ = follower.run();
}

struct Follower<'a> {
    patterns: &'a [Pattern],
    leases: Option<Leases<'a>>,
    format: FormatChoice,
    recorder: Recorder,
    files: HashMap<Identity, Followed>,
    /// Under which name each file was found.
    names: HashMap<PathBuf, Identity>,
    turns: Turns,
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
            let reach = self.reach();
            let progressed = self.round(&found, reach)?;
            self.tell();
            if self.recorder.is_stopped() {
                return Err(Stopped);
            }
            if !progressed {
                self.recorder.wait(POLL)?;
            }
        }
    }

    /// Reads what is new of the leases; how far the files may be read then.
    fn reach(&mut self) -> Reach {
        let Some(leases) = &mut self.leases else { return Reach::Everything };
        let now = self.recorder.data_now();
        let reach = leases.look(self.recorder.aliases(), now).unwrap_or_else(|error| {
            self.troubles.push(error.to_string());
            Reach::Nothing
        });
        self.troubles.extend(leases.all_gone().map(|error| error.to_string()));
        reach
    }

    /// Looks at every file once; whether there was anything new.
    fn round(&mut self, found: &HashMap<Identity, Version>, reach: Reach) -> Result<bool, Stopped> {
        let order: Vec<_> = self.files.keys().copied().collect();
        let (mut progressed, mut unsaved_bytes) = (false, 0);
        self.note_backlog(found);
        for identity in order {
            let Some(file) = self.files.get_mut(&identity) else { continue };
            if let Step::Read { bytes } =
                file.step(found.get(&identity).copied(), reach, &mut self.recorder)?
            {
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

    /// Finds the files there are now; those that are certainly not there any more are marked.
    fn discover(&mut self, kept: &mut HashMap<String, Position>) -> HashMap<Identity, Version> {
        let mut found = HashMap::new();
        let (paths, troubles) = matching(self.patterns);
        if troubles.is_empty() {
            self.files.values_mut().for_each(Followed::not_found);
        }
        self.troubles.extend(troubles);
        self.turns.begin_round();
        let names = std::mem::take(&mut self.names);
        for path in paths {
            if let Some((identity, version)) = names.get(&path).and_then(|known| self.resting(*known)) {
                if let Some(file) = self.files.get_mut(&identity) {
                    file.found_at(path.clone());
                }
                self.names.insert(path, identity);
                found.insert(identity, version);
                continue;
            }
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // It went away between two calls.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.troubles.push(format!("{}: {error}", path.display()));
                    if let Some(identity) = names.get(&path)
                        && let Some(known) = self.files.get_mut(identity)
                    {
                        self.names.insert(path.clone(), *identity);
                        known.found_at(path);
                    }
                    continue;
                }
            };
            if !metadata.is_file() {
                continue;
            }
            let version = Version::of_metadata(&metadata);
            let identity = version.identity;
            self.names.insert(path.clone(), identity);
            if let Some(known) = self.files.get_mut(&identity) {
                known.found_at(path);
            } else if self.files.len() < FILES_MAX {
                let begin = kept.remove(&identity.name());
                let settings = self.recorder.settings().clone();
                let reading = Reading { choice: self.format, settings, begin };
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

    /// The file, as it was, where it is at rest and it is not its turn to be looked at.
    fn resting(&mut self, identity: Identity) -> Option<(Identity, Version)> {
        let version = self.files.get(&identity)?.resting()?;
        (!self.turns.is_next()).then_some((identity, version))
    }

    fn forget_old(&mut self, kept: &HashMap<String, Position>) -> Result<(), Stopped> {
        let now = Clock::System.now().second();
        let old = kept.iter().filter(|(_, position)| position.at < now - FORGET_SECONDS);
        let forgotten: Vec<_> = old.map(|(name, _)| (name.clone(), None)).collect();
        self.recorder.set_checkpoints(&forgotten)
    }

    /// Says what hindered the source in this round, or that nothing did. Troubles of files are in the log already.
    fn tell(&mut self) {
        match (self.troubles.as_slice(), first_of(self.files.values().filter_map(Followed::trouble))) {
            ([], None) => self.recorder.recovered(),
            ([], Some(of_files)) => self.recorder.note_trouble(of_files),
            ([first, ..], _) => self.recorder.trouble(first),
        }
        self.troubles.clear();
        self.recorder.account().set_warning(first_of(self.files.values().filter_map(Followed::warning)));
    }
}

/// The first of these, and how many more files have one.
fn first_of(mut texts: impl Iterator<Item = String>) -> Option<String> {
    let first = texts.next()?;
    Some(match texts.count() {
        0 => first,
        1 => format!("{first} (and 1 more file)"),
        others => format!("{first} (and {others} more files)"),
    })
}

/// The paths that match `patterns`, and why some places could not be looked at.
fn matching(patterns: &[Pattern]) -> (Vec<PathBuf>, Vec<String>) {
    let (mut paths, mut troubles) = (Vec::new(), Vec::new());
    for pattern in patterns {
        // Checked when the configuration was read.
        let Ok(found) = glob::glob(pattern.as_str()) else { continue };
        for entry in found {
            match entry {
                Ok(path) => paths.push(path),
                Err(error) => troubles.push(error.to_string()),
            }
        }
    }
    (paths, troubles)
}
