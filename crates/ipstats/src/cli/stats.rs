//! `ipstats stats`: the statistics of IP addresses.

use super::{ClockArgs, PlaceArgs};
use clap::Args;
use std::process::ExitCode;

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    clock: ClockArgs,
}

/// Runs the command.
pub(super) fn run(args: StatsArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("stats is not written yet ({:?})", (args.place, args.clock))
}
