//! The same connections in ClickHouse: what benches/clickhouse.sh measures, and what it compares with.

use super::connections::{Connections, END};
use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use ipstats::clock::Clock;
use ipstats::config::{Config, Environment, Flags};
use ipstats::store::Store;
use ipstats_model::{Batch, CanonicalIp, IpStatistics, LookBack, Organization, Window};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Threads that record at the same time. They wait for acknowledgements most of the time, as uploads do.
const WRITERS: usize = 8;
const ORGANIZATION: Organization = Organization::from_bytes([7; 16]);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the rows of a part to standard output, in `RowBinary`
    Rows(Part),
    /// Record a part; prints rows per second
    Insert {
        #[command(flatten)]
        part: Part,
        #[command(flatten)]
        place: Place,
    },
    /// Write so many questions as the SQL that a person would write
    Questions {
        /// Questions
        count: u64,
    },
    /// Ask the same through the store; prints the median in microseconds
    Ask {
        /// Questions
        count: u64,
        #[command(flatten)]
        place: Place,
    },
}

/// One of equal parts of the time.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Part {
    /// Which part, from 0
    part: u64,
    /// How many parts
    parts: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    #[arg(long)]
    url: String,
    #[arg(long)]
    database: String,
}

pub(crate) fn run(command: &Command, connections: &Connections) -> anyhow::Result<()> {
    match command {
        Command::Rows(part) => write_rows(connections, *part),
        Command::Insert { part, place } => insert(connections, *part, place),
        Command::Questions { count } => write_questions(connections, *count),
        Command::Ask { count, place } => ask(connections, *count, place),
    }
}

impl Part {
    fn blocks(self, connections: &Connections) -> std::ops::Range<u64> {
        let blocks = connections.blocks();
        blocks * self.part / self.parts..blocks * (self.part + 1) / self.parts
    }
}

impl Place {
    fn open(&self) -> anyhow::Result<Store> {
        let settings = [
            ("IPSTATS_STORE_BACKEND", "clickhouse"),
            ("IPSTATS_STORE_URLS", &self.url),
            ("IPSTATS_STORE_DATABASE", &self.database),
        ];
        let environment: Environment =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config::load_in(&Flags::default(), &environment)?;
        Ok(Store::open(&config, &Clock::System)?)
    }
}

fn write_rows(connections: &Connections, part: Part) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for block in part.blocks(connections) {
        for connection in connections.block(block)? {
            let device = connection.device.to_string();
            out.write_all(ORGANIZATION.as_bytes())?;
            out.write_all(CanonicalIp::from(connection.ip).as_bytes())?;
            out.write_all(&[u8::try_from(device.len())?])?;
            out.write_all(device.as_bytes())?;
            out.write_all(&u32::try_from(connection.at.second())?.to_le_bytes())?;
        }
    }
    Ok(out.flush()?)
}

fn insert(connections: &Connections, part: Part, place: &Place) -> anyhow::Result<()> {
    let batches: Vec<Batch> =
        part.blocks(connections).map(|block| connections.batch(block)).collect::<anyhow::Result<_>>()?;
    let store = place.open()?;
    let (next, counted) = (AtomicU64::new(0), AtomicU64::new(0));
    let started = Instant::now();
    thread::scope(|scope| {
        let writer = || -> anyhow::Result<()> {
            while let Some(batch) = batches.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed))?) {
                let recorded = store.record_here(ORGANIZATION, batch, END)?;
                counted.fetch_add(recorded.counted, Ordering::Relaxed);
            }
            Ok(())
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(writer)).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| anyhow!("a writer panicked"))?)
    })?;
    let elapsed = started.elapsed();
    let rows: u64 = counted.into_inner();
    store.close_here()?;
    show(format_args!("{:.0}", u32::try_from(rows).map(f64::from)? / elapsed.as_secs_f64()))
}

/// Addresses as they are asked about: popular ones more often, as they are contacted more often.
fn asked(connections: &Connections, count: u64) -> anyhow::Result<Vec<CanonicalIp>> {
    let mut rng = SmallRng::seed_from_u64(1);
    let blocks = connections.blocks();
    (0..count)
        .map(|_| {
            let mut block = connections.block(rng.random_range(0..blocks))?;
            let connection = block.nth(rng.random_range(0..1000)).context("a block is too short")?;
            Ok(connection.ip.into())
        })
        .collect()
}

/// Written for the tables and nothing else: two short scans, each of one range of the primary key a day.
fn write_questions(connections: &Connections, count: u64) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let start = Window::ending_at(END, LookBack::MAX).start().second();
    for ip in asked(connections, count)? {
        let (organization, ip) = (literal(ORGANIZATION.as_bytes()), literal(ip.as_bytes()));
        let of_ip =
            format!("organization = {organization} AND ip = {ip} AND day >= toDate({})", start / 86_400);
        writeln!(
            out,
            "SELECT uniqExact(device), toUInt32(maxMerge(last)) FROM contacts WHERE {of_ip} \
             AND toUInt32(finalizeAggregation(last)) >= {start} UNION ALL \
             SELECT count(), toUInt32(minMerge(first)) FROM minutes WHERE {of_ip} AND minute >= {};",
            start / 60
        )?;
    }
    Ok(out.flush()?)
}

fn ask(connections: &Connections, count: u64, place: &Place) -> anyhow::Result<()> {
    let store = Arc::new(place.open()?);
    let window = Window::ending_at(END, LookBack::MAX);
    let ips = asked(connections, count)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut times = runtime.block_on(async {
        let mut times = Vec::with_capacity(ips.len());
        for ip in ips {
            let started = Instant::now();
            let IpStatistics::Seen { .. } = store.statistics(ORGANIZATION, ip, window).await? else {
                bail!("{ip} was not found");
            };
            times.push(started.elapsed());
        }
        Ok(times)
    })?;
    times.sort_unstable();
    let median: Duration = *times.get(times.len() / 2).context("nothing was asked")?;
    store.close_here()?;
    show(format_args!("{}", median.as_micros()))
}

fn literal(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
    text + "'"
}

fn show(figure: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{figure}")?)
}
