//! The embedded engine, opened as the configuration says.

use crate::clock::Clock;
use crate::config::Config;
use ipstats_engine::{Engine, OpenError, Options};
use ipstats_model::Timestamp;
use ipstats_model::limits::CLOCK_AHEAD_SECONDS_MAX;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// The data folder could not be opened.
    #[error(transparent)]
    Engine(#[from] OpenError),
    /// The pinned clock lies before data already stored.
    #[error(
        "--as-of {pinned} lies before data already stored (the newest is of {newest}): \
         pin the clock to {newest} or later, or use another data folder"
    )]
    PinnedBeforeData {
        /// The pinned time.
        pinned: Timestamp,
        /// The newest event in the store.
        newest: Timestamp,
    },
}

/// Opens the engine in the configured data folder. A clock pinned before data already stored is refused: answers would
/// depend on what was imported first.
pub fn open_engine(config: &Config, clock: &Clock) -> Result<Engine, OpenStoreError> {
    let options = Options { memory_bytes_max: config.memory_bytes_max, ..Options::default() };
    let engine = Engine::open(&config.data_dir, options)?;
    match (clock.pinned(), engine.newest_event()) {
        (Some(pinned), Some(newest)) if newest > pinned.plus_seconds(CLOCK_AHEAD_SECONDS_MAX) => {
            Err(OpenStoreError::PinnedBeforeData { pinned, newest })
        }
        _ => Ok(engine),
    }
}
