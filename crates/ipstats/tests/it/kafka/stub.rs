//! A broker that answers by a script: what real brokers do too rarely to wait for.
//!
//! It decides by the number of fetches, never by time. Answers have the layout of Kafka's protocol guide.

use super::record_batch::RecordBatch;
use parking_lot::Mutex;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const OFFSET_OUT_OF_RANGE: i16 = 1;

/// One partition and how it answers.
#[derive(Default)]
pub(crate) struct StubPartition {
    batches: Vec<(i64, i64, Vec<u8>)>,
    /// Producer and first offset of aborted transactions.
    pub(crate) aborted: Vec<(i64, i64)>,
    /// At most so many batches an answer.
    pub(crate) batches_max: usize,
    /// So many fetches at the offset and after it are answered without records.
    pub(crate) empty_from: (i64, u32),
    /// The first offset of an open transaction.
    pub(crate) open_from: Option<i64>,
    /// Errors of the next fetches.
    pub(crate) errors: Vec<i16>,
    /// The error of every fetch.
    pub(crate) error_always: i16,
    pub(crate) fetches: u32,
}

pub(crate) struct Stub {
    pub(crate) address: String,
    pub(crate) partitions: Arc<Mutex<Vec<StubPartition>>>,
}

impl StubPartition {
    pub(crate) fn new(batches: &[RecordBatch]) -> Self {
        let encoded = batches.iter().map(|batch| {
            let (first, last) = batch.offsets();
            (first, last, batch.encode())
        });
        Self { batches: encoded.collect(), batches_max: usize::MAX, ..Self::default() }
    }

    /// Puts `bytes` in place of a batch, at its offsets.
    pub(crate) fn replace(&mut self, index: usize, bytes: Vec<u8>) {
        self.batches[index].2 = bytes;
    }

    fn high_watermark(&self) -> i64 {
        self.batches.last().map_or(0, |(_, last, _)| last + 1)
    }

    /// The partition's part of an answer to `Fetch`, version 11.
    fn fetch(&mut self, offset: i64) -> Vec<u8> {
        self.fetches += 1;
        let high_watermark = self.high_watermark();
        let mut error = self.errors.pop().unwrap_or(self.error_always);
        if error == 0 && offset > high_watermark {
            error = OFFSET_OUT_OF_RANGE;
        }
        let last_stable = self.open_from.unwrap_or(high_watermark);
        let mut end = if error == 0 { last_stable } else { offset };
        if self.empty_from.1 > 0 {
            end = end.min(self.empty_from.0);
            self.empty_from.1 -= u32::from(offset >= self.empty_from.0);
        }
        let mut records: Vec<u8> = Vec::new();
        let sent = self.batches.iter().filter(|(first, last, _)| *last >= offset && *first < end);
        sent.take(self.batches_max).for_each(|(_, _, bytes)| records.extend(bytes));
        let mut answer = Vec::new();
        answer.extend(error.to_be_bytes());
        answer.extend([high_watermark, last_stable, 0].map(i64::to_be_bytes).concat());
        answer.extend(u32::try_from(self.aborted.len()).unwrap().to_be_bytes());
        for (producer, first) in &self.aborted {
            answer.extend([producer.to_be_bytes(), first.to_be_bytes()].concat());
        }
        answer.extend((-1_i32).to_be_bytes());
        answer.extend(u32::try_from(records.len()).unwrap().to_be_bytes());
        answer.extend(records);
        answer
    }
}

impl Stub {
    pub(crate) fn start(topic: &'static str, partitions: Vec<StubPartition>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let partitions = Arc::new(Mutex::new(partitions));
        let shared = Arc::clone(&partitions);
        // Ends with the test's process: it waits for connections only.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, partitions) = (stream.unwrap(), Arc::clone(&shared));
                // A client may close its connection at any time.
                thread::spawn(move || drop(serve(stream, topic, port, &partitions)));
            }
        });
        Self { address: format!("127.0.0.1:{port}"), partitions }
    }
}

fn serve(
    mut stream: TcpStream,
    topic: &str,
    port: u16,
    partitions: &Mutex<Vec<StubPartition>>,
) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request)?;
        let (key, version) = (request[1], request[3]);
        let client = usize::from(request[9]);
        let (correlation, body) = (&request[4..8], &request[10 + client..]);
        let answer = match (key, version) {
            // No error; Fetch 4 to 11.
            (18, 0) => [0, 0, 0, 0, 0, 1, 0, 1, 0, 4, 0, 11].to_vec(),
            (3, 4) => metadata(topic, port, partitions.lock().len()),
            (2, 2) => list_offsets(topic, body, &partitions.lock()),
            (1, 11) => fetch(topic, body, &mut partitions.lock()),
            other => panic!("request {other:?}"),
        };
        let length = u32::try_from(4 + answer.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length, correlation, &answer].concat())?;
        if key == 1 {
            // Brokers wait, too, where there is no record.
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

fn metadata(topic: &str, port: u16, partitions: usize) -> Vec<u8> {
    let mut answer = [&[0; 4][..], &[0, 0, 0, 1, 0, 0, 0, 9], &text("127.0.0.1")].concat();
    answer.extend(u32::from(port).to_be_bytes());
    // No rack, no cluster, the controller, one topic without an error.
    answer.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0]);
    answer.extend(text(topic));
    answer.push(0);
    answer.extend(u32::try_from(partitions).unwrap().to_be_bytes());
    for number in 0..u32::try_from(partitions).unwrap() {
        answer.extend([0, 0]);
        // Number, leader, one replica, none in sync.
        answer.extend([number, 9, 1, 9, 0].map(u32::to_be_bytes).concat());
    }
    answer
}

/// The number of the partition that a request names, and what is after it: `before` bytes are before the topics.
fn named<'a>(topic: &str, body: &'a [u8], before: usize) -> (usize, &'a [u8]) {
    let rest = &body[before + 4 + 2 + topic.len() + 4..];
    (u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize, &rest[4..])
}

fn one_partition(topic: &str, number: usize) -> Vec<u8> {
    let number = u32::try_from(number).unwrap().to_be_bytes();
    [&[0, 0, 0, 1][..], &text(topic), &[0, 0, 0, 1], &number].concat()
}

fn list_offsets(topic: &str, body: &[u8], partitions: &[StubPartition]) -> Vec<u8> {
    let (number, rest) = named(topic, body, 5);
    let at = i64::from_be_bytes(rest[..8].try_into().unwrap());
    let offset = if at == -1 { partitions[number].high_watermark() } else { 0 };
    let answer = [&[0; 2][..], &(-1_i64).to_be_bytes(), &offset.to_be_bytes()].concat();
    [vec![0; 4], one_partition(topic, number), answer].concat()
}

fn fetch(topic: &str, body: &[u8], partitions: &mut [StubPartition]) -> Vec<u8> {
    let (number, rest) = named(topic, body, 25);
    let offset = i64::from_be_bytes(rest[4..12].try_into().unwrap());
    [vec![0; 10], one_partition(topic, number), partitions[number].fetch(offset)].concat()
}
