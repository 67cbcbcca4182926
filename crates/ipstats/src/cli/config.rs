//! `ipstats config`: check or show the configuration.

use super::PlaceArgs;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the configuration and report everything that is wrong with it
    Check,
    /// Show the effective configuration, secrets masked
    Show,
}

/// Runs the command.
pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("config is not written yet ({:?})", (&args.place, &args.action))
}
