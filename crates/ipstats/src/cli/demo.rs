//! `ipstats demo`: sample data in a temporary folder, a server, a token and a curl line to paste.

mod fleet;
mod internet;
mod month;
mod screen;
mod stories;

use super::{output, serve, token};
use crate::clock::Clock;
use crate::config::{Config, Environment, Flags};
use crate::ingest::{Batcher, Sink, Stop, StoreSink};
use crate::store::Store;
use anyhow::{Context, bail};
use clap::Args;
use ipstats_model::{Batch, CanonicalIp, Recorded, Timestamp};
use month::{Month, Record};
use screen::Found;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Instant;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Address and port to listen on [default: 127.0.0.1:8080, or a free port where that one is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Seed of the sample data: the same seed gives the same month
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Runs the command.
#[expect(clippy::needless_pass_by_value, reason = "every command owns its arguments")]
pub(super) fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let stop = stop_on_signal()?;
    // Removed when this function returns, however it does.
    let folder = tempfile::Builder::new()
        .prefix("ipstats-demo-")
        .tempdir()
        .context("no temporary folder can be made: name a writable one in TMPDIR")?;
    let mut config = Config::load_in(
        &Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() },
        &Environment::default(),
    )?;
    let first_start = config.establish()?.context("the temporary folder was not empty")?;
    let listener = listener(args.listen, config.listen)?;
    config.listen = listener.local_addr().context("the address listened on is not known")?;

    let clock = Clock::System;
    output::note("making up a month of sample data");
    let found = make_up(&config, &clock, args.seed, &stop);
    if stop.requested() {
        return Ok(ExitCode::SUCCESS);
    }
    let found = found?;
    let application = config.applications.first().context("the demo has no application")?;
    let token = token::issue(&config, application)?;
    serve::serve(&config, clock, listener, |_, url| {
        let ready =
            screen::Ready { url, token: &token, first_start: &first_start, elapsed: started.elapsed() };
        // Nobody may be reading; the service runs all the same.
        let _ = output::result(&found).and_then(|()| output::result(ready));
    })
}

/// Fills the data folder, and asks about the interesting addresses.
fn make_up(config: &Config, clock: &Clock, seed: u64, stop: &Stop) -> anyhow::Result<Found> {
    let organization = config.organization(None)?;
    let store = Store::open(config, clock)?;
    let month = Month::ending_at(clock.now(), seed)?;
    let sink = StoreSink { store: &store, organization, clock: clock.clone() };
    let mut recorder = Recorder { sink, batcher: Batcher::default(), stop };
    month.happen(&mut recorder)?;
    recorder.flush()?;
    let found = Found::ask(&store, organization, &month, recorder.batcher.outcomes().counted)?;
    store.close_here().context("the sample data cannot be written")?;
    Ok(found)
}

/// The address asked for; without one the default address, or a free port where that one is taken.
fn listener(asked: Option<SocketAddr>, default: SocketAddr) -> anyhow::Result<TcpListener> {
    if let Some(address) = asked {
        return serve::bind(address);
    }
    match TcpListener::bind(default) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            serve::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        }
        // For its message.
        Err(_) => serve::bind(default),
    }
}

/// A stop that SIGINT and SIGTERM request. The service, once it runs, hears them itself.
fn stop_on_signal() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let handle = stop.clone();
    let handler = move || {
        handle.request();
    };
    ctrlc::set_handler(handler).context("signals cannot be handled")?;
    Ok(stop)
}

/// Records generated connections.
struct Recorder<'a> {
    sink: StoreSink<'a>,
    batcher: Batcher,
    stop: &'a Stop,
}

impl Recorder<'_> {
    fn flush(&mut self) -> anyhow::Result<()> {
        let Self { sink, batcher, stop } = self;
        batcher.flush(|batch| record_unless_stopped(sink, batch, stop))
    }
}

impl Record for Recorder<'_> {
    fn record(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> anyhow::Result<()> {
        let Self { sink, batcher, stop } = self;
        let mut pushed = Ok(());
        batcher.read(
            |batch, _| pushed = batch.push(device, ip, at),
            |batch| record_unless_stopped(sink, batch, stop),
        )?;
        Ok(pushed?)
    }
}

fn record_unless_stopped(sink: &StoreSink<'_>, batch: &Batch, stop: &Stop) -> anyhow::Result<Recorded> {
    if stop.requested() {
        bail!("interrupted");
    }
    Ok(sink.record(batch)?)
}
