//! The partitions of a topic that are read, and how far each of them is.

use super::access::Access;
use super::connection::Connection;
use super::partition::{Event, Events, Partition, Progress};
use super::{Left, RETRY_PAUSE, ReadError};
use crate::config::{Begin, KafkaTopic};
use crate::sources::account::Backlog;
use crate::sources::recorder::Recorder;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

/// How often new partitions are looked for.
const PARTITIONS_PERIOD: Duration = Duration::from_mins(1);

/// Batches that are decompressed and not recorded yet, of all partitions.
const WAITING_BATCHES_MAX: usize = 4;

/// Events that wait to be taken.
const EVENTS_MAX: usize = 64;

/// After how long without a record it is logged that the broker has some and sends none.
const WAITING_TIME_MAX: Duration = Duration::from_mins(1);

/// The tasks that read a topic, and what they reported.
pub(super) struct Session {
    config: KafkaTopic,
    handle: Handle,
    tasks: JoinSet<()>,
    room: Arc<Semaphore>,
    sender: Events,
    receiver: mpsc::Receiver<(Option<i32>, Event)>,
    /// The topic, once the broker has listed its partitions.
    topic: Option<String>,
    partitions: HashMap<i32, State>,
    /// What fails now; nothing for the topic as a whole.
    failures: BTreeMap<Option<i32>, String>,
    /// Partitions of which a malformed record was logged since the partitions were listed.
    logged_malformed: HashSet<i32>,
}

/// How far one partition is.
struct State {
    task: AbortHandle,
    /// The offset of the next record, once it is known.
    next: Option<i64>,
    is_saved: bool,
    progress: Option<Progress>,
    /// Since when `next` is what it is.
    since: Instant,
    has_logged_waiting: bool,
}

impl Session {
    /// Starts to look for the partitions.
    pub(super) fn start(config: &KafkaTopic, handle: &Handle) -> Self {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn_on(list_partitions(config.clone(), sender.clone()), handle);
        Self {
            config: config.clone(),
            handle: handle.clone(),
            tasks,
            room: Arc::new(Semaphore::new(WAITING_BATCHES_MAX)),
            sender,
            receiver,
            topic: None,
            partitions: HashMap::new(),
            failures: BTreeMap::new(),
            logged_malformed: HashSet::new(),
        }
    }

    /// The next event and the partition it concerns.
    pub(super) async fn next_event(&mut self) -> (Option<i32>, Result<Event, ReadError>) {
        loop {
            tokio::select! {
                biased;
                Some((partition, event)) = self.receiver.recv() => return (partition, Ok(event)),
                Some(ended) = self.tasks.join_next() => {
                    // A task ends by itself only with the session; one of a partition that is gone is aborted.
                    if ended.is_err_and(|error| error.is_panic()) {
                        return (None, Err(ReadError::TaskFailed));
                    }
                }
            }
        }
    }

    /// Starts to read new partitions from their checkpoints, and ends the tasks of those that are gone.
    pub(super) fn set_partitions(
        &mut self,
        topic: String,
        numbers: &[i32],
        recorder: &mut Recorder,
    ) -> Result<(), Left> {
        if self.topic.as_ref().is_some_and(|known| *known != topic) {
            return Err(ReadError::OtherTopic { topic }.into());
        }
        self.failures.remove(&None);
        self.logged_malformed.clear();
        let gone: Vec<i32> =
            self.partitions.keys().copied().filter(|number| !numbers.contains(number)).collect();
        for number in gone {
            if let Some(state) = self.partitions.remove(&number) {
                state.task.abort();
            }
            self.failures.remove(&Some(number));
        }
        let new: Vec<i32> =
            numbers.iter().copied().filter(|number| !self.partitions.contains_key(number)).collect();
        if !new.is_empty() {
            let kept: HashMap<String, Vec<u8>> = recorder.checkpoints()?.into_iter().collect();
            // A partition that was added to the topic is read from its start, whatever the source began with.
            let prefix = format!("{topic}/");
            let is_known = self.topic.is_some() || kept.keys().any(|name| name.starts_with(&prefix));
            let begin = if is_known { Begin::Earliest } else { self.config.begin };
            for number in new {
                let checkpoint = kept.get(&format!("{prefix}{number}"));
                let next = checkpoint.and_then(|bytes| offset_in(bytes));
                self.start_partition(&topic, number, begin, next);
            }
        }
        self.topic = Some(topic);
        Ok(())
    }

    fn start_partition(&mut self, topic: &str, number: i32, begin: Begin, next: Option<i64>) {
        let partition = Partition {
            config: KafkaTopic { begin, ..self.config.clone() },
            topic: topic.to_owned(),
            number,
            next,
            room: Arc::clone(&self.room),
            events: self.sender.clone(),
        };
        let task = self.tasks.spawn_on(partition.read(), &self.handle);
        let state = State {
            task,
            next,
            is_saved: true,
            progress: None,
            since: Instant::now(),
            has_logged_waiting: false,
        };
        self.partitions.insert(number, state);
    }

    /// The broker answered.
    pub(super) fn note_progress(&mut self, partition: Option<i32>, progress: Progress) {
        self.failures.remove(&partition);
        self.note_taken(partition, progress.next);
        if let Some(state) = partition.and_then(|number| self.partitions.get_mut(&number)) {
            state.progress = Some(progress);
        }
    }

    /// Everything before `next` was taken.
    pub(super) fn note_taken(&mut self, partition: Option<i32>, next: i64) {
        let Some(state) = partition.and_then(|number| self.partitions.get_mut(&number)) else { return };
        if state.next != Some(next) {
            (state.next, state.is_saved) = (Some(next), false);
            (state.since, state.has_logged_waiting) = (Instant::now(), false);
        }
    }

    pub(super) fn note_failure(&mut self, partition: Option<i32>, error: &ReadError) {
        if partition.is_none_or(|number| self.partitions.contains_key(&number)) {
            self.failures.insert(partition, crate::telemetry::chain(error));
        }
    }

    /// What fails now, each failure with the partitions that have it.
    pub(super) fn failures(&self) -> Option<String> {
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (partition, reason) in &self.failures {
            let partitions = by_reason.entry(reason).or_default();
            partitions.extend(partition.map(|number| number.to_string()));
        }
        let parts: Vec<String> = by_reason
            .into_iter()
            .map(|(reason, partitions)| match partitions.as_slice() {
                [] => reason.to_owned(),
                [one] => format!("partition {one}: {reason}"),
                several => format!("partitions {}: {reason}", several.join(", ")),
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Whether the broker has answered for a partition.
    pub(super) fn has_answers(&self) -> bool {
        self.partitions.values().any(|state| state.progress.is_some())
    }

    /// Whether no malformed record of a partition was logged lately.
    pub(super) fn is_first_malformed(&mut self, partition: i32) -> bool {
        self.logged_malformed.insert(partition)
    }

    /// What the broker has and was not recorded yet: up to the high watermark, records of open transactions included.
    pub(super) fn backlog(&self) -> Backlog {
        Backlog::Records(self.partitions.values().map(State::left).sum())
    }

    /// Logs partitions whose records the broker has and does not send, once each.
    pub(super) fn warn_of_waiting(&mut self, source: &str) {
        for (partition, state) in &mut self.partitions {
            let Some(progress) = state.progress else { continue };
            if state.has_logged_waiting || state.left() == 0 || state.since.elapsed() < WAITING_TIME_MAX {
                continue;
            }
            state.has_logged_waiting = true;
            let Progress { next, high_watermark, last_stable_offset } = progress;
            let reason = if last_stable_offset == next {
                "a transaction is open, and its records are read when it ends"
            } else {
                "the broker sends none"
            };
            tracing::warn!(
                source,
                partition,
                offset = next,
                last_stable_offset,
                high_watermark,
                "waiting for records of the topic: {reason}"
            );
        }
    }

    /// The checkpoints that changed. What is before them must be durable.
    pub(super) fn new_checkpoints(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let Some(topic) = &self.topic else { return Vec::new() };
        let mut checkpoints = Vec::new();
        for (number, state) in &mut self.partitions {
            if let (false, Some(next)) = (state.is_saved, state.next) {
                checkpoints.push((format!("{topic}/{number}"), Some(next.to_string().into_bytes())));
                state.is_saved = true;
            }
        }
        checkpoints
    }
}

impl State {
    /// Records that the broker has and that were not taken yet.
    fn left(&self) -> u64 {
        let left =
            self.progress.zip(self.next).map(|(progress, next)| progress.high_watermark.saturating_sub(next));
        left.and_then(|left| u64::try_from(left).ok()).unwrap_or_default()
    }
}

/// Reports the partitions of the topic, now and every [`PARTITIONS_PERIOD`], until no receiver is left.
async fn list_partitions(config: KafkaTopic, events: Events) {
    loop {
        let (event, pause) = match partitions(&config).await {
            Ok((topic, numbers)) => (Event::Partitions { topic, numbers }, PARTITIONS_PERIOD),
            Err(error) => (Event::Failed(error), RETRY_PAUSE),
        };
        if events.send((None, event)).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

async fn partitions(config: &KafkaTopic) -> Result<(String, Vec<i32>), ReadError> {
    let access = Access::of(config)?;
    let metadata = Connection::to_any(&access).await?.metadata(&access.topic).await?;
    Ok((access.topic, metadata.partitions.into_iter().map(|partition| partition.number).collect()))
}

fn offset_in(checkpoint: &[u8]) -> Option<i64> {
    std::str::from_utf8(checkpoint).ok()?.parse().ok()
}
