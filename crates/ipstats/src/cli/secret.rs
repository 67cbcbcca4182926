//! `ipstats secret`: a new secret, and what the configuration keeps of it.

use super::output;
use crate::secret::Secret;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `secret`.
#[derive(Debug, Args)]
pub(super) struct SecretArgs {}

/// Runs the command.
pub(super) fn run(SecretArgs {}: &SecretArgs) -> anyhow::Result<ExitCode> {
    let secret = Secret::generate()?;
    let hash = secret.hash()?;
    output::result(format_args!("secret       {}", secret.reveal()))?;
    output::result(format_args!("secret_hash  {}", hash.as_str()))?;
    output::note(
        "Give the secret to the application and put the hash into the configuration; neither is kept.",
    );
    Ok(ExitCode::SUCCESS)
}
