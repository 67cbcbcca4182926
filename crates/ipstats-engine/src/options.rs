//! How an engine is opened, and how its memory is divided.

use crate::disk::DiskMemory;
use std::time::Duration;

/// How an engine is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory the engine may use for its head, caches and write buffers, in bytes; at least
    /// [`MEMORY_BYTES_MIN`](Self::MEMORY_BYTES_MIN).
    pub memory_bytes_max: u64,
    /// Go on although acknowledged batches are missing from the journal (after a damaged disk).
    pub accept_lost_batches: bool,
    /// Age at which what was recorded is written into tiles although there is memory left, so that a restart has little
    /// to replay.
    pub head_age_max: Duration,
}

impl Options {
    /// The least memory an engine works with: 64 MiB.
    pub const MEMORY_BYTES_MIN: u64 = 64 << 20;
}

impl Default for Options {
    fn default() -> Self {
        Self { memory_bytes_max: 1 << 30, accept_lost_batches: false, head_age_max: Duration::from_hours(1) }
    }
}

/// The parts of the budget, in bytes.
///
/// Two heads of [`head_bytes`](Self::head_bytes) exist while one is being flushed. What is not listed here (flush
/// buffers, index blocks, the allocator's slack) has the rest, a quarter of the whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryPlan {
    pub(crate) head_bytes: usize,
    pub(crate) tile_cache_bytes: u64,
    pub(crate) device_cache_bytes: u64,
    pub(crate) disk: DiskMemory,
}

impl MemoryPlan {
    pub(crate) fn of(options: &Options) -> Self {
        let budget = options.memory_bytes_max.max(Options::MEMORY_BYTES_MIN);
        let percent = |share: u64| budget / 100 * share;
        Self {
            head_bytes: usize::try_from(percent(9)).unwrap_or(usize::MAX),
            tile_cache_bytes: percent(10),
            device_cache_bytes: percent(8),
            // Two journals, each with one buffer that fills and one that is being written.
            disk: DiskMemory {
                block_cache_bytes: percent(12),
                journal_buffer_bytes: percent(2).min(64 << 20),
            },
        }
    }
}
