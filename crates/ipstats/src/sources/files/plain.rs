//! Reading a file that grows.

use super::file::{FileError, Reading, Step};
use super::position::{Position, Version, guard};
use crate::sources::recorder::{Recorder, Stopped};
use ipstats_formats::Framer;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// Bytes that are read of one file before others have their turn.
const TURN_BYTES: u64 = 64 << 20;

/// A file that nobody wrote to for this long is closed between two looks.
const LIVE: Duration = Duration::from_mins(10);

/// A file that nobody wrote to for this long is taken as it is, its last line included although no line end follows it.
const QUIET: Duration = Duration::from_secs(30);

pub(super) struct Plain {
    /// Open while the file is live.
    file: Option<File>,
    framer: Framer,
    /// Bytes that were fed to the framer.
    fed: u64,
    /// Hash of the bytes before `fed`.
    guard: String,
    /// The offset of the last position that was given out.
    saved_offset: u64,
    /// Up to where the last line was taken although no line end follows it.
    last_line_to: u64,
}

impl Plain {
    /// Begins at the checkpoint, which fits the file, or at the start.
    pub(super) fn begin(file: &File, reading: &Reading) -> io::Result<Self> {
        let mut plain = Self {
            file: None,
            framer: reading.framer(reading.choice),
            fed: 0,
            guard: guard(file, 0)?,
            saved_offset: 0,
            last_line_to: 0,
        };
        if let Some(begin) = &reading.begin {
            let format = begin.format.as_deref().and_then(|name| name.parse().ok());
            let mut framer = reading.framer(format.unwrap_or(reading.choice));
            if framer.feed(&begin.header, &mut Vec::new()).is_ok() {
                plain = Self {
                    framer,
                    fed: begin.offset,
                    guard: guard(file, begin.offset)?,
                    saved_offset: begin.offset,
                    ..plain
                };
            }
        }
        Ok(plain)
    }

    /// The file, where it is open.
    pub(super) fn file(&self) -> Option<io::Result<File>> {
        self.file.as_ref().map(File::try_clone)
    }

    /// Bytes of this version of the file that were not read yet.
    pub(super) const fn left(&self, version: Version) -> u64 {
        version.length.saturating_sub(self.fed)
    }

    /// Whether the file is not what it was: shorter, or with other bytes before the place.
    pub(super) fn is_another(&self, file: &File, length: u64) -> io::Result<bool> {
        Ok(length < self.fed || guard(file, self.fed)? != self.guard)
    }

    /// Reads on up to `limit`, a turn at most.
    pub(super) fn read(
        &mut self,
        mut file: File,
        version: Version,
        limit: u64,
        reading: &Reading,
        recorder: &mut Recorder,
    ) -> Result<Result<Step, FileError>, Stopped> {
        let begun = self.fed;
        if version.length == self.fed && !self.is_settled(version) {
            return self.take_last_line(&file, version, reading, recorder);
        }
        if self.fed >= limit && self.fed < version.length {
            // It may be renamed while it waits.
            self.file = (!version.is_older(LIVE)).then_some(file);
            return Ok(Ok(Step::Waits));
        }
        let read = match file.seek(SeekFrom::Start(self.fed)) {
            Ok(_) => self.read_on(&mut (&file).take(limit.saturating_sub(self.fed)), recorder)?,
            Err(error) => Err(error.into()),
        };
        let guarded = guard(&file, self.fed).map(|guard| self.guard = guard);
        // A source has many files and a process few descriptors: only live files stay open.
        self.file = (!version.is_older(LIVE)).then_some(file);
        let step = if self.fed == begun { Step::Idle } else { Step::Read { bytes: self.fed - begun } };
        Ok(read.and_then(|()| guarded.map(|()| step).map_err(FileError::from)))
    }

    /// Where the file was read up to, if that is news.
    pub(super) fn new_position(&mut self, path: &Path, now: i64) -> io::Result<Option<Position>> {
        let offset = self.fed - self.framer.held_bytes() as u64;
        if offset == self.saved_offset {
            return Ok(None);
        }
        let file = self.file.as_ref().map_or_else(|| File::open(path), File::try_clone)?;
        let format = Some(self.framer.rest_choice().name());
        let position = Position::new(&file, offset, format, self.framer.header(), now)?;
        self.saved_offset = offset;
        Ok(Some(position))
    }

    /// The file has ended: its last line counts although no line end follows it.
    pub(super) fn finish(mut self, recorder: &mut Recorder) -> Result<(), Stopped> {
        let mut frames = Vec::new();
        // What is no log was said before.
        let _ = self.framer.finish(&mut frames);
        recorder.take(&frames)
    }

    /// Whether there is nothing left to do with this version of the file.
    pub(super) fn is_settled(&self, version: Version) -> bool {
        version.length == self.fed && (self.framer.held_bytes() == 0 || self.last_line_to == self.fed)
    }

    /// Takes what follows the last line end, once the file is quiet. The place stays where it is: if the line goes on, it is
    /// read again as a whole, and what is read twice changes nothing.
    fn take_last_line(
        &mut self,
        file: &File,
        version: Version,
        reading: &Reading,
        recorder: &mut Recorder,
    ) -> Result<Result<Step, FileError>, Stopped> {
        if !version.is_older(QUIET) {
            return Ok(Ok(Step::Idle));
        }
        let length = self.framer.held_bytes();
        let mut held = vec![0; length];
        if let Err(error) = file.read_exact_at(&mut held, self.fed - length as u64) {
            return Ok(Err(error.into()));
        }
        let mut framer = reading.framer(self.framer.rest_choice());
        let mut whole = Vec::new();
        let read = framer
            .feed(self.framer.header(), &mut whole)
            .and_then(|()| framer.feed(&held, &mut whole))
            .and_then(|()| framer.finish(&mut whole));
        recorder.take(&whole)?;
        self.last_line_to = self.fed;
        Ok(read.map(|()| Step::Idle).map_err(FileError::from))
    }

    fn read_on(
        &mut self,
        file: &mut impl Read,
        recorder: &mut Recorder,
    ) -> Result<Result<(), FileError>, Stopped> {
        let turn_end = self.fed + TURN_BYTES;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = match file.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error.into())),
            };
            self.fed += count as u64;
            let pauses = count == 0 || self.fed >= turn_end || recorder.is_stopped();
            let mut frames = Vec::new();
            let mut fed = self.framer.feed(buffer.get(..count).unwrap_or_default(), &mut frames);
            if pauses {
                fed = fed.and_then(|()| self.framer.cut(&mut frames));
            }
            recorder.take(&frames)?;
            match fed {
                Err(error) => return Ok(Err(error.into())),
                Ok(()) if pauses => return Ok(Ok(())),
                Ok(()) => {}
            }
        }
    }
}
