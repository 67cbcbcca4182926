//! The record batches in one answer of a broker: which offsets they cover, and what a consumer of committed records
//! gets to see of them.
//!
//! The layout is that of Kafka's documentation, "Message Format". Headers, keys and timestamps of records are not
//! read: nothing here depends on them, so nothing in them can be wrong. A batch or a record that cannot be decoded is
//! malformed at its offsets, and the one after it is read.

use super::compression::{Codec, DecompressError, decompress};
use super::wire::{Reader, Truncated};
use std::collections::HashSet;

/// The only version since Kafka 0.11; those before have no batches.
const MAGIC: i8 = 2;

/// Bits of a batch's attributes.
const CODEC: i16 = 0x07;
const IS_TRANSACTIONAL: i16 = 0x10;
const IS_CONTROL: i16 = 0x20;

/// The type of the control record that aborts a transaction (KIP-98).
const ABORT: i16 = 0;

/// One batch of an answer, in the order of offsets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    base: i64,
    /// The offset after the last one that the batch covers.
    pub(super) end: i64,
    pub(super) content: Content<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// Records, compressed or not.
    Records { codec: i16, count: u32, bytes: &'a [u8] },
    /// The end of a transaction, or records of an aborted one.
    Hidden,
    /// The checksum does not match.
    Damaged { count: u32 },
    /// A message in the format of before Kafka 0.11.
    OldFormat,
}

/// Why records are malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BatchError {
    #[error("the checksum of its record batch does not match")]
    Checksum,
    #[error("its format is that of before Kafka 0.11; let the broker or the producer write the current one")]
    OldFormat,
    #[error("its record batch has the unknown compression {0}")]
    UnknownCodec(i16),
    #[error("its record batch cannot be decompressed: {0}")]
    Decompress(#[from] DecompressError),
    #[error("its record is damaged: {0}")]
    Record(#[from] Truncated),
}

/// The complete batches of an answer, and whether it holds none because its first one is cut off.
pub(super) struct Batches<'a> {
    pub(super) complete: Vec<Batch<'a>>,
    pub(super) is_cut: bool,
    /// Whether a checksum does not match.
    pub(super) has_damage: bool,
}

impl<'a> Batches<'a> {
    /// The batches in `records`. `aborted` names producer and first offset of each aborted transaction.
    pub(super) fn read(records: &'a [u8], mut aborted: Vec<(i64, i64)>) -> Self {
        aborted.sort_by_key(|(_, first)| std::cmp::Reverse(*first));
        let mut transactions = Transactions { aborted, open: HashSet::new() };
        let mut batches = Self { complete: Vec::new(), is_cut: false, has_damage: false };
        let mut rest = Reader::new(records);
        while !rest.rest().is_empty() {
            let Ok((base, body)) = prefixed(&mut rest) else {
                batches.is_cut = batches.complete.is_empty();
                break;
            };
            let batch = transactions.batch(base, body);
            batches.has_damage |= batch.is_damaged();
            // The end in a damaged batch is not certain; the start of the next batch is.
            let last = batches.complete.last_mut();
            if let Some(last) = last.filter(|last| last.is_damaged()) {
                last.end = last.end.min(batch.base.max(last.base.saturating_add(1)));
            }
            batches.complete.push(batch);
        }
        batches
    }
}

/// The first offset of the next batch, and the bytes after its length.
fn prefixed<'a>(rest: &mut Reader<'a>) -> Result<(i64, &'a [u8]), Truncated> {
    let (base, length) = (rest.i64()?, rest.i32()?);
    Ok((base, rest.bytes(usize::try_from(length).map_err(|_| Truncated)?)?))
}

/// Which transactions are aborted at the offset that is read.
struct Transactions {
    /// The ones that begin further on, the next one last.
    aborted: Vec<(i64, i64)>,
    /// Producers inside an aborted one.
    open: HashSet<i64>,
}

/// The fields of a batch that matter here.
struct Header<'a> {
    is_intact: bool,
    attributes: i16,
    last_offset_delta: i32,
    producer: i64,
    count: i32,
    records: &'a [u8],
}

impl<'a> Header<'a> {
    /// Nothing for another version of the format.
    fn read(body: &'a [u8]) -> Result<Option<Self>, Truncated> {
        let mut reader = Reader::new(body);
        let _leader_epoch = reader.i32()?;
        if reader.i8()? != MAGIC {
            return Ok(None);
        }
        let is_intact = reader.u32()? == crc32c::crc32c(reader.rest());
        let (attributes, last_offset_delta) = (reader.i16()?, reader.i32()?);
        let (_first_time, _newest_time, producer) = (reader.i64()?, reader.i64()?, reader.i64()?);
        let (_producer_epoch, _sequence, count) = (reader.i16()?, reader.i32()?, reader.i32()?);
        let records = reader.rest();
        Ok(Some(Self { is_intact, attributes, last_offset_delta, producer, count, records }))
    }
}

impl Transactions {
    fn batch<'a>(&mut self, base: i64, body: &'a [u8]) -> Batch<'a> {
        let header = match Header::read(body) {
            Ok(Some(header)) => header,
            Ok(None) => return Batch { base, end: base.saturating_add(1), content: Content::OldFormat },
            Err(Truncated) => {
                return Batch { base, end: base.saturating_add(1), content: Content::Damaged { count: 1 } };
            }
        };
        let last_delta = u32::try_from(header.last_offset_delta).unwrap_or(0);
        let last = base.saturating_add(last_delta.into());
        // Compaction leaves fewer records than offsets, never more.
        let count = u32::try_from(header.count).unwrap_or(0).min(last_delta.saturating_add(1));
        let content = if !header.is_intact {
            // Which marker it was is not known: later batches of its producer are not hidden for it.
            if header.attributes & IS_CONTROL != 0 {
                self.open.remove(&header.producer);
            }
            Content::Damaged { count: count.max(1) }
        } else if self.hides(&header, last) {
            Content::Hidden
        } else {
            Content::Records { codec: header.attributes & CODEC, count, bytes: header.records }
        };
        Batch { base, end: last.saturating_add(1), content }
    }

    /// Whether the records of a batch are not for consumers of committed records.
    fn hides(&mut self, header: &Header<'_>, last: i64) -> bool {
        while let Some((producer, _)) = self.aborted.pop_if(|(_, first)| *first <= last) {
            self.open.insert(producer);
        }
        if header.attributes & IS_CONTROL != 0 {
            if control_type(header.records) == Ok(ABORT) {
                self.open.remove(&header.producer);
            }
            return true;
        }
        header.attributes & IS_TRANSACTIONAL != 0 && self.open.contains(&header.producer)
    }
}

/// The type of a control batch: the key of its first record is a version and the type.
fn control_type(records: &[u8]) -> Result<i16, Truncated> {
    let record = Record::read(&mut Reader::new(records))?;
    let mut key = Reader::new(record.key.unwrap_or_default());
    let _version = key.i16()?;
    key.i16()
}

/// A record's fields that matter here.
struct Record<'a> {
    offset_delta: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// The next record. The reader is after it even if its content cannot be read.
    fn next(reader: &mut Reader<'a>) -> Result<Result<Self, Truncated>, Truncated> {
        let body = reader.varint_bytes()?.ok_or(Truncated)?;
        Ok(Self::read_body(body))
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Truncated> {
        Self::next(reader)?
    }

    fn read_body(body: &'a [u8]) -> Result<Self, Truncated> {
        let mut body = Reader::new(body);
        let _attributes = body.i8()?;
        // The time is a number of variable length: any value will do.
        let _time_delta = body.varint()?;
        let offset_delta = body.varint()?;
        Ok(Self { offset_delta, key: body.varint_bytes()?, value: body.varint_bytes()? })
    }
}

/// The records of one batch, decompressed; or that they are malformed.
#[derive(Debug)]
pub(super) struct Messages {
    base: i64,
    /// Records before it were read already: brokers send whole batches.
    from: i64,
    end: i64,
    count: u32,
    /// The records, or why none of them can be decoded.
    records: Result<Vec<u8>, BatchError>,
}

/// One record of a topic, or several that cannot be decoded one by one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) offset: i64,
    pub(super) content: MessageContent<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum MessageContent<'a> {
    /// Nothing for a record without a value, which deletes a key.
    Value(Option<&'a [u8]>),
    /// So many records from `offset` on cannot be decoded.
    Malformed(u64, BatchError),
}

impl Batch<'_> {
    /// Whether the checksum does not match, so that no field of the batch is certain.
    pub(super) const fn is_damaged(&self) -> bool {
        matches!(self.content, Content::Damaged { .. })
    }

    /// Decompresses the batch; of its records, those at `from` and after it.
    pub(super) fn decode(&self, from: i64) -> Messages {
        let (count, records) = match self.content {
            Content::Records { codec, count, bytes } => {
                let records = match Codec::try_from(codec) {
                    Ok(codec) => decompress(codec, bytes).map_err(BatchError::from),
                    Err(unknown) => Err(BatchError::UnknownCodec(unknown.0)),
                };
                (count, records)
            }
            Content::Hidden => (0, Ok(Vec::new())),
            Content::Damaged { count } => (count, Err(BatchError::Checksum)),
            Content::OldFormat => (1, Err(BatchError::OldFormat)),
        };
        Messages { base: self.base, from, end: self.end, count, records }
    }
}

impl Messages {
    /// Bytes of the records.
    pub(super) fn size(&self) -> usize {
        self.records.as_ref().map_or(0, Vec::len)
    }

    /// The records in order. All that the batch declares are in it, decoded or not, but for those before `from`.
    pub(super) fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        let (bytes, error): (&[u8], _) = match &self.records {
            Ok(bytes) => (bytes, None),
            Err(error) => (&[], Some(error)),
        };
        let mut reader = Reader::new(bytes);
        let mut left = self.count;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let index = self.count - left;
            if let Some(error) = error {
                return Some(self.malformed_from(std::mem::take(&mut left), index, error.clone()));
            }
            Some(match Record::next(&mut reader) {
                Ok(record) => {
                    left -= 1;
                    self.message(index, &record)
                }
                // Where the next record starts is not known.
                Err(error) => self.malformed_from(std::mem::take(&mut left), index, error.into()),
            })
        })
        .filter(|message| {
            message.offset >= self.from && !matches!(message.content, MessageContent::Malformed(0, _))
        })
    }

    fn message<'a>(&self, index: u32, record: &Result<Record<'a>, Truncated>) -> Message<'a> {
        let by_index = self.base.saturating_add(index.into());
        match record {
            Ok(Record { offset_delta, value, .. }) => {
                let offset = self.base.saturating_add(*offset_delta);
                // An offset outside of the batch is damage of the number alone: the record counts.
                let offset = if (self.base..self.end).contains(&offset) { offset } else { by_index };
                Message { offset, content: MessageContent::Value(*value) }
            }
            Err(error) => {
                Message { offset: by_index, content: MessageContent::Malformed(1, (*error).into()) }
            }
        }
    }

    /// `count` records from number `index` on are malformed; of those before `from`, as many as there can be were
    /// reported already.
    fn malformed_from(&self, count: u32, index: u32, error: BatchError) -> Message<'static> {
        let first = self.base.saturating_add(index.into());
        let reported = u64::try_from(self.from.saturating_sub(first)).unwrap_or(0);
        let offset = first.max(self.from);
        Message {
            offset,
            content: MessageContent::Malformed(u64::from(count).saturating_sub(reported), error),
        }
    }
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
