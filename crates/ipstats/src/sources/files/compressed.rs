//! Reading a compressed file: whole, once nobody writes to it any more.

use super::file::{FileError, Reading, Step};
use super::leases::Reach;
use super::position::{Position, Version};
use crate::clock::Clock;
use crate::ingest::{Decompressed, decompressed};
use crate::sources::recorder::{Recorder, Stopped};
use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// A file that nobody wrote to for this long is complete.
const COMPLETE: Duration = Duration::from_secs(5);

pub(super) struct Compressed {
    /// How long the file was when it was read before a restart.
    read_before: Option<u64>,
    /// The file as it was when it was read, or found damaged.
    tried: Option<Version>,
    /// The file as it was last seen, and since when.
    seen: Option<(Version, Instant)>,
    /// The end of the file, once it was read and until somebody asked.
    position: Option<Position>,
    /// What is odd about its end, as it was read last.
    warning: Option<String>,
}

impl Compressed {
    /// Begins at the start, unless the checkpoint, which fits the file, is its end.
    pub(super) fn begin(reading: &Reading) -> Self {
        let read_before = reading.begin.as_ref().map(|begin| begin.offset);
        Self { read_before, tried: None, seen: None, position: None, warning: None }
    }

    /// Whether there is nothing to do with this version of the file.
    pub(super) fn is_done_with(&self, version: Version) -> bool {
        match self.tried {
            Some(tried) => tried == version,
            None => self.read_before == Some(version.length),
        }
    }

    pub(super) const fn new_position(&mut self) -> Option<Position> {
        self.position.take()
    }

    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Whether nobody has written to the file for `age`: by its time, or, where that lies in the future, by looking at it.
    fn is_complete(&mut self, version: Version, age: Duration) -> bool {
        let since = match self.seen {
            Some((seen, since)) if seen == version => since,
            _ => self.seen.insert((version, Instant::now())).1,
        };
        version.is_older(age) || since.elapsed() >= age
    }

    /// Reads the file from its beginning to its end, if it is complete and not what it was.
    pub(super) fn read(
        &mut self,
        file: &File,
        version: Version,
        reach: Reach,
        reading: &Reading,
        recorder: &mut Recorder,
    ) -> Result<Result<Step, FileError>, Stopped> {
        if self.is_done_with(version) || !self.is_complete(version, COMPLETE.max(reach.age())) {
            return Ok(Ok(Step::Idle));
        }
        let read = match file.try_clone() {
            Ok(again) => read_whole(again, reading, recorder)?,
            Err(error) => Err(error.into()),
        };
        // What the system could not read is tried again.
        if !matches!(read, Err(FileError::Io(_))) {
            self.tried = Some(version);
        }
        Ok(read.and_then(|(bytes, warning)| {
            self.warning = warning;
            let now = Clock::System.now().second();
            self.position = Some(Position::new(file, version.length, None, &[], now)?);
            Ok(Step::Read { bytes })
        }))
    }
}

/// Returns how many bytes there were without the compression, and what is odd about the end of the compressed data.
fn read_whole(
    file: File,
    reading: &Reading,
    recorder: &mut Recorder,
) -> Result<Result<(u64, Option<String>), FileError>, Stopped> {
    let Decompressed { compression, mut reader, trailing } = match decompressed(file) {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(error.into())),
    };
    let mut framer = reading.framer(reading.choice);
    let (mut buffer, mut bytes) = (vec![0; READ_BYTES], 0);
    loop {
        if recorder.is_stopped() {
            return Err(Stopped);
        }
        let count = match reader.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The line in which it breaks off is left out: half a record can look like a whole one.
            Err(error) => return Ok(Err(FileError::Compressed { compression, error })),
        };
        bytes += count as u64;
        let mut whole = Vec::new();
        let fed = match count {
            0 => framer.finish(&mut whole),
            _ => framer.feed(buffer.get(..count).unwrap_or_default(), &mut whole),
        };
        recorder.take(&whole)?;
        match fed {
            Err(error) => return Ok(Err(error.into())),
            Ok(()) if count == 0 => return Ok(Ok((bytes, trailing.warning()))),
            Ok(()) => {}
        }
    }
}
