//! `ipstats import`: log files into the store.

use super::{ClockArgs, PlaceArgs};
use clap::Args;
use std::process::ExitCode;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    clock: ClockArgs,
}

/// Runs the command.
pub(super) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("import is not written yet ({:?})", (args.place, args.clock))
}
