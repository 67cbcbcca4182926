//! The engine as its callers see it.

use crate::contacts::IpHasher;
use crate::core::Core;
use crate::devices::Devices;
use crate::disk::{self, Disk, DiskError, DiskMemory};
use crate::error::{OpenError, ReadError, RecordError, StoreError};
use crate::folder::{DataFolder, FolderError};
use crate::heads::Heads;
use crate::journal::Journal;
use crate::maintenance::Maintenance;
use crate::options::{MemoryPlan, Options};
use crate::recovery::{self, Recovered};
use crate::tiles::TileCache;
use crate::watermark::Watermark;
use ipstats_model::{
    Batch, CanonicalIp, DayPrevalence, DeviceContact, IpStatistics, Minute, Organization, Piece, Recorded,
    Timestamp, Window,
};
use parking_lot::Mutex;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// An open data folder.
///
/// All methods take `&self` and may be called from any number of threads. Dropping an engine releases the folder without
/// a flush: nothing acknowledged is lost, and the next opening replays the journal. [`close`](Self::close) flushes.
pub struct Engine {
    // Dropped in this order: the thread ends before the store is closed, and the lock is released last.
    maintenance: Maintenance,
    core: Arc<Core>,
    _folder: DataFolder,
}

/// Whether the engine acknowledges records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Accepting,
    /// It stopped, and why; questions are still answered.
    Failed(String),
}

/// What an operator watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Memory of what is not in tiles yet, in bytes.
    pub head_bytes: u64,
    /// Tiles on disk, in bytes.
    pub tile_bytes: u64,
    /// Everything in the store on disk, in bytes.
    pub disk_bytes: u64,
    /// The last epoch whose records are in tiles.
    pub flushed_epoch: u64,
}

impl Engine {
    /// Opens or creates the data folder `path` and locks it against other processes. Replays what was acknowledged and
    /// not flushed, and proves that none of it is missing.
    pub fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let folder = DataFolder::open(path)?;
        let store_failed = |error: StoreError| OpenError::store(path, error);
        let io_failed = |action| move |reason| FolderError::Io { folder: path.to_owned(), action, reason };
        let memory = MemoryPlan::of(options);
        let (watermark, known_durable) =
            Watermark::open(folder.path()).map_err(io_failed("cannot open its journal watermark"))?;
        let disk = open_disk(&folder, memory.disk, known_durable)?;
        let flushed = disk.flushed().map_err(|error| store_failed(error.into()))?;
        let hasher = IpHasher::new();
        let recovered = recovery::recover(&disk, flushed, known_durable, &hasher).map_err(store_failed)?;
        let lost = !recovered.missing.is_empty();
        if lost {
            accept_loss(path, &recovered, options)?;
        }
        let core = Arc::new(Core {
            disk,
            devices: Devices::new(memory.device_cache_bytes),
            journal: Journal::new(recovered.active.epoch(), recovered.last_sequence, watermark),
            newest: AtomicU32::new(flushed.newest.max(recovered.newest)),
            heads: Heads::new(recovered.active, recovered.sealed, flushed.epoch, hasher),
            tiles: TileCache::new(memory.tile_cache_bytes),
            memory,
            latest_now: AtomicU32::new(0),
            tile_writer: Mutex::default(),
        });
        if lost {
            core.skip_gap().map_err(store_failed)?;
        }
        let maintenance = Maintenance::start(Arc::clone(&core), options.head_age_max)
            .map_err(io_failed("cannot start its maintenance thread"))?;
        Ok(Self { maintenance, core, _folder: folder })
    }

    /// Records a batch of an organization at `now`; returns after it is durable and answerable.
    ///
    /// Records outside retention are counted and left out. Recording a batch again changes nothing. Blocks while the
    /// memory for unflushed records is used up.
    pub fn record(
        &self,
        organization: Organization,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Recorded, RecordError> {
        self.maintenance.wait_for_room(&self.core);
        let recorded = self.core.record(organization, batch, now)?;
        if self.core.is_head_full() {
            self.maintenance.wake();
        }
        Ok(recorded)
    }

    /// Distinct devices that opened a connection to `ip` within `window`, the first and the last contact.
    pub fn statistics(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<IpStatistics, ReadError> {
        Ok(self.core.parts(organization, ip)?.statistics(window))
    }

    /// The same where it is answered without reading from disk, without waiting, and within some tens of microseconds;
    /// nothing where it would take more. For threads that must not be held up.
    pub fn statistics_at_hand(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Option<IpStatistics> {
        let parts = self.core.parts_at_hand(organization, ip)?;
        parts.are_answered_at_once().then(|| parts.statistics(window))
    }

    /// The devices behind an answer, most recent contact first.
    pub fn devices(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<Vec<DeviceContact>, ReadError> {
        let mut devices = self.core.parts(organization, ip)?.devices(window);
        devices.sort_unstable_by_key(|(id, last)| (std::cmp::Reverse(*last), *id));
        let named = devices.into_iter().map(|(id, last)| {
            let device = self.core.device_name(organization, id)?;
            Ok(DeviceContact { device, last: Minute::from_index(last) })
        });
        named.collect()
    }

    /// Distinct devices on each whole UTC day of the retained 30 days, and on the day of `now` so far; oldest first.
    pub fn devices_per_day(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        now: Timestamp,
    ) -> Result<Vec<DayPrevalence>, ReadError> {
        let days = self.core.parts(organization, ip)?.devices_per_day(now);
        Ok(days.into_iter().map(|(day, prevalence)| DayPrevalence { day, prevalence }).collect())
    }

    /// How far each source of an organization was read, as [`set_checkpoints`](Self::set_checkpoints) was told.
    pub fn checkpoints(&self, organization: Organization) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        Ok(self.core.disk.checkpoints(organization)?)
    }

    /// Notes how far sources were read (a position in any form), durably, all or none; without a position, a source is
    /// forgotten. A name and its position have at most 32 KiB together.
    ///
    /// To be called after what was read is acknowledged: then a position never gets ahead of the data, whatever is lost on
    /// the way, and what is read twice changes nothing. An opening that accepts lost batches forgets all checkpoints, so
    /// that sources are read again from their beginning.
    pub fn set_checkpoints(
        &self,
        organization: Organization,
        checkpoints: &[(&str, Option<&[u8]>)],
    ) -> Result<(), RecordError> {
        self.core.set_checkpoints(organization, checkpoints)
    }

    /// As [`checkpoints`](Self::checkpoints), of all organizations.
    pub fn all_checkpoints(&self) -> Result<Vec<(Organization, String, Vec<u8>)>, ReadError> {
        Ok(self.core.disk.all_checkpoints()?)
    }

    /// Passes on everything that a question at `now` or later can see, in pieces for [`add_piece`](Self::add_piece) of
    /// another engine, until told to stop. What was acknowledged before the call is in them; what is recorded meanwhile may
    /// be. Contacts further ahead of `now` than a record may lie are left out; how many. Holds nobody up.
    pub fn read_pieces(
        &self,
        now: Timestamp,
        each: impl FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<u64, ReadError> {
        self.core.read_pieces(now, each)
    }

    /// Joins a piece with what is known; returns after it is durable and answerable. Doing it again changes nothing. Blocks
    /// as [`record`](Self::record) does.
    pub fn add_piece(&self, piece: &Piece) -> Result<(), RecordError> {
        self.maintenance.wait_for_room(&self.core);
        self.core.add_piece(piece)?;
        if self.core.is_head_full() {
            self.maintenance.wake();
        }
        Ok(())
    }

    /// The first contact ever recorded; it survives when all else has expired.
    pub fn first_ever(
        &self,
        organization: Organization,
        ip: CanonicalIp,
    ) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.core.parts(organization, ip)?.first_ever())
    }

    /// The newest contact of any organization in the store. A pinned clock must not lie more than 5 minutes before it.
    pub fn newest_event(&self) -> Option<Timestamp> {
        match self.core.newest.load(Ordering::Acquire) {
            0 => None,
            second => Some(Timestamp::from_second(i64::from(second))),
        }
    }

    /// Writes everything recorded so far into tiles, so that the next opening has nothing to replay.
    pub fn flush(&self) -> Result<(), RecordError> {
        self.maintenance.flush();
        match self.core.journal.failure() {
            None => Ok(()),
            Some(reason) => Err(RecordError::Failed(reason)),
        }
    }

    /// Replaces tiles in which nothing is left within retention by the first contact ever, and returns how many. Reads
    /// every tile, and no flush can run meanwhile. Does nothing before the first batch is recorded.
    pub fn sweep(&self) -> Result<u64, ReadError> {
        Ok(self.core.sweep(u32::MAX)?)
    }

    /// Whether records are acknowledged.
    pub fn health(&self) -> Health {
        self.core.journal.failure().map_or(Health::Accepting, |reason| Health::Failed(reason.to_string()))
    }

    /// What an operator watches.
    pub fn figures(&self) -> Result<Figures, ReadError> {
        let heads = self.core.heads.current();
        let sealed = heads.sealed.as_ref().map_or(0, |head| head.memory_bytes());
        let (tile_bytes, disk_bytes) = self.core.disk.disk_bytes()?;
        Ok(Figures {
            head_bytes: (heads.active.memory_bytes() + sealed) as u64,
            tile_bytes,
            disk_bytes,
            flushed_epoch: heads.generation,
        })
    }

    /// Flushes, ends background work and releases the folder.
    pub fn close(self) -> Result<(), RecordError> {
        self.flush()
    }
}

/// Opens the store, and makes it first where there is none. `known_durable` is the last batch known to have been durable.
fn open_disk(folder: &DataFolder, memory: DiskMemory, known_durable: u64) -> Result<Disk, OpenError> {
    let failed = |error: DiskError| OpenError::store(folder.path(), error.into());
    // Earlier programs made the store in its place: a kill left one that fjall neither opens nor makes again.
    if known_durable == 0 && disk::is_unfinished(&folder.store()).map_err(|error| failed(error.into()))? {
        folder.retract_store()?;
    }
    folder.create_store(|new_store| Disk::open(new_store, memory).map(drop).map_err(failed))?;
    Disk::open(&folder.store(), memory).map_err(failed)
}

fn accept_loss(path: &Path, recovered: &Recovered, options: &Options) -> Result<(), OpenError> {
    let lost = OpenError::LostBatches { folder: path.to_owned(), missing: recovered.missing.clone() };
    if options.accept_lost_batches {
        tracing::error!(error = %lost, "going on without lost batches, as told");
        return Ok(());
    }
    Err(lost)
}
