//! Record batches as brokers store them, by the layout of Kafka's documentation, "Message Format".

/// Bits of a batch's attributes.
pub(crate) const GZIP: i16 = 1;
pub(crate) const ZSTD: i16 = 4;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// The types of control records.
pub(crate) const ABORT: u8 = 0;
pub(crate) const COMMIT: u8 = 1;

/// One header, whose key is not UTF-8 and whose value is null.
const ODD_HEADERS: &[u8] = &[2, 4, 0xff, 0xfe, 1];
const NO_HEADERS: &[u8] = &[0];

pub(crate) struct RecordBatch {
    base: i64,
    attributes: i16,
    producer: i64,
    pub(crate) count: i32,
    records: Vec<u8>,
}

impl RecordBatch {
    pub(crate) fn new(base: i64) -> Self {
        Self { base, attributes: 0, producer: -1, count: 0, records: Vec::new() }
    }

    pub(crate) fn compressed(mut self, codec: i16) -> Self {
        self.attributes |= codec;
        self
    }

    pub(crate) fn of_transaction(mut self, producer: i64) -> Self {
        self.producer = producer;
        self.attributes |= TRANSACTIONAL;
        self
    }

    /// The end of a transaction.
    pub(crate) fn control(base: i64, producer: i64, kind: u8) -> Self {
        let mut batch = Self::new(base).of_transaction(producer);
        batch.attributes |= CONTROL;
        batch.record(0, Some(&[0, 0, 0, kind]), Some(&[0; 6]), NO_HEADERS);
        batch
    }

    pub(crate) fn value(mut self, value: &[u8]) -> Self {
        self.record(0, None, Some(value), NO_HEADERS);
        self
    }

    /// A record with headers and a time that no client makes.
    pub(crate) fn odd(mut self, value: &[u8]) -> Self {
        self.record(i64::MIN, None, Some(value), ODD_HEADERS);
        self
    }

    pub(crate) fn tombstone(mut self) -> Self {
        self.record(0, Some(b"key"), None, NO_HEADERS);
        self
    }

    /// A record whose value is longer than the record.
    pub(crate) fn damaged(mut self) -> Self {
        self.push(&[0, 0, 0, 1, 126, b'x']);
        self
    }

    fn record(&mut self, time: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[u8]) {
        let mut body = vec![0];
        varint(&mut body, time);
        varint(&mut body, self.count.into());
        for part in [key, value] {
            varint(&mut body, part.map_or(-1, |part| i64::try_from(part.len()).unwrap()));
            body.extend(part.unwrap_or_default());
        }
        body.extend(headers);
        self.push(&body);
    }

    fn push(&mut self, body: &[u8]) {
        varint(&mut self.records, i64::try_from(body.len()).unwrap());
        self.records.extend(body);
        self.count += 1;
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let records = match self.attributes & 7 {
            GZIP => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut encoder, &self.records).unwrap();
                encoder.finish().unwrap()
            }
            ZSTD => zstd::encode_all(self.records.as_slice(), 1).unwrap(),
            _ => self.records.clone(),
        };
        let body = [
            &self.attributes.to_be_bytes()[..],
            &(self.count - 1).to_be_bytes(),
            // The first time in nanoseconds and the lowest newest one: neither is read.
            &1_796_032_800_000_000_000_i64.to_be_bytes(),
            &i64::MIN.to_be_bytes(),
            &self.producer.to_be_bytes(),
            &0_i16.to_be_bytes(),
            &(-1_i32).to_be_bytes(),
            &self.count.to_be_bytes(),
            &records,
        ]
        .concat();
        let length = i32::try_from(4 + 1 + 4 + body.len()).unwrap();
        [
            &self.base.to_be_bytes()[..],
            &length.to_be_bytes(),
            &0_i32.to_be_bytes(),
            &[2],
            &crc32c::crc32c(&body).to_be_bytes(),
            &body,
        ]
        .concat()
    }

    /// The first and the last offset.
    pub(crate) fn offsets(&self) -> (i64, i64) {
        (self.base, self.base + i64::from(self.count) - 1)
    }
}

fn varint(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        bytes.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    bytes.push(rest.to_le_bytes()[0]);
}
