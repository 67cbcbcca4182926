//! Many small batches into few large inserts.
//!
//! Whoever brings rows waits until ClickHouse has acknowledged the insert that they became a part of. While inserts are
//! under way, rows that arrive wait together and go out together: the more there is to do, the larger the inserts. Few rows wait
//! a moment for company, because ClickHouse pays for each insert with parts that it has to merge.
//!
//! Bounded: rows that wait and rows that are under way have room of one size together; who finds none for some seconds is
//! told to come again.

use super::error::{ClickHouseError, Failure};
use super::link::Statement;
use super::row_binary::COLUMNS;
use super::servers::Servers;
use crate::store::StoreError;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Rows that may wait or be under way, in KiB.
const ROOM_KIB: u32 = 64 << 10;

/// Longest wait for room; half of the patience where that is less.
const ROOM_SECONDS_MAX: u64 = 5;

/// Batches that may wait, however small.
const BATCHES_MAX: usize = 4096;

/// Inserts under way at once.
const INSERTS_MAX: usize = 3;

/// An insert of this size does not wait for company, in bytes.
const ENOUGH_BYTES: usize = 1 << 20;

/// Largest insert that several batches become, in bytes.
const INSERT_BYTES_MAX: usize = 16 << 20;

/// For how long few rows wait for company.
const COMPANY_WAIT: Duration = Duration::from_millis(50);

/// Where rows go in.
pub(super) struct Inserts {
    servers: Arc<Servers>,
    /// Longest wait for an acknowledgement.
    patience: Duration,
    room: Arc<Semaphore>,
    queue: mpsc::Sender<Pending>,
    figures: Arc<InsertFigures>,
}

/// What happened since the process began.
#[derive(Debug, Default)]
pub(super) struct InsertFigures {
    pub(super) done: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) waiting_batches: AtomicU64,
}

struct Pending {
    rows: Vec<u8>,
    done: oneshot::Sender<Result<(), ClickHouseError>>,
    _room: OwnedSemaphorePermit,
}

impl Inserts {
    /// Inserts through `servers`, on `runtime`, with `settings`. They end when this is dropped.
    pub(super) fn start(
        servers: &Arc<Servers>,
        settings: &[(&'static str, String)],
        patience: Duration,
        runtime: &Handle,
    ) -> Self {
        let (queue, batches) = mpsc::channel(BATCHES_MAX);
        let (batches, figures) = (Arc::new(Mutex::new(batches)), Arc::<InsertFigures>::default());
        for _ in 0..INSERTS_MAX {
            let (servers, batches, figures) =
                (Arc::clone(servers), Arc::clone(&batches), Arc::clone(&figures));
            let settings = settings.to_vec();
            runtime.spawn(async move {
                while let Some(together) = gather(&mut *batches.lock().await).await {
                    insert(&servers, settings.clone(), together, &figures).await;
                }
            });
        }
        let (servers, room) = (Arc::clone(servers), Arc::new(Semaphore::new(ROOM_KIB as usize)));
        Self { servers, patience, room, queue, figures }
    }

    /// Inserts rows; returns when ClickHouse has acknowledged them. Fails at once where it is known to be away, and otherwise
    /// before those who send give up waiting: what they are told is that they should send again.
    pub(super) async fn insert(&self, rows: Vec<u8>) -> Result<(), StoreError> {
        self.servers.check_present().map_err(|error| StoreError::Write(error.into()))?;
        let until = Instant::now() + self.patience;
        let kib = u32::try_from(rows.len().div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, ROOM_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(kib);
        let waiting =
            || usize::try_from(self.figures.waiting_batches.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let room = timeout(Duration::from_secs(ROOM_SECONDS_MAX).min(self.patience / 2), room)
            .await
            .map_err(|_| StoreError::Busy { waiting: waiting() })?
            .map_err(|_| StoreError::Closed)?;
        let (done, acknowledged) = oneshot::channel();
        self.figures.waiting_batches.fetch_add(1, Ordering::Relaxed);
        let sent = self.queue.send(Pending { rows, done, _room: room }).await;
        let outcome = match sent {
            Ok(()) => match timeout_at(until, acknowledged).await {
                Ok(acknowledged) => acknowledged.map_err(|_| StoreError::Closed),
                Err(_elapsed) => Ok(Err(self.not_acknowledged())),
            },
            Err(_) => Err(StoreError::Closed),
        };
        self.figures.waiting_batches.fetch_sub(1, Ordering::Relaxed);
        outcome?.map_err(|error| StoreError::Write(error.into()))
    }

    fn not_acknowledged(&self) -> ClickHouseError {
        let failure = Failure::NotAcknowledged { seconds: self.patience.as_secs() };
        ClickHouseError::of(vec![("an insert".to_owned(), failure)])
    }

    pub(super) fn figures(&self) -> &InsertFigures {
        &self.figures
    }

    /// Lets nobody in any more. What waits is finished.
    pub(super) fn close(&self) {
        self.room.close();
    }
}

/// Settings of everything that is written: acknowledged by all shards it belongs to, and by `quorum` replicas of each. A
/// block that was seen before is written again: what came back as an error may have been written by too few replicas.
///
/// A server gives up when we do.
pub(super) fn settings(quorum: u32, limit: Duration) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("insert_distributed_sync", "1".to_owned()),
        ("insert_distributed_timeout", limit.as_secs().to_string()),
        ("insert_deduplicate", "0".to_owned()),
    ];
    if quorum > 1 {
        settings.push(("insert_quorum", quorum.to_string()));
        settings.push(("insert_quorum_timeout", limit.as_millis().to_string()));
    }
    settings
}

/// Batches for one insert: the first that comes, and what comes soon after.
async fn gather(batches: &mut mpsc::Receiver<Pending>) -> Option<Vec<Pending>> {
    let first = batches.recv().await?;
    let until = Instant::now() + COMPANY_WAIT;
    let mut bytes = first.rows.len();
    let mut together = vec![first];
    while bytes < ENOUGH_BYTES {
        match timeout_at(until, batches.recv()).await {
            Ok(Some(next)) => {
                bytes += next.rows.len();
                together.push(next);
            }
            Ok(None) | Err(_) => break,
        }
    }
    // What is there already costs no wait.
    while bytes < INSERT_BYTES_MAX
        && let Ok(next) = batches.try_recv()
    {
        bytes += next.rows.len();
        together.push(next);
    }
    Some(together)
}

async fn insert(
    servers: &Servers,
    settings: Vec<(&'static str, String)>,
    mut together: Vec<Pending>,
    figures: &InsertFigures,
) {
    // Whoever gave up sends it again: it need not be inserted twice.
    together.retain(|pending| !pending.done.is_closed());
    if together.is_empty() {
        return;
    }
    let bytes = together.iter().map(|pending| pending.rows.len()).sum();
    let mut rows = Vec::with_capacity(bytes);
    together.iter().for_each(|pending| rows.extend_from_slice(&pending.rows));
    let statement = Statement {
        sql: format!("INSERT INTO connections ({COLUMNS}) FORMAT RowBinary"),
        rows: Some(Bytes::from(rows)),
        settings,
        is_outside: false,
    };
    let outcome = servers.insist(&statement, servers.deadline()).await;
    let count = if outcome.is_ok() { &figures.done } else { &figures.failed };
    count.fetch_add(1, Ordering::Relaxed);
    for pending in together {
        // Whoever went away knows nothing, and sends again: that changes nothing.
        let _ = pending.done.send(outcome.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Flags, StoreBackend};
    use tokio::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(2);

    /// A server that takes connections and says nothing.
    async fn hanging() -> (TcpListener, Arc<Servers>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = [("BACKEND", "clickhouse"), ("URLS", &url), ("TIMEOUT", "2 s")];
        let environment: Environment = settings
            .iter()
            .map(|(name, value)| (format!("IPSTATS_STORE_{name}"), (*value).to_owned()))
            .collect();
        let StoreBackend::ClickHouse(access) =
            Config::load_in(&Flags::default(), &environment).unwrap().store
        else {
            panic!("it is not what was said");
        };
        (listener, Arc::new(Servers::new(&access).unwrap()))
    }

    // The paused clock moves only when every sender waits.
    #[tokio::test(start_paused = true)]
    async fn what_waits_has_an_end_and_so_has_waiting() {
        const SENDERS: usize = 100;
        const BYTES: usize = 4 << 20;
        let (_listener, servers) = hanging().await;
        let inserts = Arc::new(Inserts::start(&servers, &[], PATIENCE, &Handle::current()));
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..SENDERS {
            let inserts = Arc::clone(&inserts);
            senders.spawn(async move { inserts.insert(vec![0; BYTES]).await.unwrap_err() });
        }
        // The server never answers, so the time limits end these calls.
        let refused = senders.join_all().await;
        let busy = refused.iter().filter(|error| matches!(error, StoreError::Busy { .. })).count();
        assert_eq!(SENDERS - busy, (ROOM_KIB as usize) * 1024 / BYTES, "only so many may wait");
        assert_eq!(inserts.figures().waiting_batches.load(Ordering::Relaxed), 0);
    }
}
