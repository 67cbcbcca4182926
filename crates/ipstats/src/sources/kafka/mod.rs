//! A topic of a Kafka cluster or an Azure Event Hub, all partitions of it.
//!
//! No consumer group: the offset of each partition is a checkpoint in the store, next to the data. One service reads a
//! topic whole; a second one that reads it too changes nothing, because the state is a join.
//!
//! One task a partition fetches ahead, within a bound; the source's thread parses, records, and writes checkpoints.
//! Whatever goes wrong with the cluster ends the session, and another one begins at the checkpoints.

mod access;
mod partition;

use super::account::Backlog;
use super::recorder::{Recorder, Stopped};
use crate::config::KafkaTopic;
use access::{Access, AccessError};
use ipstats_formats::{FormatChoice, Framer};
use partition::{Fetched, Partition};
use rskafka::client::Client;
use rskafka::client::error::Error as KafkaError;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Pause before another session.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Longest wait for the cluster's word on which partitions there are.
const METADATA_TIME_MAX: Duration = Duration::from_secs(20);

/// How often new partitions are looked for.
const PARTITIONS_PERIOD: Duration = Duration::from_mins(1);

/// How long to wait for records before looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers of partitions that wait to be recorded; each of [`partition::FETCH_BYTES_MAX`] at most.
const WAITING_MAX: usize = 4;

/// Bytes of records after which checkpoints are written although more is waiting.
const SAVE_BYTES: usize = 16 << 20;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("the broker did not answer within {} seconds", METADATA_TIME_MAX.as_secs())]
    Timeout,
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    #[error("there is no topic {topic:?} on the broker")]
    NoTopic { topic: String },
    #[error("the tasks of the partitions ended")]
    TasksEnded,
}

/// Why a session was left.
enum Left {
    Stopped,
    Failed(SessionError),
}

/// Reads a topic until the recorder is told to stop.
pub(super) fn consume(topic: &KafkaTopic, format: FormatChoice, recorder: Recorder) {
    let runtime = match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return recorder.trouble(&format!("no threads can be started: {error}")),
    };
    let mut consumer = Consumer { topic, format, recorder, runtime };
    while let Err(Left::Failed(error)) = consumer.read_on() {
        consumer.recorder.trouble(&crate::telemetry::chain(&error));
        if consumer.recorder.wait(RETRY_PAUSE).is_err() {
            break;
        }
    }
    // Nothing of a fetch that is under way is needed any more.
    consumer.runtime.shutdown_background();
}

struct Consumer<'a> {
    topic: &'a KafkaTopic,
    format: FormatChoice,
    recorder: Recorder,
    runtime: Runtime,
}

impl Consumer<'_> {
    /// Reads on from the checkpoints until something goes wrong.
    fn read_on(&mut self) -> Result<std::convert::Infallible, Left> {
        let access = Access::of(self.topic)?;
        let topic = access.topic.clone();
        let client = Arc::new(self.wait_for(access.connect())?);
        let mut session = Session::new(client, topic, self.topic.begin);
        let mut looked_at = None;
        loop {
            if looked_at.is_none_or(|at: Instant| at.elapsed() >= PARTITIONS_PERIOD) {
                let partitions =
                    self.wait_for(partitions(Arc::clone(&session.client), session.topic.clone()))?;
                session.begin_new(&partitions, &mut self.recorder, &self.runtime)?;
                looked_at = Some(Instant::now());
            }
            self.take_what_is_there(&mut session)?;
            self.recorder.flush()?;
            self.recorder.set_checkpoints(&session.new_checkpoints())?;
            self.recorder.set_backlog(session.backlog());
            self.recorder.recovered();
            if self.recorder.is_stopped() {
                return Err(Left::Stopped);
            }
        }
    }

    /// Takes answers of partitions until none is waiting, or there is enough to be recorded.
    fn take_what_is_there(&mut self, session: &mut Session) -> Result<(), Left> {
        let mut bytes = 0;
        let mut patience = PATIENCE;
        while bytes < SAVE_BYTES {
            let next =
                self.runtime.block_on(async { tokio::time::timeout(patience, session.fetched.recv()).await });
            let fetched = match next {
                Err(_) => break,
                Ok(None) => return Err(SessionError::TasksEnded.into()),
                Ok(Some(fetched)) => fetched?,
            };
            for value in &fetched.values {
                bytes += value.len();
                self.take(value)?;
            }
            session.note(&fetched);
            patience = Duration::ZERO;
        }
        Ok(())
    }

    /// Parses one message: a log of its own, of one record or many.
    fn take(&mut self, value: &[u8]) -> Result<(), Stopped> {
        let mut framer = Framer::of_source(self.format, self.recorder.settings());
        let mut whole = Vec::new();
        let read = framer.feed(value, &mut whole).and_then(|()| framer.finish(&mut whole));
        self.recorder.take(&whole)?;
        if let Err(error) = read {
            self.recorder.unreadable(&error)?;
        }
        Ok(())
    }

    fn wait_for<T, E: Into<SessionError>>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, SessionError> {
        self.runtime.block_on(async {
            match tokio::time::timeout(METADATA_TIME_MAX, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(SessionError::Timeout),
            }
        })
    }
}

/// The partitions of a topic; none if there is no such topic.
async fn partitions(client: Arc<Client>, topic: String) -> Result<Vec<i32>, SessionError> {
    let topics = client.list_topics().await?;
    let found = topics.into_iter().find(|found| found.name == topic);
    match found {
        Some(found) if !found.partitions.is_empty() => Ok(found.partitions.into_iter().collect()),
        _ => Err(SessionError::NoTopic { topic }),
    }
}

/// A connection to the cluster, and the partitions that are read over it.
struct Session {
    client: Arc<Client>,
    topic: String,
    begin: crate::config::Begin,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Result<Fetched, KafkaError>>,
    fetched: mpsc::Receiver<Result<Fetched, KafkaError>>,
    /// For each partition that is read, the offset of the next record, and whether that is in its checkpoint.
    next: HashMap<i32, (i64, bool)>,
    /// For each partition, how many records are behind that.
    left: HashMap<i32, u64>,
}

impl Session {
    fn new(client: Arc<Client>, topic: String, begin: crate::config::Begin) -> Self {
        let (sender, fetched) = mpsc::channel(WAITING_MAX);
        Self {
            client,
            topic,
            begin,
            tasks: JoinSet::new(),
            sender,
            fetched,
            next: HashMap::new(),
            left: HashMap::new(),
        }
    }

    /// Starts to read the partitions that are not read yet.
    fn begin_new(
        &mut self,
        partitions: &[i32],
        recorder: &mut Recorder,
        runtime: &Runtime,
    ) -> Result<(), Stopped> {
        if partitions.iter().all(|partition| self.next.contains_key(partition)) {
            return Ok(());
        }
        let kept: HashMap<String, Vec<u8>> = recorder.checkpoints()?.into_iter().collect();
        for number in partitions {
            if self.next.contains_key(number) {
                continue;
            }
            let offset = kept.get(&self.checkpoint_name(*number)).and_then(|bytes| offset_in(bytes));
            self.next.insert(*number, (offset.unwrap_or(-1), true));
            let partition = Partition {
                client: Arc::clone(&self.client),
                topic: self.topic.clone(),
                number: *number,
                offset,
                begin: self.begin,
            };
            self.tasks.spawn_on(partition.read(self.sender.clone()), runtime.handle());
        }
        Ok(())
    }

    /// Everything before `fetched.next` was taken.
    fn note(&mut self, fetched: &Fetched) {
        let next = self.next.entry(fetched.partition).or_insert((fetched.next, false));
        if next.0 != fetched.next {
            *next = (fetched.next, false);
        }
        let left = fetched.end.saturating_sub(fetched.next);
        self.left.insert(fetched.partition, u64::try_from(left).unwrap_or_default());
    }

    /// What the broker has and was not recorded yet.
    fn backlog(&self) -> Backlog {
        Backlog::Records(self.left.values().sum())
    }

    /// The checkpoints that are news. What is before them must be durable.
    fn new_checkpoints(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let mut checkpoints = Vec::new();
        let topic = &self.topic;
        for (partition, (offset, is_saved)) in &mut self.next {
            if !*is_saved {
                checkpoints.push((format!("{topic}/{partition}"), Some(offset.to_string().into_bytes())));
                *is_saved = true;
            }
        }
        checkpoints
    }

    fn checkpoint_name(&self, partition: i32) -> String {
        format!("{}/{partition}", self.topic)
    }
}

fn offset_in(checkpoint: &[u8]) -> Option<i64> {
    std::str::from_utf8(checkpoint).ok()?.parse().ok()
}

impl<E: Into<SessionError>> From<E> for Left {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Stopped> for Left {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}
