//! The embedded engine, opened as the configuration says.

use super::StoreError;
use super::fair_pool::FairPool;
use super::pool::{Pool, questions};
use crate::clock::Clock;
use crate::config::Config;
use ipstats_engine::{Engine, Figures, Health, OpenError, Options, Recorded};
use ipstats_model::limits::CLOCK_AHEAD_SECONDS_MAX;
use ipstats_model::{Batch, CanonicalIp, IpStatistics, Organization, Timestamp, Window};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;

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
    let options = Options {
        memory_bytes_max: config.memory_bytes_max,
        accept_lost_batches: config.accept_lost_batches,
        ..Options::default()
    };
    let engine = Engine::open(&config.data_dir, &options)?;
    check_pin(clock.pinned(), engine.newest_event())?;
    Ok(engine)
}

/// The clock of this machine lies before data that was recorded by it: it was wrong then, or is wrong now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock of this machine ({now}) lies before data already stored (the newest is of {newest}): set the clock, or \
     recent records are refused and answers are wrong"
)]
pub struct ClockBehind {
    now: Timestamp,
    newest: Timestamp,
}

/// Whether a clock that is not pinned lies before the newest event in the store. The data is safe: nothing is refused.
pub fn check_clock(clock: &Clock, newest: Option<Timestamp>) -> Result<(), ClockBehind> {
    let (now, newest) = (clock.now(), newest.filter(|_| clock.pinned().is_none()));
    match newest {
        Some(newest) if newest > now.plus_seconds(CLOCK_AHEAD_SECONDS_MAX) => {
            Err(ClockBehind { now, newest })
        }
        _ => Ok(()),
    }
}

/// The same tolerance as on the way in: a record may lie a little ahead of the clock it arrived by.
fn check_pin(pinned: Option<Timestamp>, newest: Option<Timestamp>) -> Result<(), OpenStoreError> {
    match (pinned, newest) {
        (Some(pinned), Some(newest)) if newest > pinned.plus_seconds(CLOCK_AHEAD_SECONDS_MAX) => {
            Err(OpenStoreError::PinnedBeforeData { pinned, newest })
        }
        _ => Ok(()),
    }
}

/// The embedded engine behind asynchronous calls. Shared by reference; [`close`](Store::close) ends it.
pub struct Store {
    engine: RwLock<Option<Arc<Engine>>>,
    questions: FairPool,
    loads: Pool,
}

impl Store {
    /// A store over an open engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine: RwLock::new(Some(Arc::new(engine))), questions: questions(), loads: Pool::for_loads() }
    }

    /// The answer to the main question.
    pub async fn statistics(
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
        self.call(organization, move |engine| engine.statistics(organization, ip, window))
            .await?
            .map_err(StoreError::Read)
    }

    /// Records a batch; returns after it is durable and answerable. A batch that was begun is finished even if the
    /// caller goes away.
    pub async fn record(
        &self,
        organization: Organization,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        self.call(organization, move |engine| engine.record(organization, &batch, now))
            .await?
            .map_err(StoreError::Write)
    }

    /// As [`record`](Self::record), on the thread of the caller, which blocks: for threads that bring records all day.
    pub fn record_here(
        &self,
        organization: Organization,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        self.engine()?.record(organization, batch, now).map_err(StoreError::Write)
    }

    /// How far sources of an organization were read: name and position. Blocks.
    pub fn checkpoints_here(&self, organization: Organization) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.engine()?.checkpoints(organization).map_err(StoreError::Read)
    }

    /// Notes how far sources were read, durably, all or none; without a position, a source is forgotten. To be called
    /// after what was read is recorded. Blocks.
    pub fn set_checkpoints_here(
        &self,
        organization: Organization,
        checkpoints: &[(&str, Option<&[u8]>)],
    ) -> Result<(), StoreError> {
        self.engine()?.set_checkpoints(organization, checkpoints).map_err(StoreError::Write)
    }

    /// Runs a load: work that records many batches and may take long, such as reading a whole log. Loads have few
    /// places of their own, so that they never keep a question waiting, and no organization has them all.
    pub async fn load<T: Send + 'static>(
        &self,
        organization: Organization,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let engine = self.engine()?;
        self.loads.run(organization, move || work(&engine)).await
    }

    /// Whether records are acknowledged; an error when the store is closed.
    pub fn health(&self) -> Result<Health, StoreError> {
        Ok(self.engine()?.health())
    }

    /// What an operator watches.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        let engine = self.engine()?;
        let figures = tokio::task::spawn_blocking(move || engine.figures()).await;
        figures.map_err(|error| StoreError::Defect(error.to_string()))?.map_err(StoreError::Read)
    }

    /// Finishes what was begun, flushes, and releases the data folder. What is called afterwards is refused.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.questions.drain().await;
        self.loads.drain().await;
        let mut engine = self.engine.write().take().ok_or(StoreError::Closed)?;
        let engine = loop {
            match Arc::try_unwrap(engine) {
                Ok(engine) => break engine,
                // A call that will be refused is still holding on to it for a moment; no new one can.
                Err(shared) => engine = shared,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let closed = tokio::task::spawn_blocking(|| engine.close()).await;
        closed.map_err(|error| StoreError::Defect(error.to_string()))?.map_err(StoreError::Write)
    }

    async fn call<T: Send + 'static>(
        &self,
        organization: Organization,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let engine = self.engine()?;
        // The engine moves into the work, so that it is let go before the pool counts the work as done.
        self.questions.run(organization, move || work(&engine)).await
    }

    fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        self.engine.read().clone().ok_or(StoreError::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::config::{Environment, Flags};
    use ipstats_model::LookBack;
    use std::path::Path;

    fn config(data_dir: &Path) -> Config {
        let flags = Flags { data_dir: Some(data_dir.to_owned()), ..Flags::default() };
        Config::load_in(&flags, &Environment::default()).unwrap()
    }

    #[test]
    fn a_clock_pinned_before_the_data_is_refused_with_a_way_out() {
        let newest: Timestamp = "2018-06-01T12:00:00Z".parse().unwrap();
        for pinned in [None, Some(newest), Some(newest.plus_seconds(86_400)), Some(newest.plus_seconds(-300))]
        {
            assert!(check_pin(pinned, Some(newest)).is_ok(), "{pinned:?}");
        }
        let error = check_pin(Some(newest.plus_seconds(-301)), Some(newest)).unwrap_err().to_string();
        assert!(
            error.contains("--as-of 2018-06-01T11:54:59Z") && error.contains("2018-06-01T12:00:00Z"),
            "{error}"
        );
        assert!(check_pin(Some(newest), None).is_ok());
    }

    #[test]
    fn a_clock_before_the_data_is_noticed_unless_it_is_pinned() {
        let newest: Timestamp = "2018-06-01T12:00:00Z".parse().unwrap();
        let behind = |seconds: i64| Clock::Manual(ManualClock::at(newest.plus_seconds(-seconds)));
        assert_eq!(check_clock(&behind(300), Some(newest)), Ok(()));
        assert_eq!(check_clock(&behind(301), None), Ok(()));
        let message = check_clock(&behind(301), Some(newest)).unwrap_err().to_string();
        assert!(
            message.contains("2018-06-01T11:54:59Z") && message.contains("2018-06-01T12:00:00Z"),
            "{message}"
        );
        assert_eq!(check_clock(&Clock::Pinned(newest.plus_seconds(-301)), Some(newest)), Ok(()));
    }

    #[tokio::test]
    async fn what_is_recorded_is_answered_until_the_store_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(open_engine(&config(folder.path()), &Clock::System).unwrap());
        let now: Timestamp = "2017-08-29T13:32:59Z".parse().unwrap();
        let (ours, theirs) = (Organization::from_bytes([1; 16]), Organization::from_bytes([2; 16]));
        let ip = "10.209.67.177".parse().unwrap();
        let mut batch = Batch::new();
        batch.push("laptop", ip, now).unwrap();
        assert_eq!(store.record(ours, batch, now).await.unwrap().counted, 1);

        let window = Window::ending_at(now, LookBack::default());
        let seen = IpStatistics::Seen { prevalence: 1, first_seen: now, last_seen: now };
        assert_eq!(store.statistics(ours, ip, window).await.unwrap(), seen);
        assert_eq!(store.statistics(theirs, ip, window).await.unwrap(), IpStatistics::Unknown);
        assert_eq!(store.health().unwrap(), Health::Accepting);

        store.close().await.unwrap();
        assert!(store.statistics(ours, ip, window).await.is_err());
        assert!(matches!(store.health(), Err(StoreError::Closed)));
    }
}
