//! The six requests that reading a topic takes, and their answers.
//!
//! Each in a version that brokers from Kafka 1.0 to 4.x and Event Hubs answer (KIP-896 names what 4.0 dropped), none
//! with tagged fields. `Fetch` takes the newest up to 11 that the broker has: below 10 a broker refuses zstd (KIP-110).
//! The fields are those of Kafka's protocol guide.

use super::wire::{Reader, Truncated, Writer};

/// The versions of `Fetch` that [`Fetch::write`] and [`FetchAnswer::read`] know.
pub(super) const FETCH_VERSIONS: std::ops::RangeInclusive<i16> = 4..=11;

/// `ListOffsets` asks by these in place of a time.
pub(super) const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;

/// A request that is complete but for its length.
pub(super) struct Request {
    pub(super) correlation: i32,
    pub(super) bytes: Vec<u8>,
}

/// Which request, with its number and the version that is sent.
#[derive(Clone, Copy)]
pub(super) enum Call {
    Fetch(i16),
    ListOffsets,
    Metadata,
    SaslHandshake,
    ApiVersions,
    SaslAuthenticate,
}

impl Call {
    /// The number of `Fetch` in the list of versions.
    const FETCH: i16 = 1;

    const fn key_and_version(self) -> (i16, i16) {
        match self {
            Self::Fetch(version) => (Self::FETCH, version),
            Self::ListOffsets => (2, 2),
            Self::Metadata => (3, 4),
            Self::SaslHandshake => (17, 1),
            Self::ApiVersions => (18, 0),
            Self::SaslAuthenticate => (36, 0),
        }
    }

    /// The request with `body` after its header.
    pub(super) fn request(self, correlation: i32, body: &[u8]) -> Request {
        let (key, version) = self.key_and_version();
        let mut writer = Writer::default();
        writer.i16(key);
        writer.i16(version);
        writer.i32(correlation);
        writer.string("ipstats");
        writer.raw(body);
        Request { correlation, bytes: writer.into_bytes() }
    }
}

/// The newest version of `Fetch` that the broker and we have, from the answer to `ApiVersions`.
pub(super) fn read_fetch_version(answer: &[u8]) -> Result<Option<i16>, Truncated> {
    let mut reader = Reader::new(answer);
    let _error = reader.i16()?;
    let versions = reader.array(|item| Ok((item.i16()?, item.i16()?, item.i16()?)))?;
    let fetch = versions.into_iter().find(|(key, ..)| *key == Call::FETCH);
    Ok(fetch.and_then(|(_, oldest, newest)| {
        let version = newest.min(*FETCH_VERSIONS.end());
        (version >= oldest.max(*FETCH_VERSIONS.start())).then_some(version)
    }))
}

pub(super) fn write_sasl_handshake(mechanism: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.string(mechanism);
    writer.into_bytes()
}

/// The error code and the mechanisms that the broker has.
pub(super) fn read_sasl_handshake(answer: &[u8]) -> Result<(i16, Vec<String>), Truncated> {
    let mut reader = Reader::new(answer);
    Ok((reader.i16()?, reader.array(Reader::string)?))
}

/// SASL PLAIN (RFC 4616).
pub(super) fn write_sasl_plain(username: &str, password: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(format!("\0{username}\0{password}").as_bytes());
    writer.into_bytes()
}

/// The error code and the broker's reason.
pub(super) fn read_sasl_authenticate(answer: &[u8]) -> Result<(i16, Option<String>), Truncated> {
    let mut reader = Reader::new(answer);
    Ok((reader.i16()?, reader.nullable_string()?))
}

/// A topic and who leads its partitions.
pub(super) struct Metadata {
    /// Node number, host, port.
    pub(super) brokers: Vec<(i32, String, i32)>,
    pub(super) error: i16,
    pub(super) partitions: Vec<PartitionMetadata>,
}

pub(super) struct PartitionMetadata {
    pub(super) error: i16,
    pub(super) number: i32,
    pub(super) leader: i32,
}

pub(super) fn write_metadata(topic: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.i32(1);
    writer.string(topic);
    // A topic that does not exist is not created.
    writer.i8(0);
    writer.into_bytes()
}

impl Metadata {
    pub(super) fn read(answer: &[u8], topic: &str) -> Result<Self, Truncated> {
        let mut reader = Reader::new(answer);
        let _throttle_ms = reader.i32()?;
        let brokers = reader.array(|item| {
            let broker = (item.i32()?, item.string()?, item.i32()?);
            let _rack = item.nullable_string()?;
            Ok(broker)
        })?;
        let (_cluster, _controller) = (reader.nullable_string()?, reader.i32()?);
        let topics = reader.array(|item| {
            let (error, name, _is_internal) = (item.i16()?, item.string()?, item.i8()?);
            Ok((error, name, item.array(PartitionMetadata::read)?))
        })?;
        let (error, _, partitions) =
            topics.into_iter().find(|(_, name, _)| name == topic).unwrap_or_default();
        Ok(Self { brokers, error, partitions })
    }
}

impl PartitionMetadata {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let partition = Self { error: reader.i16()?, number: reader.i32()?, leader: reader.i32()? };
        let (_replicas, _in_sync) = (reader.array(Reader::i32)?, reader.array(Reader::i32)?);
        Ok(partition)
    }
}

/// Asks for an offset of one partition, of records committed or not.
pub(super) fn write_list_offsets(topic: &str, partition: i32, at: i64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.i32(-1);
    // Read uncommitted: the latest offset is the high watermark, not the last stable offset.
    writer.i8(0);
    writer.i32(1);
    writer.string(topic);
    writer.i32(1);
    writer.i32(partition);
    writer.i64(at);
    writer.into_bytes()
}

/// The error code and the offset.
pub(super) fn read_list_offsets(answer: &[u8]) -> Result<(i16, i64), Truncated> {
    let mut reader = Reader::new(answer);
    let _throttle_ms = reader.i32()?;
    let topics = reader.array(|item| {
        let _topic = item.string()?;
        item.array(|partition| {
            let (_number, error, _time) = (partition.i32()?, partition.i16()?, partition.i64()?);
            Ok((error, partition.i64()?))
        })
    })?;
    topics.into_iter().flatten().next().ok_or(Truncated)
}

/// Asks one partition for committed records.
pub(super) struct Fetch<'a> {
    pub(super) version: i16,
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) wait_ms: i32,
    pub(super) bytes_max: i32,
}

impl Fetch<'_> {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.i32(-1);
        writer.i32(self.wait_ms);
        writer.i32(1);
        writer.i32(self.bytes_max);
        // Read committed: nothing from the last stable offset on, and a list of aborted transactions.
        writer.i8(1);
        if self.version >= 7 {
            // No session: each request names its partition.
            writer.i32(0);
            writer.i32(-1);
        }
        writer.i32(1);
        writer.string(self.topic);
        writer.i32(1);
        writer.i32(self.partition);
        if self.version >= 9 {
            // The leader's epoch is not checked: a shortened log answers that the offset is out of range.
            writer.i32(-1);
        }
        writer.i64(self.offset);
        if self.version >= 5 {
            // A follower's log start.
            writer.i64(-1);
        }
        writer.i32(self.bytes_max);
        if self.version >= 7 {
            // Topics to forget.
            writer.i32(0);
        }
        if self.version >= 11 {
            // No rack: the leader answers itself.
            writer.string("");
        }
        writer.into_bytes()
    }
}

/// What one partition answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FetchAnswer<'a> {
    pub(super) error: i16,
    /// The offset after the newest record.
    pub(super) high_watermark: i64,
    /// The first offset of an open transaction, or the high watermark; −1 from brokers that do not know.
    pub(super) last_stable_offset: i64,
    /// Producer and first offset of each aborted transaction that the records may belong to.
    pub(super) aborted: Vec<(i64, i64)>,
    pub(super) records: &'a [u8],
}

impl<'a> FetchAnswer<'a> {
    pub(super) fn read(answer: &'a [u8], version: i16) -> Result<Self, Truncated> {
        let mut reader = Reader::new(answer);
        let _throttle_ms = reader.i32()?;
        if version >= 7 {
            let (error, _session) = (reader.i16()?, reader.i32()?);
            if error != 0 {
                return Ok(Self::failed(error));
            }
        }
        let partitions = reader.array(|item| {
            let _topic = item.string()?;
            item.array(|partition| Self::read_partition(partition, version))
        })?;
        partitions.into_iter().flatten().next().ok_or(Truncated)
    }

    fn read_partition(reader: &mut Reader<'a>, version: i16) -> Result<Self, Truncated> {
        let (_number, error) = (reader.i32()?, reader.i16()?);
        let (high_watermark, last_stable_offset) = (reader.i64()?, reader.i64()?);
        if version >= 5 {
            let _log_start = reader.i64()?;
        }
        let aborted = reader.array(|item| Ok((item.i64()?, item.i64()?)))?;
        if version >= 11 {
            let _preferred_replica = reader.i32()?;
        }
        let records = reader.nullable_bytes()?;
        Ok(Self { error, high_watermark, last_stable_offset, aborted, records })
    }

    const fn failed(error: i16) -> Self {
        Self { error, high_watermark: 0, last_stable_offset: 0, aborted: Vec::new(), records: &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(oldest: i16, newest: i16) -> Option<i16> {
        let mut writer = Writer::default();
        writer.i16(0);
        writer.i32(2);
        for (key, oldest, newest) in [(0, 3, 9), (1, oldest, newest)] {
            [key, oldest, newest].into_iter().for_each(|number| writer.i16(number));
        }
        read_fetch_version(&writer.into_bytes()).unwrap()
    }

    #[test]
    fn fetch_takes_the_newest_common_version() {
        assert_eq!((versions(0, 4), versions(4, 17), versions(0, 9)), (Some(4), Some(11), Some(9)));
        assert_eq!((versions(0, 3), versions(12, 17)), (None, None));
    }

    #[test]
    fn cut_answers_are_refused() {
        let mut writer = Writer::default();
        writer.i32(0);
        writer.i16(0);
        writer.i32(0);
        writer.i32(1);
        writer.string("t");
        writer.i32(1);
        writer.i32(0);
        writer.i16(0);
        [9, 7, 0].into_iter().for_each(|offset| writer.i64(offset));
        writer.i32(1);
        [5, 3].into_iter().for_each(|number| writer.i64(number));
        writer.i32(-1);
        writer.bytes(b"abc");
        let bytes = writer.into_bytes();
        let answer = FetchAnswer::read(&bytes, 11).unwrap();
        let expected = FetchAnswer {
            error: 0,
            high_watermark: 9,
            last_stable_offset: 7,
            aborted: vec![(5, 3)],
            records: b"abc",
        };
        assert_eq!(answer, expected);
        for end in 0..bytes.len() {
            assert!(FetchAnswer::read(&bytes[..end], 11).is_err(), "{end}");
        }
    }
}
