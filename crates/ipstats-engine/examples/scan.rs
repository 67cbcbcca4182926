//! A scan of the whole IPv6 space by one device: memory must stay within the budget, whatever the number of addresses.
//!
//! `cargo run --release -p ipstats-engine --example scan -- [connections] [memory MiB]` (50 million and 512 unless said
//! otherwise) records them in batches of 64 Ki from two threads into a temporary folder, asks for some of them, and
//! prints the rate, the size on disk and the largest resident memory of the process.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, not part of the product")]

use ipstats_engine::{Engine, Options};
use ipstats_model::{Batch, CanonicalIp, IpStatistics, LookBack, Organization, Timestamp, Window};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const BATCH_ROWS: u64 = 65_536;
const NOW: Timestamp = Timestamp::from_second(1_700_000_000);

/// The address with this number; distinct for distinct numbers, in no order.
fn address(number: u64) -> CanonicalIp {
    let low = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let high = low.rotate_left(32).wrapping_mul(0xd6e8_feb8_6659_fd93) | 1 << 61;
    CanonicalIp::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

fn at(number: u64) -> Timestamp {
    NOW.plus_seconds(-i64::try_from(number % 86_400).unwrap())
}

fn argument(position: usize, default: u64) -> u64 {
    std::env::args().nth(position).map_or(default, |text| text.parse().unwrap())
}

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or("0 0 0");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let (total, memory_mib) = (argument(1, 50_000_000), argument(2, 512));
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: memory_mib << 20, ..Options::default() };
    let engine = Engine::open(folder.path(), &options).unwrap();
    let organization = Organization::from_bytes([1; 16]);
    let next = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut batch = Batch::new();
                loop {
                    let start = next.fetch_add(BATCH_ROWS, Ordering::Relaxed);
                    if start >= total {
                        return;
                    }
                    batch.clear();
                    for number in start..(start + BATCH_ROWS).min(total) {
                        batch.push("scanner", address(number), at(number)).unwrap();
                    }
                    engine.record(organization, &batch, NOW).unwrap();
                }
            });
        }
    });
    engine.flush().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let window = Window::ending_at(NOW, LookBack::MAX);
    for number in (0..total).step_by(99_991) {
        let expected = IpStatistics::Seen { prevalence: 1, first_seen: at(number), last_seen: at(number) };
        assert_eq!(engine.statistics(organization, address(number), window).unwrap(), expected);
    }
    let figures = engine.figures().unwrap();
    println!("connections to distinct addresses  {total}");
    println!("memory budget                      {memory_mib} MiB");
    println!("largest resident memory            {} MiB", resident("VmHWM"));
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let rate = total as f64 / seconds / 1e6;
    println!("recorded and flushed               {seconds:.1} s, {rate:.2} M/s");
    println!("tiles on disk                      {} MiB", figures.tile_bytes >> 20);
}
