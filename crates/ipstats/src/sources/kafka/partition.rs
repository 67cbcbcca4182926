//! One partition of a topic, fetched ahead of the recording.

use crate::config::Begin;
use rskafka::client::Client;
use rskafka::client::error::{Error as KafkaError, ProtocolError};
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Most bytes of one answer. A broker sends a larger message all the same, alone.
pub(super) const FETCH_BYTES_MAX: i32 = 4 << 20;

/// Answers without a record, although there are some further on, after which one offset is passed over: what lies there is
/// no record but the end of a transaction.
const EMPTY_ANSWERS_MAX: u32 = 3;

/// How long a broker may wait for new records before it answers that there are none.
const FETCH_WAIT_MS: i32 = 500;

pub(super) struct Partition {
    pub(super) client: Arc<Client>,
    pub(super) topic: String,
    pub(super) number: i32,
    /// The offset of the first record, if there is a checkpoint.
    pub(super) offset: Option<i64>,
    /// Where to begin if there is none.
    pub(super) begin: Begin,
}

/// What one answer of a partition brought.
pub(super) struct Fetched {
    pub(super) partition: i32,
    pub(super) values: Vec<Vec<u8>>,
    /// The offset behind the last of them.
    pub(super) next: i64,
    /// The offset behind the last record that the broker has, as far as it told.
    pub(super) end: i64,
}

impl Partition {
    /// Sends what is fetched, and the error that ends it, until nobody listens.
    pub(super) async fn read(self, sender: mpsc::Sender<Result<Fetched, KafkaError>>) {
        if let Err(error) = self.fetch_all(&sender).await {
            // Nobody may be listening any more.
            let _ = sender.send(Err(error)).await;
        }
    }

    async fn fetch_all(&self, sender: &mpsc::Sender<Result<Fetched, KafkaError>>) -> Result<(), KafkaError> {
        let unknown = UnknownTopicHandling::Error;
        let client = self.client.partition_client(&self.topic, self.number, unknown).await?;
        let mut offset = match self.offset {
            Some(offset) => offset,
            None => self.first(&client).await?,
        };
        // Also where nothing is there yet: a restart goes on from here.
        if sender.send(Ok(self.fetched(Vec::new(), offset, offset))).await.is_err() {
            return Ok(());
        }
        let mut empty_answers = 0;
        loop {
            let (records, end) = match client.fetch_records(offset, 1..FETCH_BYTES_MAX, FETCH_WAIT_MS).await {
                Ok(answer) => answer,
                Err(error) if is_out_of_range(&error) => {
                    offset = self.after_a_gap(&client, offset).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(last) = records.last() else {
                // The client leaves control records out and does not say so.
                empty_answers = if offset < end { empty_answers + 1 } else { 0 };
                if empty_answers >= EMPTY_ANSWERS_MAX {
                    offset += 1;
                    if sender.send(Ok(self.fetched(Vec::new(), offset, end))).await.is_err() {
                        return Ok(());
                    }
                }
                continue;
            };
            empty_answers = 0;
            let next = last.offset + 1;
            let values = records.into_iter().filter_map(|record| record.record.value).collect();
            offset = next;
            if sender.send(Ok(self.fetched(values, next, end))).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Where to begin without a checkpoint.
    async fn first(&self, client: &PartitionClient) -> Result<i64, KafkaError> {
        let at = match self.begin {
            Begin::Earliest => OffsetAt::Earliest,
            Begin::Latest => OffsetAt::Latest,
        };
        client.get_offset(at).await
    }

    fn fetched(&self, values: Vec<Vec<u8>>, next: i64, end: i64) -> Fetched {
        Fetched { partition: self.number, values, next, end }
    }

    /// The oldest record there is, because those before were deleted, or the topic was made anew.
    async fn after_a_gap(&self, client: &PartitionClient, offset: i64) -> Result<i64, KafkaError> {
        let earliest = client.get_offset(OffsetAt::Earliest).await?;
        tracing::warn!(
            topic = self.topic,
            partition = self.number,
            offset,
            earliest,
            "the broker does not have the next record any more: reading on with the oldest it has"
        );
        Ok(earliest)
    }
}

fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(error, KafkaError::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. })
}
