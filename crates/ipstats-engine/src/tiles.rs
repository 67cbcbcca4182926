//! Reading tiles: from disk, decoded, through a cache.

use crate::disk::{Disk, Level};
use crate::error::StoreError;
use crate::state::IpState;
use crate::tile;
use foldhash::quality::RandomState;
use ipstats_model::{CanonicalIp, Organization};
use quick_cache::sync::{Cache, DefaultLifecycle};
use std::sync::Arc;

/// Decoded tiles of the IPs that are asked for, recent and base in one.
///
/// Architecture Invariant: an entry carries the flush generation that was current before its tiles were read, and serves
/// only questions of that generation. A tile read while a flush was writing holds at least what it held before, and the
/// head being flushed still answers those questions; after the flush the entry is not used again.
pub(crate) struct TileCache {
    cache: Cache<(Organization, CanonicalIp), Cached, StateWeight, RandomState>,
}

#[derive(Clone)]
struct Cached {
    generation: u64,
    state: Arc<IpState>,
}

#[derive(Clone)]
struct StateWeight;

/// Memory of an entry besides its state, in bytes.
const ENTRY_BYTES: u64 = 128;

/// Typical memory of an entry, for the cache's first sizing.
const TYPICAL_ENTRY_BYTES: u64 = 1024;

impl TileCache {
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        let entries = usize::try_from(capacity_bytes / TYPICAL_ENTRY_BYTES).unwrap_or(usize::MAX);
        let (hasher, lifecycle) = (RandomState::default(), DefaultLifecycle::default());
        Self { cache: Cache::with(entries, capacity_bytes, StateWeight, hasher, lifecycle) }
    }

    /// What the tiles of an IP hold, as of flush `generation` at least.
    pub(crate) fn state(
        &self,
        disk: &Disk,
        organization: Organization,
        ip: CanonicalIp,
        generation: u64,
    ) -> Result<Arc<IpState>, StoreError> {
        if let Some(cached) = self.cached(organization, ip, generation) {
            return Ok(cached);
        }
        // Recent before base: a fold writes the base tile first and removes the recent one afterwards.
        let recent = read(disk, Level::Recent, organization, ip)?;
        let base = read(disk, Level::Base, organization, ip)?;
        let state = Arc::new(match (recent, base) {
            (Some(recent), Some(base)) => base.join(&recent),
            (recent, base) => recent.or(base).unwrap_or_default(),
        });
        self.cache.insert((organization, ip), Cached { generation, state: Arc::clone(&state) });
        Ok(state)
    }

    /// The same, where it is in the cache.
    pub(crate) fn cached(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        generation: u64,
    ) -> Option<Arc<IpState>> {
        let cached = self.cache.get(&(organization, ip)).filter(|cached| cached.generation == generation);
        cached.map(|cached| cached.state)
    }
}

/// The decoded tile of one level.
pub(crate) fn read(
    disk: &Disk,
    level: Level,
    organization: Organization,
    ip: CanonicalIp,
) -> Result<Option<IpState>, StoreError> {
    let Some(bytes) = disk.tile(level, organization, ip)? else { return Ok(None) };
    decode(&bytes, level, organization, ip).map(Some)
}

/// A tile's state, or which tile is damaged.
pub(crate) fn decode(
    bytes: &[u8],
    level: Level,
    organization: Organization,
    ip: CanonicalIp,
) -> Result<IpState, StoreError> {
    tile::decode(bytes).map_err(|source| StoreError::Tile { level: level.name(), organization, ip, source })
}

impl quick_cache::Weighter<(Organization, CanonicalIp), Cached> for StateWeight {
    fn weight(&self, _key: &(Organization, CanonicalIp), cached: &Cached) -> u64 {
        cached.state.memory_bytes() as u64 + ENTRY_BYTES
    }
}
