//! What brokers answer now and then: open and aborted transactions, empty answers, damaged records, errors.

use super::record_batch::{ABORT, COMMIT, GZIP, RecordBatch, ZSTD};
use super::stub::{Stub, StubPartition};
use super::{Reader, TOPIC, WAIT_TIME_MAX};
use crate::service::Service;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Far more than any number of answers after which a client could give up waiting.
const MANY_FETCHES: u32 = 40;

fn reader(stub: &Stub) -> Reader {
    Reader::new(&format!("kind = 'kafka'\nbrokers = ['{}']\ntopic = '{TOPIC}'", stub.address))
}

/// One connection a record, one record a batch.
fn batches(reader: &mut Reader, count: usize) -> Vec<RecordBatch> {
    let records = reader.records(count);
    (0..).zip(&records).map(|(offset, record)| RecordBatch::new(offset).value(record)).collect()
}

/// What `ipstats sources` shows of the source.
fn shown(reader: &Reader) -> Value {
    let out = reader.site.place.run(&["sources", "--json"]).out;
    let mut shown: Value = serde_json::from_str(&out).unwrap();
    shown["sources"][0].take()
}

/// Waits until `is_wanted` holds for what `ipstats sources` shows.
fn wait_for(reader: &Reader, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let shown = shown(reader);
        if is_wanted(&shown) {
            return shown;
        }
        assert!(start.elapsed() < WAIT_TIME_MAX, "{shown}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn stop(service: Service) -> String {
    let done = service.stop();
    assert_eq!(done.status.code(), Some(0));
    String::from_utf8(done.stderr).unwrap()
}

/// K1: below the high watermark a broker may send nothing for long.
#[test]
fn empty_answer_keeps_offset() {
    let stub = Stub::start(TOPIC, Vec::new());
    let mut reader = reader(&stub);
    let mut partition = StubPartition::new(&batches(&mut reader, 10));
    partition.empty_from = (5, MANY_FETCHES);
    stub.partitions.lock().push(partition);
    let service = reader.serve();
    reader.settle(&service);
    assert!(stub.partitions.lock()[0].fetches > MANY_FETCHES);
    let shown = wait_for(&reader, |shown| shown["backlogRecords"] == 0);
    assert_eq!(shown["sinceStart"]["counted"], 10, "{shown}");
    stop(service);
}

/// K1, with the cause that real clusters have: records after the last stable offset are read when it moves.
#[test]
fn open_transactions_are_waited_for() {
    let stub = Stub::start(TOPIC, Vec::new());
    let mut reader = reader(&stub);
    let mut partition = StubPartition::new(&batches(&mut reader, 10));
    partition.open_from = Some(5);
    stub.partitions.lock().push(partition);
    let service = reader.serve();
    // The backlog ends at the high watermark, and nothing fails.
    let shown =
        wait_for(&reader, |shown| shown["backlogRecords"] == 5 && shown["sinceStart"]["counted"] == 5);
    assert_eq!(shown["state"], "running", "{shown}");
    let fetches = stub.partitions.lock()[0].fetches;
    wait_for(&reader, |_| stub.partitions.lock()[0].fetches > fetches + MANY_FETCHES);
    // A restart waits at the same offset.
    stop(service);
    let service = reader.serve();
    wait_for(&reader, |shown| shown["backlogRecords"] == 5);
    stub.partitions.lock()[0].open_from = None;
    reader.settle(&service);
    wait_for(&reader, |shown| shown["backlogRecords"] == 0);
    stop(service);
}

/// K2 and K4: in one answer, and each batch in its own answer.
#[test]
fn markers_and_aborted_records_are_not_counted() {
    for batches_max in [usize::MAX, 1] {
        let stub = Stub::start(TOPIC, Vec::new());
        let mut reader = reader(&stub);
        let records = reader.records(4);
        let aborted = String::from_utf8(records[0].clone()).unwrap().replace("host-", "aborted-");
        let mut partition = StubPartition::new(&[
            RecordBatch::new(0).of_transaction(7).value(&records[0]),
            RecordBatch::control(1, 7, COMMIT),
            RecordBatch::new(2).value(&records[1]),
            RecordBatch::new(3).of_transaction(7).value(aborted.as_bytes()).value(aborted.as_bytes()),
            RecordBatch::new(5).of_transaction(8).value(&records[2]),
            RecordBatch::control(6, 7, ABORT),
            RecordBatch::control(7, 8, COMMIT),
        ]);
        (partition.batches_max, partition.aborted) = (batches_max, vec![(7, 3)]);
        let neighbour = StubPartition::new(&[RecordBatch::new(0).value(&records[3])]);
        stub.partitions.lock().extend([partition, neighbour]);
        let service = reader.serve();
        reader.settle(&service);
        let shown = wait_for(&reader, |shown| shown["backlogRecords"] == 0);
        let counts = &shown["sinceStart"];
        assert_eq!((&counts["counted"], &counts["malformed"]), (&4.into(), &0.into()), "{shown}");
        stop(service);
    }
}

/// K3: what cannot be decoded is malformed with its place; its batch and its partition are read.
#[test]
fn undecodable_records_are_malformed_alone() {
    let stub = Stub::start(TOPIC, Vec::new());
    let mut reader = reader(&stub);
    let records = reader.records(4);
    let mut torn = RecordBatch::new(4).compressed(GZIP).value(b"a").value(b"b").encode();
    *torn.last_mut().unwrap() ^= 0x55;
    let mut partition = StubPartition::new(&[
        RecordBatch::new(0).odd(&records[0]).damaged().tombstone().value(&records[1]),
        RecordBatch::new(4).value(b"replaced").value(b"below"),
        RecordBatch::new(6).compressed(ZSTD).odd(&records[2]),
        RecordBatch::new(7).value(&records[3]),
    ]);
    partition.replace(1, torn);
    stub.partitions.lock().push(partition);
    let service = reader.serve();
    reader.settle(&service);
    let shown = wait_for(&reader, |shown| shown["backlogRecords"] == 0);
    let counts = &shown["sinceStart"];
    assert_eq!((&counts["counted"], &counts["malformed"]), (&4.into(), &3.into()), "{shown}");
    assert_eq!(counts["notAConnection"]["otherEvent"], 1, "{shown}");
    let log = stop(service);
    assert!(log.contains("partition 0, offset 1"), "{log}");
}

/// A partition that cannot be read is named, and its neighbour is read.
#[test]
fn failing_partition_does_not_delay_others() {
    let stub = Stub::start(TOPIC, Vec::new());
    let mut reader = reader(&stub);
    let mut first = StubPartition::new(&batches(&mut reader, 5));
    let second = StubPartition::new(&batches(&mut reader, 5));
    // KAFKA_STORAGE_ERROR.
    first.error_always = 56;
    stub.partitions.lock().extend([first, second]);
    let service = reader.serve();
    let shown =
        wait_for(&reader, |shown| shown["sinceStart"]["counted"] == 5 && shown["state"] == "retrying");
    assert!(shown.to_string().contains("partition 0: the broker answered KAFKA_STORAGE_ERROR"), "{shown}");
    // Leaders that change, and an offset that a new leader does not know yet, pass nothing.
    {
        let first = &mut stub.partitions.lock()[0];
        (first.error_always, first.errors) = (0, vec![74, 1, 6]);
    }
    reader.settle(&service);
    let shown = wait_for(&reader, |shown| shown["state"] == "running");
    assert_eq!(shown["sinceStart"]["counted"], 10, "{shown}");
    stop(service);
}

/// How many records of each kind were put into a topic.
#[derive(Default)]
struct Sent {
    counted: u64,
    other: u64,
    malformed: u64,
}

/// A batch of one to five random records; and whether they are aborted.
fn random_batch(
    random: &mut SmallRng,
    base: i64,
    reader: &mut Reader,
    sent: &mut Sent,
) -> (RecordBatch, bool) {
    let is_aborted = random.random_ratio(1, 5);
    let mut batch = RecordBatch::new(base).compressed([0, GZIP, ZSTD][random.random_range(0..3)]);
    if is_aborted {
        batch = batch.of_transaction(7);
    }
    for _ in 0..random.random_range(1..=5) {
        let kind = random.random_range(0..6);
        if is_aborted {
            batch = batch.value(br#"{"device":"aborted","ip":"198.51.100.1","time":1}"#);
            continue;
        }
        match kind {
            0 | 1 => sent.counted += 1,
            2 | 3 => sent.other += 1,
            _ => sent.malformed += 1,
        }
        batch = match kind {
            0 => batch.value(&reader.records(1)[0]),
            1 => batch.odd(&reader.records(1)[0]),
            2 => batch.tombstone(),
            3 => batch.value(b""),
            4 => batch.damaged(),
            _ => batch.value(b"neither JSON nor a table"),
        };
    }
    (batch, is_aborted)
}

/// Every record that is not aborted ends in one of the four places.
#[test]
fn random_records_are_conserved() {
    let mut random = SmallRng::seed_from_u64(13);
    let stub = Stub::start(TOPIC, Vec::new());
    let (mut reader, mut sent) = (reader(&stub), Sent::default());
    for _ in 0..3 {
        let (mut batches, mut aborted, mut end) = (Vec::new(), Vec::new(), 0);
        for _ in 0..60 {
            let (batch, is_aborted) = random_batch(&mut random, end, &mut reader, &mut sent);
            let first = end;
            end = batch.offsets().1 + 1;
            batches.push(batch);
            if is_aborted {
                aborted.push((7, first));
                batches.push(RecordBatch::control(end, 7, ABORT));
                end += 1;
            }
        }
        let mut partition = StubPartition::new(&batches);
        (partition.batches_max, partition.aborted) = (random.random_range(1..=7), aborted);
        stub.partitions.lock().push(partition);
    }
    let service = reader.serve();
    reader.settle(&service);
    let shown = wait_for(&reader, |shown| shown["backlogRecords"] == 0);
    let counts = &shown["sinceStart"];
    assert_eq!(counts["counted"], sent.counted, "{shown}");
    assert_eq!(counts["malformed"], sent.malformed, "{shown}");
    assert_eq!(counts["notAConnection"]["otherEvent"], sent.other, "{shown}");
    assert_eq!(counts["outsideRetention"], 0, "{shown}");
    stop(service);
}
