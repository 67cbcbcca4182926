//! The one module that names fjall: the keyspaces and the handful of operations the engine needs of them.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `journal-0`, `journal-1` | epoch, sequence | a normalized batch ([`crate::contacts`]) |
//! | `tiles-recent`, `tiles-base` | organization, IP | a tile ([`crate::tile`]) |
//! | `devices` | organization, 0, name | device id |
//! | `devices` | organization, 1, device id | name |
//! | `checkpoints` | organization, source | how far the source was read |
//! | `meta` | `flushed` | what the tiles hold ([`Flushed`]) |
//! | `meta` | `swept` | the minute up to which expired tiles were swept |
//!
//! Integers in keys are big-endian, so that keys sort as numbers do. An epoch's batches lie in the journal of its parity:
//! dropping an epoch is clearing one keyspace, and no tombstone is ever written for a batch.
//!
//! Architecture Invariant: acknowledged writes (`commit`, `mark_flushed`) return after an fsync; tiles are ingested as
//! whole tables that fjall fsyncs before it registers them.

mod error;
mod manifest;
mod unfinished;

use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
    PartitioningPolicy, RestartIntervalPolicy,
};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use ipstats_model::{CanonicalIp, Organization};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use strum::VariantArray;

pub(crate) use error::DiskError;
pub(crate) use fjall::Slice;
pub(crate) use unfinished::is_unfinished;

/// Which of an IP's two tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub(crate) enum Level {
    /// The small tile that flushes merge into.
    Recent,
    /// The large tile that the recent one is folded into.
    Base,
}

impl Level {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Base => "base",
        }
    }
}

/// One batch of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalEntry {
    /// The head that holds the batch until it is flushed.
    pub(crate) epoch: u64,
    /// Contiguous over the life of the data folder, starting at 1.
    pub(crate) sequence: u64,
    /// The batch as [`crate::contacts`] writes it.
    pub(crate) payload: Vec<u8>,
}

/// A device whose id is being made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewDevice {
    pub(crate) organization: Organization,
    pub(crate) id: u32,
    pub(crate) name: Box<str>,
}

/// A source, and how far it was read, in whatever form the source tells that.
pub(crate) type Checkpoint = (String, Vec<u8>);

/// What the tiles hold: every batch up to `sequence`, all of epochs up to `epoch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    /// The newest contact stored anywhere, seconds since the epoch.
    pub(crate) newest: u32,
}

/// How the memory of the storage layer is divided, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskMemory {
    pub(crate) block_cache_bytes: u64,
    pub(crate) journal_buffer_bytes: u64,
}

pub(crate) struct Disk {
    database: Database,
    journals: [Keyspace; 2],
    recent: Keyspace,
    base: Keyspace,
    devices: Keyspace,
    checkpoints: Keyspace,
    meta: Keyspace,
}

/// Writes tiles of one level in ascending order of (organization, IP); nothing shows before [`finish`](Self::finish).
///
/// Nothing is created on disk before the first tile.
pub(crate) struct TileWriter<'a> {
    keyspace: &'a Keyspace,
    ingestion: Option<Ingestion<'a>>,
}

/// fjall's type for a running ingestion has no public name; a closure that owns one does.
type Ingestion<'a> = Box<dyn FnMut(IngestionStep) -> Result<(), DiskError> + 'a>;

enum IngestionStep {
    Write([u8; 32], Vec<u8>),
    Remove([u8; 32]),
    Finish,
}

const FLUSHED_KEY: &[u8] = b"flushed";
const SWEPT_KEY: &[u8] = b"swept";
const NAME_TO_ID: u8 = 0;
const ID_TO_NAME: u8 = 1;

impl Disk {
    /// Opens or creates the database in `folder`.
    pub(crate) fn open(folder: &Path, memory: DiskMemory) -> Result<Self, DiskError> {
        manifest::check_all(folder)?;
        // Nothing outlives a panic: the database is dropped on the way.
        catch_unwind(AssertUnwindSafe(|| Self::open_database(folder, memory)))
            .unwrap_or_else(|panic| Err(DiskError::panicked(&*panic)))
    }

    fn open_database(folder: &Path, memory: DiskMemory) -> Result<Self, DiskError> {
        let database = Database::builder(folder)
            .cache_size(memory.block_cache_bytes)
            // A second worker of fjall 3.1 spins on the queue of compactions for as long as the first one compacts.
            .worker_threads(1)
            // Batches and tiles are packed bits already: compressing them costs time and wins nothing.
            .journal_compression(CompressionType::None)
            .open()?;
        // A batch is in memory twice, here and in the head, until its epoch is flushed or this buffer is full.
        let journal = || {
            let buffer = memory.journal_buffer_bytes;
            uncompressed(KeyspaceCreateOptions::default()).max_memtable_size(buffer)
        };
        let devices = || KeyspaceCreateOptions::default().max_memtable_size(8 << 20);
        let small = || KeyspaceCreateOptions::default().max_memtable_size(1 << 20);
        Ok(Self {
            journals: [database.keyspace("journal-0", journal)?, database.keyspace("journal-1", journal)?],
            recent: database.keyspace("tiles-recent", tiles)?,
            base: database.keyspace("tiles-base", tiles)?,
            devices: database.keyspace("devices", devices)?,
            checkpoints: database.keyspace("checkpoints", small)?,
            meta: database.keyspace("meta", small)?,
            database,
        })
    }

    /// Makes batches and the devices they need durable, all or none.
    pub(crate) fn commit(&self, devices: &[NewDevice], entries: Vec<JournalEntry>) -> Result<(), DiskError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for device in devices {
            let by_name = name_key(device.organization, &device.name);
            let by_id = id_key(device.organization, device.id);
            batch.insert(&self.devices, by_name, device.id.to_be_bytes());
            batch.insert(&self.devices, by_id, device.name.as_bytes());
        }
        for entry in entries {
            let key = journal_key(entry.epoch, entry.sequence);
            batch.insert(self.journal_of(entry.epoch), key, entry.payload);
        }
        Ok(batch.commit()?)
    }

    /// The batches of all epochs in the journal, by sequence within each of the two keyspaces.
    pub(crate) fn journal_entries(&self) -> impl Iterator<Item = Result<JournalEntry, DiskError>> {
        self.journals.iter().flat_map(Keyspace::iter).map(|guard| {
            let (key, payload) = guard.into_inner()?;
            let (epoch, sequence) =
                journal_key_parts(&key).ok_or_else(|| DiskError::entry("a journal key"))?;
            Ok(JournalEntry { epoch, sequence, payload: payload.to_vec() })
        })
    }

    /// Drops the journal of the parity of `epoch`.
    pub(crate) fn clear_journal_of(&self, epoch: u64) -> Result<(), DiskError> {
        Ok(self.journal_of(epoch).clear()?)
    }

    /// What the tiles hold.
    pub(crate) fn flushed(&self) -> Result<Flushed, DiskError> {
        let Some(value) = self.meta.get(FLUSHED_KEY)? else { return Ok(Flushed::default()) };
        decode_flushed(&value).ok_or_else(|| DiskError::entry("`flushed`"))
    }

    /// Says, durably, what the tiles hold.
    pub(crate) fn mark_flushed(&self, flushed: Flushed) -> Result<(), DiskError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&self.meta, FLUSHED_KEY, encode_flushed(flushed));
        Ok(batch.commit()?)
    }

    /// Up to which minute expired tiles were swept.
    pub(crate) fn swept(&self) -> Result<u32, DiskError> {
        let Some(value) = self.meta.get(SWEPT_KEY)? else { return Ok(0) };
        read_u32(&value).ok_or_else(|| DiskError::entry("`swept`"))
    }

    /// Says up to which minute expired tiles were swept.
    pub(crate) fn mark_swept(&self, horizon: u32) -> Result<(), DiskError> {
        Ok(self.meta.insert(SWEPT_KEY, horizon.to_be_bytes())?)
    }

    /// How far each source of an organization was read, by name of the source.
    pub(crate) fn checkpoints(&self, organization: Organization) -> Result<Vec<Checkpoint>, DiskError> {
        let checkpoint = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner()?;
            let source = key.get(16..).and_then(|source| String::from_utf8(source.to_vec()).ok());
            source.map(|source| (source, value.to_vec())).ok_or_else(|| DiskError::entry("a checkpoint"))
        };
        self.checkpoints.prefix(organization.as_bytes()).map(checkpoint).collect()
    }

    /// The same of all organizations.
    pub(crate) fn all_checkpoints(&self) -> Result<Vec<(Organization, String, Vec<u8>)>, DiskError> {
        let checkpoint = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner()?;
            let parts = key.split_first_chunk::<16>();
            let parts = parts.and_then(|(organization, source)| {
                Some((Organization::from_bytes(*organization), String::from_utf8(source.to_vec()).ok()?))
            });
            let (organization, source) = parts.ok_or_else(|| DiskError::entry("a checkpoint"))?;
            Ok((organization, source, value.to_vec()))
        };
        self.checkpoints.iter().map(checkpoint).collect()
    }

    /// Writes checkpoints durably, all or none; without a position, one is removed.
    pub(crate) fn set_checkpoints(
        &self,
        organization: Organization,
        checkpoints: &[(&str, Option<&[u8]>)],
    ) -> Result<(), DiskError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (source, position) in checkpoints {
            let key = checkpoint_key(organization, source);
            match position {
                Some(position) => batch.insert(&self.checkpoints, key, *position),
                None => batch.remove(&self.checkpoints, key),
            }
        }
        Ok(batch.commit()?)
    }

    /// Forgets how far any source was read.
    pub(crate) fn clear_checkpoints(&self) -> Result<(), DiskError> {
        Ok(self.checkpoints.clear()?)
    }

    /// The tile of an IP on one level.
    pub(crate) fn tile(
        &self,
        level: Level,
        organization: Organization,
        ip: CanonicalIp,
    ) -> Result<Option<Slice>, DiskError> {
        Ok(self.tiles_of(level).get(tile_key(organization, ip))?)
    }

    /// Whether a level holds no tile at all.
    pub(crate) fn is_level_empty(&self, level: Level) -> Result<bool, DiskError> {
        Ok(self.tiles_of(level).is_empty()?)
    }

    /// Starts to write tiles of one level.
    pub(crate) const fn write_tiles(&self, level: Level) -> TileWriter<'_> {
        TileWriter { keyspace: self.tiles_of(level), ingestion: None }
    }

    /// The tiles of one level in ascending order of (organization, IP).
    pub(crate) fn tiles(
        &self,
        level: Level,
    ) -> impl Iterator<Item = Result<(Organization, CanonicalIp, Slice), DiskError>> {
        self.tiles_of(level).iter().map(|guard| {
            let (key, tile) = guard.into_inner()?;
            let (organization, ip) = tile_key_parts(&key).ok_or_else(|| DiskError::entry("a tile's key"))?;
            Ok((organization, ip, tile))
        })
    }

    /// The id of a device.
    pub(crate) fn device_id(&self, organization: Organization, name: &str) -> Result<Option<u32>, DiskError> {
        let Some(value) = self.devices.get(name_key(organization, name))? else { return Ok(None) };
        read_u32(&value).map(Some).ok_or_else(|| DiskError::entry("a device's id"))
    }

    /// Moves what is known about devices from fjall's journal into tables.
    pub(crate) fn settle_devices(&self) -> Result<(), DiskError> {
        Ok(self.devices.rotate_memtable_and_wait()?)
    }

    /// The name of a device.
    pub(crate) fn device_name(
        &self,
        organization: Organization,
        id: u32,
    ) -> Result<Option<String>, DiskError> {
        let Some(value) = self.devices.get(id_key(organization, id))? else { return Ok(None) };
        String::from_utf8(value.to_vec()).map(Some).map_err(|_| DiskError::entry("a device's name"))
    }

    /// The largest device id of an organization.
    pub(crate) fn last_device_id(&self, organization: Organization) -> Result<Option<u32>, DiskError> {
        let prefix = key_prefix(organization, ID_TO_NAME);
        let Some(guard) = self.devices.prefix(prefix).next_back() else { return Ok(None) };
        let key = guard.key()?;
        let id = key.get(17..).and_then(read_u32).ok_or_else(|| DiskError::entry("a device's key"))?;
        Ok(Some(id))
    }

    /// Bytes on disk: tiles, and everything.
    pub(crate) fn disk_bytes(&self) -> Result<(u64, u64), DiskError> {
        Ok((self.recent.disk_space() + self.base.disk_space(), self.database.disk_space()?))
    }

    fn journal_of(&self, epoch: u64) -> &Keyspace {
        let [even, odd] = &self.journals;
        if epoch.is_multiple_of(2) { even } else { odd }
    }

    const fn tiles_of(&self, level: Level) -> &Keyspace {
        match level {
            Level::Recent => &self.recent,
            Level::Base => &self.base,
        }
    }
}

impl TileWriter<'_> {
    /// Adds or replaces a tile.
    pub(crate) fn write(
        &mut self,
        organization: Organization,
        ip: CanonicalIp,
        tile: Vec<u8>,
    ) -> Result<(), DiskError> {
        self.step(IngestionStep::Write(tile_key(organization, ip), tile))
    }

    /// Removes a tile.
    pub(crate) fn remove(&mut self, organization: Organization, ip: CanonicalIp) -> Result<(), DiskError> {
        self.step(IngestionStep::Remove(tile_key(organization, ip)))
    }

    /// Makes all of it durable and visible at once.
    pub(crate) fn finish(self) -> Result<(), DiskError> {
        self.ingestion.map_or(Ok(()), |mut ingestion| ingestion(IngestionStep::Finish))
    }

    fn step(&mut self, step: IngestionStep) -> Result<(), DiskError> {
        let mut ingestion = match self.ingestion.take() {
            Some(ingestion) => ingestion,
            None => start_ingestion(self.keyspace)?,
        };
        let done = ingestion(step);
        self.ingestion = Some(ingestion);
        done
    }
}

fn start_ingestion(keyspace: &Keyspace) -> Result<Ingestion<'_>, DiskError> {
    let mut running = Some(keyspace.start_ingestion()?);
    Ok(Box::new(move |step| {
        match (step, &mut running) {
            (IngestionStep::Write(key, tile), Some(ingestion)) => ingestion.write(key, tile)?,
            (IngestionStep::Remove(key), Some(ingestion)) => ingestion.write_tombstone(key)?,
            (IngestionStep::Finish, running) => {
                if let Some(ingestion) = running.take() {
                    ingestion.finish()?;
                }
            }
            (_, None) => {}
        }
        Ok(())
    }))
}

/// Tiles are many and small: their keys and filters weigh as much as a quarter of them, so blocks are large, whole keys rare
/// and filters short (5 bits a key let 9 of 100 absent keys through to a block).
fn tiles() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        .data_block_size_policy(BlockSizePolicy::all(32 << 10))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(u8::MAX))
        // A table's filter and index in one block each would be too large for the block cache to keep.
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(5.0))))
}

fn uncompressed(options: KeyspaceCreateOptions) -> KeyspaceCreateOptions {
    options.data_block_compression_policy(CompressionPolicy::disabled())
}

fn tile_key(organization: Organization, ip: CanonicalIp) -> [u8; 32] {
    let mut key = [0; 32];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(organization.as_bytes());
    right.copy_from_slice(ip.as_bytes());
    key
}

fn tile_key_parts(key: &[u8]) -> Option<(Organization, CanonicalIp)> {
    let (organization, ip) = key.split_at_checked(16)?;
    Some((
        Organization::from_bytes(organization.try_into().ok()?),
        CanonicalIp::from_bytes(ip.try_into().ok()?),
    ))
}

fn key_prefix(organization: Organization, kind: u8) -> Vec<u8> {
    let mut key = organization.as_bytes().to_vec();
    key.push(kind);
    key
}

fn name_key(organization: Organization, name: &str) -> Vec<u8> {
    let mut key = key_prefix(organization, NAME_TO_ID);
    key.extend_from_slice(name.as_bytes());
    key
}

fn id_key(organization: Organization, id: u32) -> Vec<u8> {
    let mut key = key_prefix(organization, ID_TO_NAME);
    key.extend_from_slice(&id.to_be_bytes());
    key
}

fn checkpoint_key(organization: Organization, source: &str) -> Vec<u8> {
    [organization.as_bytes(), source.as_bytes()].concat()
}

fn journal_key(epoch: u64, sequence: u64) -> [u8; 16] {
    (u128::from(epoch) << 64 | u128::from(sequence)).to_be_bytes()
}

fn journal_key_parts(key: &[u8]) -> Option<(u64, u64)> {
    let (epoch, sequence) = key.split_at_checked(8)?;
    Some((read_u64(epoch)?, read_u64(sequence)?))
}

fn encode_flushed(flushed: Flushed) -> Vec<u8> {
    let mut value = flushed.epoch.to_be_bytes().to_vec();
    value.extend_from_slice(&flushed.sequence.to_be_bytes());
    value.extend_from_slice(&flushed.newest.to_be_bytes());
    value
}

fn decode_flushed(value: &[u8]) -> Option<Flushed> {
    let (epoch, rest) = value.split_at_checked(8)?;
    let (sequence, newest) = rest.split_at_checked(8)?;
    Some(Flushed { epoch: read_u64(epoch)?, sequence: read_u64(sequence)?, newest: read_u32(newest)? })
}

fn read_u32(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

fn read_u64(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}
