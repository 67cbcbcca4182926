//! The embedded engine, opened as the configuration says, behind asynchronous calls.

use super::clock_check::check_pin;
use super::fair_pool::FairPool;
use super::figures::{self, Figure};
use super::pool::{LOADS_PER_CORE_MAX, Pool, cores, loads_from_memory, questions};
use super::{Health, OpenStoreError, StoreError};
use crate::clock::Clock;
use crate::config::Config;
use ipstats_engine::{Engine, Options};
use ipstats_model::{CanonicalIp, IpStatistics, Organization, Window};
use parking_lot::RwLock;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Pause between looks whether the last call has let go of the engine.
const RELEASE_PAUSE: Duration = Duration::from_millis(1);

/// Opens the engine in the configured data folder. A clock pinned before data already stored is refused: answers would
/// depend on what was imported first.
pub fn open_engine(config: &Config, clock: &Clock) -> Result<Engine, OpenStoreError> {
    let options = Options {
        memory_bytes_max: config.memory_bytes_max,
        accept_lost_batches: config.accept_lost_batches,
        ..Options::default()
    };
    let engine = Engine::open(&config.data_dir, &options)?;
    check_pin(clock.pinned(), engine.newest_event())?;
    Ok(engine)
}

/// The embedded engine behind asynchronous calls. Shared by reference; [`close`](Self::close) ends it.
pub(super) struct Embedded {
    engine: RwLock<Option<Arc<Engine>>>,
    questions: FairPool,
    pub(super) loads: Pool,
    pub(super) loads_from_memory: FairPool,
}

impl Embedded {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine: RwLock::new(Some(Arc::new(engine))),
            questions: questions(),
            loads: Pool::for_loads(),
            loads_from_memory: loads_from_memory(cores() * LOADS_PER_CORE_MAX),
        }
    }

    pub(super) async fn statistics(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<IpStatistics, StoreError> {
        // What is in memory is answered sooner than another thread would be found for it.
        if let Some(engine) = self.engine.read().as_ref()
            && let Some(statistics) = engine.statistics_at_hand(organization, ip, window)
        {
            return Ok(statistics);
        }
        let engine = self.engine()?;
        // The engine moves into the work, so that it is let go before the pool counts the work as done.
        let work = move || engine.statistics(organization, ip, window);
        Ok(Box::pin(self.questions.run(organization, work)).await??)
    }

    /// The engine, for a caller that may block.
    pub(super) fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        self.engine.read().clone().ok_or(StoreError::Closed)
    }

    pub(super) fn health(&self) -> Result<Health, StoreError> {
        Ok(match self.engine()?.health() {
            ipstats_engine::Health::Accepting => Health::Accepting,
            ipstats_engine::Health::Failed(reason) => Health::Failed(reason),
        })
    }

    pub(super) async fn figures(&self) -> Result<Vec<Figure>, StoreError> {
        let engine = self.engine()?;
        let figures = tokio::task::spawn_blocking(move || engine.figures()).await;
        let figures = figures.map_err(|error| StoreError::Defect(error.to_string()))??;
        Ok(figures::of_engine(figures))
    }

    /// Finishes what was begun, flushes, and releases the data folder. What is called afterwards is refused.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.questions.drain().await;
        self.loads.drain().await;
        self.loads_from_memory.drain().await;
        let engine = self.engine.write().take().ok_or(StoreError::Closed)?;
        let closed = tokio::task::spawn_blocking(|| release(engine)).await;
        closed.map_err(|error| StoreError::Defect(error.to_string()))?
    }

    /// As [`close`](Self::close), where no call is waiting. Blocks.
    pub(super) fn close_here(&self) -> Result<(), StoreError> {
        release(self.engine.write().take().ok_or(StoreError::Closed)?)
    }
}

fn release(mut engine: Arc<Engine>) -> Result<(), StoreError> {
    let engine = loop {
        match Arc::try_unwrap(engine) {
            Ok(engine) => break engine,
            // A call that will be refused is still holding on to it for a moment; no new one can.
            Err(shared) => engine = shared,
        }
        thread::sleep(RELEASE_PAUSE);
    };
    Ok(engine.close()?)
}
