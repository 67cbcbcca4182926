//! Where connections are kept: [`Store`], whichever backend the configuration names.
//!
//! Every call takes the organization first: there is no way to ask without saying for whom. Questions are asynchronous;
//! calls whose names end in `_here` block, for threads that bring records all day and for commands. Which backend answers
//! is known here and nowhere else, and all of them answer alike: `tests/it/store.rs` compares each with a naive model.

mod clickhouse;
mod clock_check;
mod embedded;
mod error;
mod fair_pool;
mod figures;
mod pieces;
mod pool;

pub use clickhouse::{ClickHouseOpenError, init, init_statements};
pub use clock_check::{ClockBehind, PinnedBeforeData, check_clock};
pub use embedded::open_engine;
pub use error::{Cause, OpenStoreError, StoreError};
pub use figures::{Figure, FigureKind};
pub use pieces::{Checkpoint, LeftOut, PieceAhead};

use crate::clock::Clock;
use crate::config::{Config, StoreBackend};
use clickhouse::ClickHouse;
use clock_check::check_pin;
use embedded::Embedded;
use ipstats_engine::Engine;
use ipstats_model::{
    Batch, CanonicalIp, DayPrevalence, DeviceContact, IpStatistics, Organization, Recorded, Timestamp, Window,
};
use std::sync::Arc;

/// The connections of all organizations. Shared by reference; [`close`](Self::close) ends it.
pub struct Store(Backend);

enum Backend {
    Embedded(Embedded),
    ClickHouse(Box<ClickHouse>),
}

/// Whether records are acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They are.
    Accepting,
    /// They are not, and why; questions may still be answered.
    Failed(String),
}

impl Store {
    /// Opens the store that `config` names. A clock pinned before data already stored is refused.
    pub fn open(config: &Config, clock: &Clock) -> Result<Self, OpenStoreError> {
        match &config.store {
            StoreBackend::Embedded => Ok(Self::new(open_engine(config, clock)?)),
            StoreBackend::ClickHouse(access) => {
                let store = ClickHouse::open(access)?;
                if clock.pinned().is_some() {
                    check_pin(clock.pinned(), store.newest_event_here()?)?;
                }
                Ok(Self(Backend::ClickHouse(Box::new(store))))
            }
        }
    }

    /// A store over an open engine.
    pub fn new(engine: Engine) -> Self {
        Self(Backend::Embedded(Embedded::new(engine)))
    }

    /// The answer to the main question.
    pub async fn statistics(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<IpStatistics, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => store.statistics(organization, ip, window).await,
            // A future of its own: what is seldom needed makes every question's future larger.
            Backend::ClickHouse(store) => Box::pin(store.statistics(organization, ip, window)).await,
        }
    }

    /// As [`statistics`](Self::statistics). Blocks.
    pub fn statistics_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<IpStatistics, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.statistics(organization, ip, window)?),
            Backend::ClickHouse(store) => store.statistics_here(organization, ip, window),
        }
    }

    /// The devices behind an answer, most recent contact first. Blocks.
    pub fn devices_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<Vec<DeviceContact>, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.devices(organization, ip, window)?),
            Backend::ClickHouse(store) => store.devices_here(organization, ip, window),
        }
    }

    /// Distinct devices on each whole UTC day of the retained 30 days, and on the day of `now` so far; oldest first.
    /// Blocks.
    pub fn devices_per_day_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        now: Timestamp,
    ) -> Result<Vec<DayPrevalence>, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.devices_per_day(organization, ip, now)?),
            Backend::ClickHouse(store) => store.devices_per_day_here(organization, ip, now),
        }
    }

    /// The first contact ever recorded; it survives when all else has expired. Blocks.
    pub fn first_ever_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
    ) -> Result<Option<Timestamp>, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.first_ever(organization, ip)?),
            Backend::ClickHouse(store) => store.first_ever_here(organization, ip),
        }
    }

    /// The newest contact of any organization. Blocks.
    pub fn newest_event_here(&self) -> Result<Option<Timestamp>, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.newest_event()),
            Backend::ClickHouse(store) => store.newest_event_here(),
        }
    }

    /// Records a batch at `now`; returns after it is durable and answerable. Records outside retention are counted and
    /// left out; recording a batch again changes nothing. Blocks.
    pub fn record_here(
        &self,
        organization: Organization,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.record(organization, batch, now)?),
            Backend::ClickHouse(store) => store.record_here(organization, batch, now),
        }
    }

    /// How far sources of an organization were read: name and position. Blocks.
    pub fn checkpoints_here(&self, organization: Organization) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.checkpoints(organization)?),
            Backend::ClickHouse(store) => store.checkpoints_here(organization),
        }
    }

    /// Notes how far sources were read, durably, all or none; without a position, a source is forgotten. To be called
    /// after what was read is recorded. Blocks.
    pub fn set_checkpoints_here(
        &self,
        organization: Organization,
        checkpoints: &[(&str, Option<&[u8]>)],
    ) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.set_checkpoints(organization, checkpoints)?),
            Backend::ClickHouse(store) => store.set_checkpoints_here(organization, checkpoints),
        }
    }

    /// Runs a load: work that records many batches and may take long, such as reading a whole log. Loads have few
    /// places of their own, so that they never keep a question waiting, and no organization has them all. A load that was
    /// begun is finished even if the caller goes away.
    pub async fn load<T: Send + 'static>(
        self: &Arc<Self>,
        organization: Organization,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let loads = match &self.0 {
            Backend::Embedded(store) => &store.loads,
            Backend::ClickHouse(store) => &store.loads,
        };
        let store = Arc::clone(self);
        loads.run(organization, move || work(&store)).await
    }

    /// As [`load`](Self::load), for work that waits for no sender: its data is in memory. It has its own queue.
    pub async fn load_from_memory<T: Send + 'static>(
        self: &Arc<Self>,
        organization: Organization,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let loads = match &self.0 {
            Backend::Embedded(store) => &store.loads_from_memory,
            Backend::ClickHouse(store) => &store.loads_from_memory,
        };
        let store = Arc::clone(self);
        loads.run(organization, move || work(&store)).await
    }

    /// Whether records are acknowledged; an error when the store is closed.
    pub fn health(&self) -> Result<Health, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => store.health(),
            Backend::ClickHouse(store) => store.health(),
        }
    }

    /// What an operator watches.
    pub async fn figures(&self) -> Result<Vec<Figure>, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => store.figures().await,
            Backend::ClickHouse(store) => Ok(store.figures()),
        }
    }

    /// Work that goes on beside calls, for as long as it is polled; every process that serves may do it. The engine has a
    /// thread of its own.
    pub async fn maintain(&self, clock: Clock) {
        match &self.0 {
            Backend::Embedded(_) => {}
            Backend::ClickHouse(store) => store.maintain(clock).await,
        }
    }

    /// Finishes what was begun and makes everything durable; then the store is released. What is called afterwards is
    /// refused.
    pub async fn close(&self) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Embedded(store) => store.close().await,
            Backend::ClickHouse(store) => store.close().await,
        }
    }

    /// As [`close`](Self::close), where no asynchronous call is under way. Blocks.
    pub fn close_here(&self) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Embedded(store) => store.close_here(),
            Backend::ClickHouse(store) => store.close_here(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags};
    use ipstats_model::LookBack;

    #[tokio::test]
    async fn what_is_recorded_is_answered_until_the_store_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
        let config = Config::load_in(&flags, &Environment::default()).unwrap();
        let store = Arc::new(Store::open(&config, &Clock::System).unwrap());
        let now: Timestamp = "2017-08-29T13:32:59Z".parse().unwrap();
        let (ours, theirs) = (Organization::from_bytes([1; 16]), Organization::from_bytes([2; 16]));
        let ip = "10.209.67.177".parse().unwrap();
        let mut batch = Batch::new();
        batch.push("laptop", ip, now).unwrap();
        let recorded = store.load(ours, move |store| store.record_here(ours, &batch, now)).await.unwrap();
        assert_eq!(recorded.unwrap().counted, 1);

        let window = Window::ending_at(now, LookBack::default());
        let seen = IpStatistics::Seen { prevalence: 1, first_seen: now, last_seen: now };
        assert_eq!(store.statistics(ours, ip, window).await.unwrap(), seen);
        assert_eq!(store.statistics(theirs, ip, window).await.unwrap(), IpStatistics::Unknown);
        assert_eq!(store.health().unwrap(), Health::Accepting);

        store.close().await.unwrap();
        assert!(store.statistics(ours, ip, window).await.is_err());
        assert!(matches!(store.health(), Err(StoreError::Closed)));
        assert!(matches!(store.load(ours, |_| ()).await, Err(StoreError::Closed)));
    }
}
