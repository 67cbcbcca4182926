//! Folding a sealed head into tiles.
//!
//! The small recent tile takes what is new; when it outgrows a quarter of the base tile it is folded into it, so that a
//! hot IP's large tile is rewritten rarely. Both are written in key order as whole tables, past the LSM tree's own
//! journal and memtables: the head's batches are in ours until the tiles are registered.

use crate::disk::{Disk, Level};
use crate::error::StoreError;
use crate::head::{Head, Slot};
use crate::tile;
use crate::tiles;
use ipstats_model::limits::{CLOCK_AHEAD_SECONDS_MAX, RETENTION_HOURS};
use ipstats_model::{CanonicalIp, Organization};
use std::thread;
use strum::VariantArray as _;

/// IPs whose tiles are in memory at once.
const BLOCK_IPS: usize = 2048;

/// The recent tile is folded into the base tile when it is larger than the base divided by this.
const FOLD_RATIO: usize = 4;

/// New tiles of one IP.
struct Merged {
    ip: CanonicalIp,
    base: Option<Vec<u8>>,
    recent: Recent,
}

enum Recent {
    Keep,
    Write(Vec<u8>),
    Remove,
}

/// Which levels need no look-up because they hold nothing.
#[derive(Clone, Copy)]
struct Lookups {
    recent: bool,
    base: bool,
}

/// The minute before which no question can see whose *now* is `newest` (seconds since the epoch) or later, or up to
/// [`CLOCK_AHEAD_SECONDS_MAX`] earlier.
pub(crate) fn horizon(newest: u32) -> u32 {
    let earliest_now = newest.saturating_sub(u32::try_from(CLOCK_AHEAD_SECONDS_MAX).unwrap_or(u32::MAX));
    (earliest_now / 60).saturating_sub(u32::from(RETENTION_HOURS) * 60)
}

/// Writes everything in `head` into tiles. Durable when it returns.
///
/// Each tile is pruned by its own newest contact: whatever the clock did, and whatever it did to other IPs, a tile never
/// loses what a question about its newest contacts could see.
pub(crate) fn flush(head: &Head, disk: &Disk) -> Result<(), StoreError> {
    let view = head.sealed_view();
    let lookups =
        Lookups { recent: !disk.is_level_empty(Level::Recent)?, base: !disk.is_level_empty(Level::Base)? };
    let (mut base, mut recent) = (disk.write_tiles(Level::Base), disk.write_tiles(Level::Recent));
    for organization in view.organizations() {
        for block in view.slots(organization).chunks(BLOCK_IPS) {
            for merged in merge_block(block, disk, organization, lookups)? {
                if let Some(tile) = merged.base {
                    base.write(organization, merged.ip, tile)?;
                }
                match merged.recent {
                    Recent::Keep => {}
                    Recent::Write(tile) => recent.write(organization, merged.ip, tile)?,
                    Recent::Remove => recent.remove(organization, merged.ip)?,
                }
            }
        }
    }
    // Base first: a reader looks at recent and then at base, and must find what was folded in one of them.
    base.finish()?;
    recent.finish()?;
    Ok(())
}

/// Replaces tiles in which nothing is left within retention by the first contact ever. Returns how many.
pub(crate) fn sweep(disk: &Disk, horizon: u32) -> Result<u64, StoreError> {
    let mut swept = 0;
    for level in Level::VARIANTS.iter().rev().copied() {
        let mut writer = disk.write_tiles(level);
        for entry in disk.tiles(level) {
            let (organization, ip, bytes) = entry?;
            let failed = |source| StoreError::Tile { level: level.name(), organization, ip, source };
            if tile::newest_minute(&bytes).map_err(failed)?.is_none_or(|newest| newest >= horizon) {
                continue;
            }
            let mut state = tiles::decode(&bytes, level, organization, ip)?;
            state.prune(horizon);
            writer.write(organization, ip, tile::encode(&state))?;
            swept += 1;
        }
        writer.finish()?;
    }
    Ok(swept)
}

/// Merges a block of slots with their tiles, on all cores.
fn merge_block(
    block: &[&Slot],
    disk: &Disk,
    organization: Organization,
    lookups: Lookups,
) -> Result<Vec<Merged>, StoreError> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(block.len().div_ceil(256));
    let merge_all = |slots: &[&Slot]| {
        slots.iter().map(|slot| merge(slot, disk, organization, lookups)).collect::<Result<Vec<_>, _>>()
    };
    if threads <= 1 {
        return merge_all(block);
    }
    thread::scope(|scope| {
        let parts = block.chunks(block.len().div_ceil(threads));
        let workers: Vec<_> = parts.map(|part| scope.spawn(|| merge_all(part))).collect();
        let mut merged = Vec::with_capacity(block.len());
        for worker in workers {
            let part = worker.join().unwrap_or(Err(StoreError::Panicked));
            merged.extend(part?);
        }
        Ok(merged)
    })
}

fn merge(
    slot: &Slot,
    disk: &Disk,
    organization: Organization,
    lookups: Lookups,
) -> Result<Merged, StoreError> {
    let ip = slot.ip();
    let mut state = slot.state();
    let recent = if lookups.recent { tiles::read(disk, Level::Recent, organization, ip)? } else { None };
    let base = if lookups.base { disk.tile(Level::Base, organization, ip)? } else { None };
    if let Some(recent) = &recent {
        state = state.join(recent);
    }
    state.prune(horizon(state.last()));
    let tile = tile::encode(&state);
    let folded = match base {
        None => tile,
        Some(base) if tile.len() * FOLD_RATIO < base.len() => {
            return Ok(Merged { ip, base: None, recent: Recent::Write(tile) });
        }
        Some(base) => {
            let mut folded = state.join(&tiles::decode(&base, Level::Base, organization, ip)?);
            folded.prune(horizon(folded.last()));
            tile::encode(&folded)
        }
    };
    let recent = if recent.is_some() { Recent::Remove } else { Recent::Keep };
    Ok(Merged { ip, base: Some(folded), recent })
}
