//! `ipstats token`: a token of the built-in authority.

use super::PlaceArgs;
use crate::config::Config;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Application the token is for
    #[arg(long, value_name = "NAME")]
    app: String,
}

/// Runs the command.
pub fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("token is not written yet ({:?})", (&args.place, &args.app))
}

/// A token for the application called `app`, signed with the key in the data folder (made where missing), valid for
/// an hour from now. Needs no lock on the data folder: works while the service runs.
pub fn issue(config: &Config, app: &str) -> anyhow::Result<String> {
    anyhow::bail!("token is not written yet ({:?})", (config, app))
}
