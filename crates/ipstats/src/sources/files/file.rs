//! One file that is looked at again and again.

use super::compressed::Compressed;
use super::leases::Reach;
use super::plain::Plain;
use super::position::{Identity, Position, Version, guard};
use super::seen::Seen;
use crate::ingest::Compression;
use crate::sources::recorder::{Recorder, Stopped};
use ipstats_formats::{FormatChoice, Framer, Settings, StreamError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rounds in which a file is not found, and has nothing new, before it has ended.
const MISSING_ROUNDS: u32 = 3;

/// A file that nobody wrote to for this long is at rest.
const REST: Duration = Duration::from_mins(10);

/// Bytes by which a file that is no log is known again.
const BEGINNING_BYTES: u64 = 1024;

/// Bytes that tell a compression.
const HEAD_BYTES: u64 = 4;

pub(super) struct Followed {
    identity: Identity,
    path: PathBuf,
    reading: Reading,
    state: State,
    /// The file as it was when there was nothing left to do with it.
    settled: Option<Version>,
    seen: Seen,
    trouble: Option<String>,
    missing_rounds: u32,
}

/// How the content of a file is read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) choice: FormatChoice,
    pub(super) settings: Settings,
    /// Where to begin, as a checkpoint said.
    pub(super) begin: Option<Position>,
}

enum State {
    /// Not looked at, or too short to tell how it is compressed.
    New,
    Plain(Plain),
    Compressed(Compressed),
    /// No log. Nothing to do unless it becomes another file: shorter, or with another beginning.
    Refused {
        length: u64,
        beginning: String,
    },
}

/// What one look at a file brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing that could be read now.
    Idle,
    /// Nothing yet: there is something that has to wait for its leases.
    Waits,
    /// So many bytes; there may be more.
    Read { bytes: u64 },
}

/// Why a file cannot be read now.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("the {compression} data is damaged or ends too early: {error}")]
    Compressed { compression: Compression, error: io::Error },
    #[error("{0}")]
    Content(#[from] StreamError),
}

impl Reading {
    /// What cuts a part of the file into frames.
    pub(super) fn framer(&self, choice: FormatChoice) -> Framer {
        Framer::of_source(choice, &self.settings)
    }
}

impl Followed {
    pub(super) fn new(identity: Identity, path: PathBuf, reading: Reading) -> Self {
        Self {
            identity,
            path,
            reading,
            state: State::New,
            settled: None,
            seen: Seen::default(),
            trouble: None,
            missing_rounds: 0,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What hinders reading it.
    pub(super) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        Some(format!("{}: {trouble}", self.path.display()))
    }

    /// What is odd about it, although it was read.
    pub(super) fn warning(&self) -> Option<String> {
        let State::Compressed(compressed) = &self.state else { return None };
        Some(format!("{}: {}", self.path.display(), compressed.warning()?))
    }

    /// Bytes of this version of the file that are still to be read, as they are stored.
    pub(super) fn left(&self, version: Version) -> u64 {
        match &self.state {
            _ if self.settled == Some(version) => 0,
            State::Plain(plain) => plain.left(version),
            State::Compressed(compressed) if compressed.is_done_with(version) => 0,
            State::New | State::Compressed(_) => version.length,
            State::Refused { .. } => 0,
        }
    }

    /// The file as it was when there was nothing left to do with it, if nobody has written to it for a while.
    pub(super) fn resting(&self) -> Option<Version> {
        self.settled.filter(|version| version.is_older(REST))
    }

    /// The file was found under this name.
    pub(super) fn found_at(&mut self, path: PathBuf) {
        self.path = path;
        self.missing_rounds = 0;
    }

    /// The file was not found, unless [`found_at`](Self::found_at) says otherwise.
    pub(super) const fn not_found(&mut self) {
        self.missing_rounds = self.missing_rounds.saturating_add(1);
    }

    /// Whether the file is gone for good, with nothing left to read.
    pub(super) const fn has_ended(&self) -> bool {
        self.missing_rounds > MISSING_ROUNDS
    }

    /// Reads what is new in the file as far as `reach`, of which `found` was seen where it was found.
    pub(super) fn step(
        &mut self,
        found: Option<Version>,
        reach: Reach,
        recorder: &mut Recorder,
    ) -> Result<Step, Stopped> {
        let open = match &self.state {
            State::Plain(plain) => plain.file(),
            _ => None,
        };
        if open.is_none() && (found.is_none() || found == self.settled) {
            return Ok(Step::Idle);
        }
        let step = match self.look(open, reach, recorder)? {
            Ok(step) => {
                if !matches!(self.state, State::Refused { .. }) {
                    self.recovered();
                }
                step
            }
            Err(error) => {
                self.hindered(error.to_string());
                Step::Idle
            }
        };
        if step != Step::Idle {
            // What is being read has not ended.
            self.missing_rounds = self.missing_rounds.min(1);
        }
        Ok(step)
    }

    /// Where the file was read up to, if that is news. What is before it must be durable.
    pub(super) fn new_position(&mut self, now: i64) -> io::Result<Option<Position>> {
        match &mut self.state {
            State::Plain(plain) => plain.new_position(&self.path, now),
            State::Compressed(compressed) => Ok(compressed.new_position()),
            State::New | State::Refused { .. } => Ok(None),
        }
    }

    /// The file has ended: its last line counts although no line end follows it.
    pub(super) fn finish(self, recorder: &mut Recorder) -> Result<(), Stopped> {
        match self.state {
            State::Plain(plain) => plain.finish(recorder),
            State::New | State::Compressed(_) | State::Refused { .. } => Ok(()),
        }
    }

    /// Notes what hinders reading the file; it is logged when it is news.
    fn hindered(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(file = %self.path.display(), "{trouble}");
            self.trouble = Some(trouble);
        }
    }

    fn recovered(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(file = %self.path.display(), "can be read again");
        }
    }

    fn look(
        &mut self,
        open: Option<io::Result<File>>,
        reach: Reach,
        recorder: &mut Recorder,
    ) -> Result<Result<Step, FileError>, Stopped> {
        let opened = open.unwrap_or_else(|| File::open(&self.path));
        let (file, version) = match opened.and_then(|file| Version::of(&file).map(|version| (file, version)))
        {
            Ok((file, version)) if version.identity == self.identity => (file, version),
            // Another file took the name, or it goes away as we look: the next round knows more.
            Ok(_) => return Ok(Ok(Step::Idle)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Step::Idle)),
            Err(error) => return Ok(Err(error.into())),
        };
        if Some(version) == self.settled {
            return Ok(Ok(Step::Idle));
        }
        if let Err(error) = self.begin(&file, version) {
            return Ok(Err(error.into()));
        }
        let step = match &mut self.state {
            State::New | State::Refused { .. } => Ok(Step::Idle),
            State::Plain(plain) => {
                let limit = self.seen.limit(version, reach);
                plain.read(file, version, limit, &self.reading, recorder)?
            }
            State::Compressed(compressed) => {
                let step = compressed.read(&file, version, reach, &self.reading, recorder)?;
                if let (Ok(Step::Read { .. }), Some(warning)) = (&step, compressed.warning()) {
                    tracing::warn!(file = %self.path.display(), "{warning}");
                }
                step
            }
        };
        if let Err(FileError::Content(_)) = step {
            let beginning = File::open(&self.path).and_then(|file| beginning(&file, version.length));
            self.state = State::Refused { length: version.length, beginning: beginning.unwrap_or_default() };
        }
        let is_settled = match &self.state {
            State::New => false,
            State::Compressed(compressed) => compressed.is_done_with(version),
            State::Plain(plain) => matches!(step, Ok(Step::Idle)) && plain.is_settled(version),
            State::Refused { .. } => true,
        };
        if is_settled {
            self.settled = Some(version);
        }
        Ok(step)
    }

    /// Sees to it that the state is that of the file at hand.
    fn begin(&mut self, file: &File, version: Version) -> io::Result<()> {
        let is_another = match &self.state {
            State::New => version.length >= HEAD_BYTES,
            State::Plain(plain) => plain.is_another(file, version.length)?,
            State::Compressed(compressed) => {
                !compressed.is_done_with(version) && Compression::of_file(file)? == Compression::None
            }
            State::Refused { length, beginning: known } => {
                version.length < *length || beginning(file, *length)? != *known
            }
        };
        if !is_another {
            return Ok(());
        }
        if !matches!(self.state, State::New) {
            tracing::info!(file = %self.path.display(), "was written anew: it is read from its beginning");
            self.reading.begin = None;
            self.seen = Seen::default();
        }
        if let Some(begin) = &self.reading.begin
            && !begin.fits(file)?
        {
            self.reading.begin = None;
        }
        self.state = match Compression::of_file(file)? {
            // Deflate is never seen in a file.
            Compression::None | Compression::Deflate => State::Plain(Plain::begin(file, &self.reading)?),
            Compression::Gzip | Compression::Zstd => State::Compressed(Compressed::begin(&self.reading)),
        };
        Ok(())
    }
}

/// Hash of the first bytes of a file of `length`.
fn beginning(file: &File, length: u64) -> io::Result<String> {
    guard(file, length.min(BEGINNING_BYTES))
}
