//! Placeholder: the public interface of the engine over a naive in-memory store. The real engine replaces it.
#![expect(missing_docs, clippy::unwrap_used, clippy::unused_self, reason = "placeholder")]

use ipstats_model::{
    Admission, Batch, CanonicalIp, Day, IpStatistics, LookBack, Minute, Organization, Timestamp, Window, admission,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

/// How an engine is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory the engine may use for its head, caches and write buffers, in bytes.
    pub memory_bytes_max: u64,
    /// Go on although acknowledged batches are missing from the journal (after a damaged disk).
    pub accept_lost_batches: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { memory_bytes_max: 1 << 30, accept_lost_batches: false }
    }
}

/// Why a data folder could not be opened. Each message names the folder and the way out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("placeholder")]
    Placeholder,
}

/// Why a batch was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A journal write or fsync failed; nothing is acknowledged any more until the process is restarted.
    #[error("the journal cannot be written: {0}")]
    Journal(String),
    /// The engine is closed.
    #[error("the engine is closed")]
    Closed,
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the store cannot be read: {0}")]
    Storage(String),
}

/// What became of the connections of an acknowledged batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub counted: u64,
    pub too_old: u64,
    pub too_far_ahead: u64,
}

/// One device behind an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceContact {
    pub device: String,
    /// Minute of the device's last contact.
    pub last: Minute,
}

/// Distinct devices on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPrevalence {
    pub day: Day,
    pub prevalence: u64,
}

/// Whether the engine acknowledges records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Accepting,
    /// It stopped acknowledging, and why; questions are still answered.
    Failed(String),
}

type Pairs = BTreeMap<(Organization, CanonicalIp), BTreeSet<(String, Timestamp)>>;

/// All methods take `&self`; the engine is `Send + Sync` and is shared by any number of threads.
pub struct Engine(Mutex<Pairs>);

impl Engine {
    /// Opens or creates the data folder and locks it against other processes.
    pub fn open(_folder: &Path, _options: Options) -> Result<Self, OpenError> {
        Ok(Self(Mutex::default()))
    }

    /// Records a batch; returns after it is durable and answerable. Records outside retention are counted and left out.
    pub fn record(&self, organization: Organization, batch: &Batch, now: Timestamp) -> Result<Recorded, RecordError> {
        let names: Vec<&str> = batch.devices().collect();
        let mut recorded = Recorded::default();
        for row in batch.rows() {
            match admission(row.at, now) {
                Admission::Accepted => recorded.counted += 1,
                Admission::TooOld => { recorded.too_old += 1; continue }
                Admission::TooFarAhead => { recorded.too_far_ahead += 1; continue }
            }
            self.0.lock().unwrap().entry((organization, row.ip)).or_default()
                .insert((names[row.device as usize].to_owned(), row.at));
        }
        Ok(recorded)
    }

    /// The answer to the main question.
    pub fn statistics(&self, organization: Organization, ip: CanonicalIp, window: Window) -> Result<IpStatistics, ReadError> {
        let pairs = self.0.lock().unwrap();
        let Some(contacts) = pairs.get(&(organization, ip)) else { return Ok(IpStatistics::Unknown) };
        let inside: Vec<_> = contacts.iter().filter(|(_, at)| window.contains(*at)).collect();
        let devices: BTreeSet<_> = inside.iter().map(|(device, _)| device).collect();
        Ok(match (inside.iter().map(|c| c.1).min(), inside.iter().map(|c| c.1).max()) {
            (Some(first), Some(last)) => IpStatistics::Seen {
                prevalence: devices.len() as u64, first_seen: window.shown(first), last_seen: window.shown(last),
            },
            _ if contacts.iter().any(|(_, at)| Window::ending_at(window.now(), LookBack::MAX).contains(*at)) => IpStatistics::NotInWindow,
            _ => IpStatistics::Unknown,
        })
    }

    /// The devices behind an answer, most recent contact first.
    pub fn devices(&self, _o: Organization, _ip: CanonicalIp, _window: Window) -> Result<Vec<DeviceContact>, ReadError> {
        Ok(Vec::new())
    }

    /// Distinct devices for each whole UTC day of the retained 30 days, and for today; oldest first.
    pub fn devices_per_day(&self, _o: Organization, _ip: CanonicalIp, _now: Timestamp) -> Result<Vec<DayPrevalence>, ReadError> {
        Ok(Vec::new())
    }

    /// The first contact ever recorded; it survives when all else has expired.
    pub fn first_ever(&self, organization: Organization, ip: CanonicalIp) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.0.lock().unwrap().get(&(organization, ip)).and_then(|c| c.iter().map(|c| c.1).min()))
    }

    /// The newest event of any organization in the store. A pinned clock must not lie before it (less the allowed 5 minutes).
    pub fn newest_event(&self) -> Option<Timestamp> {
        self.0.lock().unwrap().values().flatten().map(|c| c.1).max()
    }

    /// Writes everything recorded so far into tiles, so that the next opening has nothing to replay.
    pub fn flush(&self) -> Result<(), RecordError> {
        Ok(())
    }

    /// Whether records are acknowledged.
    pub fn health(&self) -> Health {
        Health::Accepting
    }

    /// Flushes, finishes background work and releases the lock. Dropping an engine releases the lock without a flush:
    /// nothing acknowledged is lost, the next opening replays the journal.
    pub fn close(self) -> Result<(), RecordError> {
        self.flush()
    }
}
