//! `ipstats secret`: a new secret, and what the configuration keeps of it.

use clap::Args;
use std::process::ExitCode;

/// Arguments of `secret`.
#[derive(Debug, Args)]
pub(super) struct SecretArgs {}

/// Runs the command.
pub(super) fn run(args: &SecretArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("secret is not written yet ({args:?})")
}
