//! `ipstats import`: log files into the store.
//!
//! Results go to standard output, everything said about them to standard error. The exit code is 1 when a log could
//! not be read to its end, or when the import was interrupted; malformed records alone do not fail it.

mod bar;
mod notes;
mod summary;

use super::{ClockArgs, PlaceArgs, first_start_note, output};
use crate::config::Config;
use crate::ingest::{EngineSink, Plan, Progress, Source, Stop, ingest};
use crate::store::{check_clock, open_engine};
use anyhow::Context;
use bar::Bar;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use ipstats_formats::{CountRule, FormatChoice, Originator, Settings};
use ipstats_model::Organization;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;
use summary::Summary;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Log files, `-` for standard input; gzip and zstd are recognized by content
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of the logs
    #[arg(long, value_name = "FORMAT", default_value_t = FormatChoice::Auto, value_parser = formats())]
    format: FormatChoice,
    /// Organization the logs belong to, by id or name [default: the only one configured]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    clock: ClockArgs,
    /// Network that counts as internal, instead of the private ones; may be repeated
    #[arg(long, value_name = "CIDR")]
    internal_network: Vec<IpNet>,
    /// The originator is always a device of the organization: the sensor sees only its own network
    #[arg(long)]
    originator_is_device: bool,
    /// Site of the sensor: devices known by their IP are told apart by it
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// What counts as a connection
    #[arg(long, value_enum, default_value_t = Count::Opened)]
    count: Count,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Count {
    /// Connections that were established
    Opened,
    /// Failed and half-open attempts as well
    Attempted,
}

/// Runs the command.
pub(super) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(&args.place.flags())?;
    if let Some(first_start) = config.establish()? {
        first_start_note(&first_start);
    }
    let organization = config.organization(args.organization.as_deref())?;
    let clock = args.clock.clock();
    let engine = open_engine(&config, &clock)?;
    if let Err(behind) = check_clock(&clock, engine.newest_event()) {
        output::note(format_args!("warning: {behind}"));
    }
    let stop = stop_on_signal()?;

    let started = Instant::now();
    let progress = Arc::new(Progress::default());
    let mut bar = Bar::follow(Arc::clone(&progress));
    let sink = EngineSink { engine: &engine, organization, clock: clock.clone() };
    let json = args.json;
    let report = ingest(args.plan(organization), &sink, &progress, &stop);
    bar.finishing();
    let newest_stored = engine.newest_event();
    let closed = engine.close();
    drop(bar);

    notes::notes(&report, organization, &clock, newest_stored).iter().for_each(output::note);
    let summary = Summary { report: &report, organization, elapsed: started.elapsed() };
    if json {
        summary.places().iter().for_each(output::note);
        output::json(&summary.json()?)?;
    } else if report.read_any() {
        output::result(summary.text()?)?;
    }
    if report.failure.is_none() {
        closed
            .context("what was counted is safe in the journal, but it could not be written into the index")?;
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl ImportArgs {
    fn plan(self, organization: Organization) -> Plan {
        let defaults = Settings::default();
        let internal_networks = match self.internal_network {
            none if none.is_empty() => defaults.internal_networks,
            networks => networks,
        };
        let settings = Settings {
            internal_networks,
            originator: if self.originator_is_device {
                Originator::AlwaysDevice
            } else {
                Originator::ByNetworks
            },
            site: self.site,
            count: match self.count {
                Count::Opened => CountRule::Opened,
                Count::Attempted => CountRule::Attempted,
            },
            only_tenant: Some(organization),
            ..defaults
        };
        Plan {
            sources: self.files.into_iter().map(Source::named).collect(),
            format: self.format,
            settings,
            workers: workers(),
        }
    }
}

/// One more than there are cores, so that while one waits for the disk the others keep them busy.
fn workers() -> NonZero<usize> {
    available_parallelism().unwrap_or(NonZero::<usize>::MIN).saturating_add(1)
}

/// A stop that SIGINT and SIGTERM request; the second signal ends the process at once.
fn stop_on_signal() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let handle = stop.clone();
    ctrlc::set_handler(move || {
        if handle.request() {
            output::note("stopping: finishing what was read (once more to stop at once)");
        } else {
            // Nothing acknowledged is lost: it is in the journal.
            process::exit(130);
        }
    })
    .context("signals cannot be handled")?;
    Ok(stop)
}

fn formats() -> impl TypedValueParser<Value = FormatChoice> {
    PossibleValuesParser::new(FormatChoice::names()).try_map(|name| name.parse::<FormatChoice>())
}
