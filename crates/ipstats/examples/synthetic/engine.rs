//! The engine alone: recording, replay, size on disk, answers.

use super::Figure;
use super::connections::{Connections, END};
use anyhow::{Context, anyhow};
use ipstats_engine::{Engine, Options};
use ipstats_model::{Batch, CanonicalIp, IpStatistics, LookBack, Organization, Window};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Threads that record at the same time.
const WRITERS: usize = 3;
/// Enough that nothing is flushed before it is asked for.
const MEMORY_BYTES: u64 = 6 << 30;
const ORGANIZATION: Organization = Organization::from_bytes([7; 16]);

/// Measures it in `folder`, which is made.
pub(crate) fn measure(connections: &Connections, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let batches: Vec<Batch> =
        (0..connections.blocks()).map(|block| connections.batch(block)).collect::<anyhow::Result<_>>()?;
    let pairs = pairs(connections)?;
    let (most, rare) = extremes(&pairs).context("there are no connections")?;
    let options = Options { memory_bytes_max: MEMORY_BYTES, ..Options::default() };

    let engine = Engine::open(folder, &options)?;
    let recording = record(&engine, &batches)?;
    drop(batches);
    drop(engine);
    let (engine, replay) = timed(|| Engine::open(folder, &options));
    let engine = engine?;
    let (flushed, flush) = timed(|| engine.flush());
    flushed?;
    engine.close()?;

    let engine = Engine::open(folder, &options)?;
    let (devices, warm_most) = answers(&engine, most)?;
    let (_, warm_rare) = answers(&engine, rare)?;
    // The store removes its own old files when it is opened: what is left now is the size of the data.
    engine.close()?;
    let bytes = folder_bytes(folder)?;
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (rows, per_pair) = (connections.rows as f64, bytes as f64 / pairs.len() as f64);
    let per_second = |elapsed: Duration| format!("{:.2} M rows/s", rows / elapsed.as_secs_f64() / 1e6);
    Ok(vec![
        Figure { what: "journaled and applied, 3 threads", value: per_second(recording) },
        Figure { what: "replay of all, unflushed", value: format!("{:.2} s", replay.as_secs_f64()) },
        Figure { what: "flush of all into tiles", value: format!("{:.2} s", flush.as_secs_f64()) },
        Figure { what: "(IP, device) pairs", value: pairs.len().to_string() },
        Figure { what: "on disk, whole folder", value: format!("{per_pair:.2} bytes a pair") },
        Figure { what: "devices of the IP with most devices", value: devices.to_string() },
        Figure { what: "answer about it, warm, median", value: micros(warm_most) },
        Figure { what: "answer about an IP with one device, warm", value: micros(warm_rare) },
    ])
}

fn record(engine: &Engine, batches: &[Batch]) -> anyhow::Result<Duration> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        let writer = || -> anyhow::Result<()> {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                engine.record(ORGANIZATION, batch, END)?;
            }
            Ok(())
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(writer)).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| anyhow!("a writer panicked"))?)
    })?;
    Ok(started.elapsed())
}

/// Devices in an answer, and the median time of many answers.
fn answers(engine: &Engine, ip: CanonicalIp) -> anyhow::Result<(u64, Duration)> {
    let window = Window::ending_at(END, LookBack::MAX);
    let mut devices = 0;
    let mut times = Vec::new();
    for _ in 0..2001 {
        let (answer, elapsed) = timed(|| engine.statistics(ORGANIZATION, ip, window));
        if let IpStatistics::Seen { prevalence, .. } = answer? {
            devices = prevalence;
        }
        times.push(elapsed);
    }
    times.sort_unstable();
    Ok((devices, times.get(times.len() / 2).copied().unwrap_or_default()))
}

/// Every distinct (IP, device), sorted.
fn pairs(connections: &Connections) -> anyhow::Result<Vec<(u32, u32)>> {
    let mut pairs = Vec::new();
    for block in 0..connections.blocks() {
        let block = connections.block(block)?;
        pairs.extend(block.map(|connection| (connection.ip.to_bits(), connection.device.to_bits())));
    }
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs)
}

/// The IP with the most devices, and one with a single device.
fn extremes(pairs: &[(u32, u32)]) -> Option<(CanonicalIp, CanonicalIp)> {
    let groups = || pairs.chunk_by(|one, other| one.0 == other.0);
    let ip = |group: &[(u32, u32)]| group.first().map(|(ip, _)| std::net::Ipv4Addr::from_bits(*ip).into());
    let most = groups().max_by_key(|group| group.len()).and_then(ip)?;
    let rare = groups().min_by_key(|group| group.len()).and_then(ip)?;
    Some((most, rare))
}

fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed())
}

fn micros(elapsed: Duration) -> String {
    format!("{:.1} µs", elapsed.as_secs_f64() * 1e6)
}
