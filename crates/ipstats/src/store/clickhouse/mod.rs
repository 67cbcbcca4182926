//! ClickHouse as the store: the same semantics as tables (`schema`), for teams that outgrow one machine.
//!
//! Owns everything that is said to ClickHouse. Nothing is kept here but what is under way: any number of processes work on
//! the same tables.
//!
//! Invariants:
//! - A batch is acknowledged after ClickHouse acknowledged it: on all shards it belongs to, and by as many replicas as
//!   `insert_quorum` says.
//! - Everything is a join. Whatever fails is sent again, here or by its sender, and changes nothing.
//! - Every statement about rows names an organization, but for those that look after days (`retention`) or read everything
//!   (`pieces`), and nothing that came from outside is in it as text.

mod checkpoints;
mod error;
mod host;
mod init;
mod inserts;
mod link;
mod pieces;
mod questions;
mod retention;
mod row_binary;
mod schema;
mod servers;
mod shards;

use super::fair_pool::FairPool;
use super::figures::{Figure, FigureKind};
use super::pool::{Pool, loads_from_memory};
use super::{Health, StoreError};
use crate::clock::Clock;
use crate::config::ClickHouseAccess;
use checkpoints::Versions;
use error::{ClickHouseError, Failure};
pub use init::{init, init_statements};
use inserts::Inserts;
use ipstats_model::{
    Batch, CanonicalIp, DayPrevalence, DeviceContact, IpStatistics, Organization, Recorded, Timestamp, Window,
};
use link::Statement;
use parking_lot::Mutex;
use questions::{Inside, Subject};
use servers::{Reach, Servers};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::{self, Handle, Runtime};
use tokio::time::timeout_at;

/// Questions that may run or wait at once; one more is refused.
const QUESTIONS_MAX: usize = 512;

/// Questions that run at once. A server takes a hundred queries by default, from all who ask.
const QUESTIONS_RUNNING_MAX: usize = 32;

/// Loads that run at once. They wait for inserts more than they compute.
const LOADS_MAX: usize = 32;

/// Threads that carry statements.
const THREADS: usize = 2;

/// Pause between looks at the servers: for how long a server that hangs may be asked, and one that came back may not.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// Pause between droppings of expired days.
const DROPPING_PAUSE: Duration = Duration::from_hours(1);

/// A store in ClickHouse.
pub(super) struct ClickHouse {
    shared: Arc<Shared>,
    inserts: Inserts,
    questions: FairPool,
    pub(super) loads: Pool,
    pub(super) loads_from_memory: FairPool,
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

/// What tasks share.
pub(super) struct Shared {
    access: ClickHouseAccess,
    servers: Arc<Servers>,
    versions: Versions,
    health: Mutex<Option<Health>>,
}

/// ClickHouse cannot be used as the store.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseOpenError {
    /// The certificates to trust cannot be used.
    #[error("{0}")]
    CaFile(String),
    /// There are no threads.
    #[error("no threads can be started")]
    Threads(#[source] std::io::Error),
    /// The tables are not there, or it refuses us.
    #[error("ClickHouse cannot be used as the store: {0}")]
    Refused(String),
    /// `init` cannot be begun, or came to an end before all was there.
    #[error("{0}")]
    Init(String),
}

impl ClickHouse {
    /// The store that `access` describes. Servers that are away may come back: that is no error. Servers that refuse us, or
    /// have other tables, are. Blocks.
    pub(super) fn open(access: &ClickHouseAccess) -> Result<Self, ClickHouseOpenError> {
        let (shared, runtime) = connect(access)?;
        let handle = runtime.handle().clone();
        let (present, failures) = handle.block_on(shared.look());
        if let Some((url, failure)) = failures.iter().find(|(_, failure)| present == 0 && !failure.may_pass())
        {
            return Err(ClickHouseOpenError::Refused(format!("{url}: {failure}")));
        }
        for (url, failure) in failures {
            tracing::warn!(url, "a ClickHouse server cannot be used: {failure}");
        }
        Ok(Self {
            inserts: Inserts::start(&shared.servers, &shared.insert_settings(), access.timeout, &handle),
            shared,
            questions: FairPool::new(QUESTIONS_MAX, QUESTIONS_RUNNING_MAX),
            loads: Pool::with_places(LOADS_MAX),
            loads_from_memory: loads_from_memory(LOADS_MAX),
            handle,
            runtime: Mutex::new(Some(runtime)),
        })
    }

    pub(super) async fn statistics(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<IpStatistics, StoreError> {
        let deadline = self.shared.servers.deadline();
        let turn = self.questions.admit(organization);
        let slot = timeout_at(deadline.into(), turn)
            .await
            .map_err(|_elapsed| StoreError::Busy { waiting: QUESTIONS_RUNNING_MAX })??;
        let shared = Arc::clone(&self.shared);
        let subject = Subject { organization, ip };
        let answer = self.handle.spawn(async move {
            let answer = shared.statistics(subject, window, deadline).await;
            drop(slot);
            answer
        });
        let answer = answer.await.map_err(|error| StoreError::Defect(error.to_string()))?;
        answer.map_err(|error| StoreError::Read(error.into()))
    }

    /// As [`statistics`](Self::statistics), for one who may block, as all that follow.
    pub(super) fn statistics_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<IpStatistics, StoreError> {
        self.ask(async |deadline| {
            self.shared.statistics(Subject { organization, ip }, window, deadline).await
        })
    }

    pub(super) fn devices_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        window: Window,
    ) -> Result<Vec<DeviceContact>, StoreError> {
        let subject = Subject { organization, ip };
        self.ask(async |deadline| {
            self.shared.question(subject, subject.devices(window), questions::devices, deadline).await
        })
    }

    pub(super) fn devices_per_day_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        now: Timestamp,
    ) -> Result<Vec<DayPrevalence>, StoreError> {
        let (subject, (first, last)) = (Subject { organization, ip }, questions::days_retained(now));
        let read = |answer: &[u8]| questions::devices_per_day(answer, first, last);
        self.ask(async |deadline| {
            self.shared.question(subject, subject.devices_per_day(first, last), read, deadline).await
        })
    }

    pub(super) fn first_ever_here(
        &self,
        organization: Organization,
        ip: CanonicalIp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let subject = Subject { organization, ip };
        self.ask(async |deadline| {
            self.shared.question(subject, subject.first_ever(), questions::first_ever, deadline).await
        })
    }

    pub(super) fn newest_event_here(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(async |_deadline| self.shared.newest_event().await)
    }

    pub(super) fn record_here(
        &self,
        organization: Organization,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        self.check_open()?;
        let (rows, recorded) = row_binary::rows(organization, batch, now);
        if recorded.counted > 0 {
            self.handle.block_on(self.inserts.insert(rows))?;
        }
        Ok(recorded)
    }

    pub(super) fn checkpoints_here(
        &self,
        organization: Organization,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.ask(async |deadline| {
            let question = checkpoints::question(organization);
            let answer = self.shared.servers.ask(&question, deadline).await?;
            checkpoints::read(&answer).map_err(|failure| self.shared.unreadable(failure))
        })
    }

    pub(super) fn set_checkpoints_here(
        &self,
        organization: Organization,
        checkpoints: &[(&str, Option<&[u8]>)],
    ) -> Result<(), StoreError> {
        self.check_open()?;
        let settings = self.shared.insert_settings();
        let statement = checkpoints::insert(organization, checkpoints, &self.shared.versions, settings);
        let written = self.handle.block_on(async {
            let servers = &self.shared.servers;
            servers.insist(&statement, servers.deadline()).await
        });
        written.map_err(|error| StoreError::Write(error.into()))
    }

    pub(super) fn health(&self) -> Result<Health, StoreError> {
        self.check_open()?;
        Ok(self.shared.health.lock().clone().unwrap_or(Health::Accepting))
    }

    pub(super) fn figures(&self) -> Vec<Figure> {
        let figures = self.inserts.figures();
        let figure = |name, help, kind, value| Figure { name, help, kind, value };
        vec![
            figure(
                "store_inserts",
                "Inserts that ClickHouse acknowledged",
                FigureKind::Count,
                figures.done.load(Ordering::Relaxed),
            ),
            figure(
                "store_insert_failures",
                "Inserts that it did not acknowledge, after all tries",
                FigureKind::Count,
                figures.failed.load(Ordering::Relaxed),
            ),
            figure(
                "store_waiting_batches",
                "Batches that wait for an acknowledgement",
                FigureKind::Level,
                figures.waiting_batches.load(Ordering::Relaxed),
            ),
        ]
    }

    /// Looks after servers and retention, for as long as it is polled.
    pub(super) async fn maintain(&self, clock: Clock) {
        let shared = Arc::clone(&self.shared);
        let maintenance = self.handle.spawn(async move {
            // Beside each other: a partition may take minutes to go.
            let look = async {
                loop {
                    shared.look().await;
                    tokio::time::sleep(LOOK_PAUSE).await;
                }
            };
            let drop = async {
                loop {
                    shared.drop_and_tell(clock.now()).await;
                    tokio::time::sleep(DROPPING_PAUSE).await;
                }
            };
            let ((), ()) = tokio::join!(look, drop);
        });
        let _aborted_when_dropped = AbortOnDrop(maintenance.abort_handle());
        let _ = maintenance.await;
    }

    /// Finishes what was begun. What is called afterwards is refused.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.questions.drain().await;
        self.loads.drain().await;
        self.loads_from_memory.drain().await;
        self.close_here()
    }

    pub(super) fn close_here(&self) -> Result<(), StoreError> {
        self.inserts.close();
        let runtime = self.runtime.lock().take().ok_or(StoreError::Closed)?;
        runtime.shutdown_background();
        Ok(())
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.runtime.lock().is_some() { Ok(()) } else { Err(StoreError::Closed) }
    }

    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(Instant) -> Result<T, ClickHouseError>,
    ) -> Result<T, StoreError> {
        self.check_open()?;
        let deadline = self.shared.servers.deadline();
        self.handle.block_on(question(deadline)).map_err(|error| StoreError::Read(error.into()))
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        // A runtime must not be dropped where nobody may block.
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    async fn statistics(
        &self,
        subject: Subject,
        window: Window,
        deadline: Instant,
    ) -> Result<IpStatistics, ClickHouseError> {
        let inside = self.question(subject, subject.inside(window), Inside::read, deadline).await?;
        if let Some(seen) = inside.statistics(window) {
            return Ok(seen);
        }
        let is_retained =
            self.question(subject, subject.is_retained(window), questions::exists, deadline).await?;
        Ok(if is_retained { IpStatistics::NotInWindow } else { IpStatistics::Unknown })
    }

    async fn question<T>(
        &self,
        subject: Subject,
        statement: impl Fn(Reach) -> Statement,
        read: impl Fn(&[u8]) -> Result<T, Failure>,
        deadline: Instant,
    ) -> Result<T, ClickHouseError> {
        let answer = self.servers.ask_about(subject.organization, subject.ip, statement, deadline).await?;
        read(&answer).map_err(|failure| self.unreadable(failure))
    }

    /// Asks for what belongs to nobody.
    async fn ask(&self, sql: String) -> Result<Vec<u8>, ClickHouseError> {
        let statement = Statement { sql, ..Statement::default() };
        self.servers.ask(&statement, self.servers.deadline()).await
    }

    /// The newest contact of any organization: of the newest day.
    async fn newest_event(&self) -> Result<Option<Timestamp>, ClickHouseError> {
        let ask = async |sql: &str| {
            let answer = self.ask(sql.to_owned()).await?;
            row_binary::Values::new(&answer).u32().map_err(|failure| self.unreadable(failure))
        };
        let day = ask("SELECT toUInt32(toUInt16(max(day))) FROM contacts FORMAT RowBinary").await?;
        let sql = format!(
            "SELECT toUInt32(maxMerge(last)) FROM contacts WHERE day = toDate({day}) FORMAT RowBinary"
        );
        let newest = ask(&sql).await?;
        Ok((newest > 0).then(|| Timestamp::from_second(newest.into())))
    }

    async fn look(&self) -> (usize, Vec<(String, Failure)>) {
        let (present, failures) = self.servers.look().await;
        let reasons = failures.iter().map(|(url, failure)| format!("{url}: {failure}")).collect::<Vec<_>>();
        let health = if present > 0 { Health::Accepting } else { Health::Failed(reasons.join("; ")) };
        let before = self.health.lock().replace(health.clone());
        if before.is_some_and(|before| (before == Health::Accepting) != (health == Health::Accepting)) {
            match health {
                Health::Accepting => tracing::info!("ClickHouse answers again"),
                Health::Failed(reason) => tracing::error!("no ClickHouse server can be used: {reason}"),
            }
        }
        (present, failures)
    }

    async fn drop_and_tell(&self, now: Timestamp) {
        match self.drop_expired(now).await {
            Ok(0) => {}
            Ok(days) => tracing::info!(days, "dropped days that have expired"),
            Err(error) => tracing::warn!("days that have expired cannot be dropped: {error}"),
        }
    }

    fn insert_settings(&self) -> Vec<(&'static str, String)> {
        inserts::settings(self.access.insert_quorum, self.access.timeout)
    }

    fn unreadable(&self, failure: Failure) -> ClickHouseError {
        ClickHouseError::of(vec![(self.servers.database().to_owned(), failure)])
    }
}

fn connect(access: &ClickHouseAccess) -> Result<(Arc<Shared>, Runtime), ClickHouseOpenError> {
    let servers = Servers::new(access).map_err(|error| ClickHouseOpenError::CaFile(error.to_string()))?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("clickhouse")
        .enable_all()
        .build()
        .map_err(ClickHouseOpenError::Threads)?;
    let (access, versions) = (access.clone(), Versions::default());
    let shared = Shared { access, servers: Arc::new(servers), versions, health: Mutex::default() };
    Ok((Arc::new(shared), runtime))
}
