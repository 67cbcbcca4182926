//! A topic of a Kafka cluster or an Azure Event Hub, all partitions of it.
//!
//! No consumer group: the offset of each partition is a checkpoint in the store, next to the data. One service reads a
//! topic whole; a second one that reads it too changes nothing, because the state is a join.
//!
//! One task lists the partitions. For each partition, one task fetches ahead, within a bound, over its own connection.
//! They share nothing but that bound, so a partition that cannot be read holds up no other one. The source's thread
//! parses, records, and writes checkpoints. The client is ours: `wire` and `messages` are the protocol, `batches` what
//! an answer holds (ARCHITECTURE.md gives the reasons).

mod access;
mod batches;
mod compression;
mod connection;
mod messages;
mod partition;
mod session;
mod wire;

use super::recorder::{Recorder, Stopped};
use crate::config::KafkaTopic;
use access::AccessError;
use batches::{Message, MessageContent, Messages};
use connection::KafkaError;
use ipstats_formats::{FormatChoice, Framer};
use partition::Event;
use session::Session;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Pause before what failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// How long to wait for records before looking whether to stop.
const EVENT_WAIT: Duration = Duration::from_millis(500);

/// Bytes of records after which checkpoints are written although more is waiting.
const SAVE_BYTES: usize = 16 << 20;

/// Why a topic or a partition cannot be read now.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("the record batch at offset {offset} is larger than the broker sends")]
    BatchTooLarge { offset: i64 },
    #[error("the topic is now {topic:?}")]
    OtherTopic { topic: String },
    #[error("a task of the source failed; the log has the reason")]
    TaskFailed,
}

/// Why a session was left.
enum Left {
    Stopped,
    Failed(ReadError),
}

/// Reads a topic until the recorder is stopped.
pub(super) fn consume(topic: &KafkaTopic, format: FormatChoice, recorder: Recorder) {
    let runtime = match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return recorder.trouble(&format!("no threads can be started: {error}")),
    };
    let mut consumer = Consumer { topic, format, recorder, runtime };
    while let Err(Left::Failed(error)) = consumer.read() {
        consumer.recorder.trouble(&crate::telemetry::chain(&error));
        if consumer.recorder.wait(RETRY_PAUSE).is_err() {
            break;
        }
    }
    // No fetch in progress is needed any more.
    consumer.runtime.shutdown_background();
}

struct Consumer<'a> {
    topic: &'a KafkaTopic,
    format: FormatChoice,
    recorder: Recorder,
    runtime: Runtime,
}

impl Consumer<'_> {
    /// Reads from the checkpoints on, until the source is stopped or its topic is another one.
    fn read(&mut self) -> Result<Infallible, Left> {
        let mut session = Session::start(self.topic, self.runtime.handle());
        loop {
            self.take_events(&mut session)?;
            self.recorder.flush()?;
            self.recorder.set_checkpoints(&session.new_checkpoints())?;
            self.recorder.set_backlog(session.backlog());
            match session.failures() {
                Some(failures) => self.recorder.trouble(&failures),
                None if session.has_answers() => self.recorder.recovered(),
                None => {}
            }
            session.warn_of_waiting(self.recorder.name());
            if self.recorder.is_stopped() {
                return Err(Left::Stopped);
            }
        }
    }

    /// Takes events until none is waiting, or there is enough to be recorded.
    fn take_events(&mut self, session: &mut Session) -> Result<(), Left> {
        let (mut bytes, mut wait) = (0, EVENT_WAIT);
        while bytes < SAVE_BYTES {
            let next =
                self.runtime.block_on(async { tokio::time::timeout(wait, session.next_event()).await });
            let Ok((partition, event)) = next else { break };
            match event? {
                Event::Partitions { topic, numbers } => {
                    session.set_partitions(topic, &numbers, &mut self.recorder)?;
                }
                Event::Progress(progress) => session.note_progress(partition, progress),
                Event::Messages { messages, next, permit } => {
                    bytes += messages.size();
                    self.take(session, partition.unwrap_or_default(), &messages)?;
                    session.note_taken(partition, next);
                    drop(permit);
                }
                Event::Failed(error) => session.note_failure(partition, &error),
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn take(&mut self, session: &mut Session, partition: i32, messages: &Messages) -> Result<(), Stopped> {
        for Message { offset, content } in messages.iter() {
            let place = Place { partition, offset };
            match content {
                MessageContent::Value(value) => self.take_value(value.unwrap_or_default(), &place)?,
                MessageContent::Malformed(count, error) => {
                    if session.is_first_malformed(partition) {
                        let source = self.recorder.name();
                        tracing::warn!(source, count, "malformed at {place}: {error}");
                    }
                    self.recorder.undecodable(count, format!("{place}: {error}"))?;
                }
            }
        }
        Ok(())
    }

    /// Parses one message as a log, of one record or many.
    fn take_value(&mut self, value: &[u8], place: &Place) -> Result<(), Stopped> {
        let mut framer = Framer::of_source(self.format, self.recorder.settings());
        let mut whole = Vec::new();
        let read = framer.feed(value, &mut whole).and_then(|()| framer.finish(&mut whole));
        self.recorder.take_message(&whole, read.err().as_ref(), place)
    }
}

/// Where a message is in its topic.
struct Place {
    partition: i32,
    offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {}, offset {}", self.partition, self.offset)
    }
}

impl<E: Into<ReadError>> From<E> for Left {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Stopped> for Left {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}
