//! The engine's paths without a network: recording, replaying, flushing, answering. Figures are in docs/performance.md.
#![expect(clippy::unwrap_used, reason = "a benchmark")]
#![expect(missing_docs, reason = "criterion's macros make undocumented functions")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ipstats_engine::{Engine, Options};
use ipstats_model::{Batch, CanonicalIp, LookBack, Organization, Timestamp, Window};
use std::hint::black_box;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_second(1_700_000_000);
const ORGANIZATION: Organization = Organization::from_bytes([1; 16]);
const BATCH_ROWS: u32 = 65_536;
const DEVICES: u32 = 100_000;

/// A sequence of numbers without a visible order, the same in every run.
fn scrambled(number: u32) -> u32 {
    let mixed = (number ^ number >> 16).wrapping_mul(0x7feb_352d);
    (mixed ^ mixed >> 15).wrapping_mul(0x846c_a68b)
}

fn ip(number: u32) -> CanonicalIp {
    std::net::Ipv4Addr::from(number).into()
}

/// Connections of many devices to many addresses over a month, in time order.
fn batch(first: u32) -> Batch {
    let mut batch = Batch::new();
    for number in first..first + BATCH_ROWS {
        let device = format!("device-{:06}", scrambled(number) % DEVICES);
        let address = ip(scrambled(number.wrapping_mul(31)) % 200_000);
        batch.push(&device, address, NOW.plus_seconds(-2_500_000 + i64::from(number))).unwrap();
    }
    batch
}

fn open(folder: &TempDir) -> Engine {
    Engine::open(folder.path(), &Options::default()).unwrap()
}

/// Every device contacts `popular`, one device contacts `rare`.
fn store_with_a_popular_address(popular: CanonicalIp, rare: CanonicalIp) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let mut batch = Batch::new();
    for device in 0..DEVICES {
        let at = NOW.plus_seconds(-i64::from(scrambled(device) % 2_500_000));
        batch.push(&format!("device-{device:06}"), popular, at).unwrap();
    }
    batch.push("device-000007", rare, NOW.plus_seconds(-3600)).unwrap();
    engine.record(ORGANIZATION, &batch, NOW).unwrap();
    engine.flush().unwrap();
    (folder, engine)
}

fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(u64::from(BATCH_ROWS))).sample_size(20);
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let mut first = 0;
    group.bench_function("a batch of 64 Ki, durable and answerable, one thread", |bencher| {
        bencher.iter_batched(
            || {
                first = (first + BATCH_ROWS) % (BATCH_ROWS * 32);
                batch(first)
            },
            |batch| engine.record(ORGANIZATION, &batch, NOW).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn replaying(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    let batches = 8;
    group.throughput(Throughput::Elements(u64::from(BATCH_ROWS) * batches)).sample_size(10);
    group.bench_function("replay 512 Ki unflushed connections", |bencher| {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(&folder);
        (0..batches).for_each(|number| {
            let first = BATCH_ROWS * u32::try_from(number).unwrap();
            engine.record(ORGANIZATION, &batch(first), NOW).unwrap();
        });
        drop(engine);
        bencher.iter(|| drop(black_box(open(&folder))));
    });
    group.finish();
}

fn answering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("statistics, warm");
    let (popular, rare, absent) = (ip(1), ip(2), ip(3));
    let (_folder, engine) = store_with_a_popular_address(popular, rare);
    let window = Window::ending_at(NOW, LookBack::MAX);
    for (name, address) in [("100,000 devices", popular), ("one device", rare), ("never contacted", absent)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| engine.statistics(ORGANIZATION, black_box(address), window).unwrap());
        });
    }
    // Live ingest: a part of the answer is in the head and must be matched with the tile.
    let mut fresh = Batch::new();
    for device in (0..DEVICES).step_by(1000) {
        fresh.push(&format!("device-{device:06}"), popular, NOW).unwrap();
    }
    engine.record(ORGANIZATION, &fresh, NOW).unwrap();
    group.bench_function("100,000 devices, 100 of them in the head as well", |bencher| {
        bencher.iter(|| engine.statistics(ORGANIZATION, black_box(popular), window).unwrap());
    });
    group.finish();
}

criterion_group!(benches, recording, replaying, answering);
criterion_main!(benches);
