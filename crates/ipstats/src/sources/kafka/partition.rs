//! One partition of a topic, fetched ahead of the recording.
//!
//! Owns the offset of the next record. It moves only over what a batch covers, or to the start of the log when the
//! records before it were deleted. Everything else is waited for: records of an open transaction, segments that a broker
//! is slow to read, a broker that is away. A failure is reported and tried again, and concerns no other partition.

use super::access::Access;
use super::batches::{Batches, Messages};
use super::connection::{Connection, KafkaError, OFFSET_OUT_OF_RANGE};
use super::messages::{Call, EARLIEST, Fetch, FetchAnswer, LATEST};
use super::{RETRY_PAUSE, ReadError};
use crate::config::{Begin, KafkaTopic};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Most bytes of one answer. A broker sends a larger batch all the same, alone.
const FETCH_BYTES_MAX: i32 = 1 << 20;

/// To how many bytes that is raised for a broker that cuts a larger batch off.
const CUT_FETCH_BYTES_MAX: i32 = 32 << 20;

/// How long a broker may wait for new records before it answers that there are none.
const FETCH_WAIT_MS: i32 = 500;

/// How often a batch is fetched whose checksum does not match, before its records are malformed.
const DAMAGED_FETCHES_MAX: u32 = 3;

pub(super) struct Partition {
    pub(super) config: KafkaTopic,
    pub(super) topic: String,
    pub(super) number: i32,
    /// The offset of the next record, once it is known: from a checkpoint, or from the broker.
    pub(super) next: Option<i64>,
    /// One permit for each batch that is decompressed and not recorded yet.
    pub(super) room: Arc<Semaphore>,
    pub(super) events: Events,
}

/// Events, each with the partition that it concerns; nothing for the topic as a whole.
pub(super) type Events = mpsc::Sender<(Option<i32>, Event)>;

/// What happened to a topic or a partition.
pub(super) enum Event {
    /// The topic has these partitions.
    Partitions { topic: String, numbers: Vec<i32> },
    /// The broker answered: everything before `next` was sent.
    Progress(Progress),
    /// Records to take, all before `next`.
    Messages { messages: Messages, next: i64, permit: OwnedSemaphorePermit },
    /// It cannot be read now, and is tried again.
    Failed(ReadError),
}

/// How far a partition is read, and how far it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) next: i64,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
}

/// The source has stopped: no receiver is left.
struct Closed;

enum Left {
    Closed,
    Failed(ReadError),
}

impl Partition {
    /// Reads the partition until no receiver is left.
    pub(super) async fn read(mut self) {
        while let Err(Left::Failed(error)) = self.read_from_leader().await {
            if self.send(Event::Failed(error)).await.is_err() {
                return;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Reads from the partition's leader until something fails.
    async fn read_from_leader(&mut self) -> Result<std::convert::Infallible, Left> {
        let access = Access::of(&self.config)?;
        let metadata = Connection::to_any(&access).await?.metadata(&self.topic).await?;
        let leader = metadata.leader_of(self.number)?;
        let mut connection = Connection::to(&leader, &access).await?;
        let mut next = self.first_offset(&mut connection).await?;
        let (mut known, mut bytes_max, mut damaged_fetches) = (None, FETCH_BYTES_MAX, 0);
        loop {
            let (answer, version) = self.fetch(&mut connection, next, bytes_max).await?;
            let answer = FetchAnswer::read(&answer, version).map_err(KafkaError::from)?;
            match answer.error {
                0 => {}
                OFFSET_OUT_OF_RANGE => {
                    next = self.offset_in_range(&mut connection, next).await?;
                    continue;
                }
                error => return Err(KafkaError::Refused(error).into()),
            }
            let (high_watermark, last_stable_offset) = (answer.high_watermark, answer.last_stable_offset);
            let batches = Batches::read(answer.records, answer.aborted);
            if batches.is_cut {
                if bytes_max >= CUT_FETCH_BYTES_MAX {
                    return Err(ReadError::BatchTooLarge { offset: next }.into());
                }
                bytes_max = bytes_max.saturating_mul(2);
            } else {
                bytes_max = FETCH_BYTES_MAX;
            }
            // What was damaged on the way is not when it is fetched again.
            damaged_fetches = if batches.has_damage { damaged_fetches + 1 } else { 0 };
            if batches.has_damage && damaged_fetches < DAMAGED_FETCHES_MAX {
                continue;
            }
            let before = next;
            next = self.send_batches(&batches, next, high_watermark).await?;
            if next > before {
                damaged_fetches = 0;
            }
            let progress = Progress { next, high_watermark, last_stable_offset };
            if known.replace(progress) != Some(progress) {
                self.send(Event::Progress(progress)).await?;
            }
        }
    }

    /// Sends the records of an answer; the offset after the last batch.
    async fn send_batches(
        &mut self,
        batches: &Batches<'_>,
        mut next: i64,
        high_watermark: i64,
    ) -> Result<i64, Left> {
        for batch in &batches.complete {
            let end = if batch.is_damaged() {
                batch.end.min(high_watermark.max(next.saturating_add(1)))
            } else {
                batch.end
            };
            if end <= next {
                continue;
            }
            // Fails only if the source has stopped.
            let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Left::Closed)?;
            let messages = batch.decode(next);
            self.send(Event::Messages { messages, next: end, permit }).await?;
            next = end;
            self.next = Some(next);
        }
        Ok(next)
    }

    /// The offset of the next record. The first one is sent as progress, so that a restart resumes there.
    async fn first_offset(&mut self, connection: &mut Connection) -> Result<i64, Left> {
        if let Some(next) = self.next {
            return Ok(next);
        }
        let at = match self.config.begin {
            Begin::Earliest => EARLIEST,
            Begin::Latest => LATEST,
        };
        let next = connection.offset(&self.topic, self.number, at).await?;
        self.next = Some(next);
        let progress = Progress { next, high_watermark: next, last_stable_offset: next };
        self.send(Event::Progress(progress)).await?;
        Ok(next)
    }

    async fn fetch(
        &self,
        connection: &mut Connection,
        offset: i64,
        bytes_max: i32,
    ) -> Result<(Vec<u8>, i16), KafkaError> {
        let version = connection.fetch_version();
        let fetch = Fetch {
            version,
            topic: &self.topic,
            partition: self.number,
            offset,
            wait_ms: FETCH_WAIT_MS,
            bytes_max,
        };
        Ok((connection.call(Call::Fetch(version), &fetch.write()).await?, version))
    }

    /// Where to go on if the broker has no record at `offset`: with the oldest one, because those before were deleted, or
    /// because the log is shorter than what was read and so is another one. Reading records again changes nothing.
    async fn offset_in_range(&mut self, connection: &mut Connection, offset: i64) -> Result<i64, Left> {
        let earliest = connection.offset(&self.topic, self.number, EARLIEST).await?;
        let latest = connection.offset(&self.topic, self.number, LATEST).await?;
        if (earliest..=latest).contains(&offset) {
            // A new leader may not know its log yet.
            return Err(KafkaError::Refused(OFFSET_OUT_OF_RANGE).into());
        }
        tracing::warn!(
            topic = self.topic,
            partition = self.number,
            offset,
            earliest,
            latest,
            "the broker does not have the next record any more: reading resumes with the oldest it has"
        );
        self.next = Some(earliest);
        Ok(earliest)
    }

    async fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send((Some(self.number), event)).await.map_err(|_| Closed)
    }
}

impl From<Closed> for Left {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

impl<E: Into<ReadError>> From<E> for Left {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
