//! `ipstats secret`: a new secret, and what the configuration keeps of it.

use super::output;
use crate::ingest_key::IngestKey;
use crate::secret::Secret;
use anyhow::Context;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `secret`.
#[derive(Debug, Args)]
pub(super) struct SecretArgs {
    /// Make a key under which a source sends logs in, instead of the secret of an application
    #[arg(long)]
    ingest_key: bool,
}

/// Runs the command.
pub(super) fn run(args: &SecretArgs) -> anyhow::Result<ExitCode> {
    if args.ingest_key {
        print_key()?;
    } else {
        print_secret()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_key() -> anyhow::Result<()> {
    let key = IngestKey::generate().context("a key cannot be made")?;
    output::result(format_args!("key       {}", key.reveal()))?;
    output::result(format_args!("key_hash  {}", key.hash()))?;
    output::note("Give the key to the source and put the hash into the configuration; neither is kept.");
    Ok(())
}

fn print_secret() -> anyhow::Result<()> {
    let secret = Secret::generate()?;
    let hash = secret.hash()?;
    output::result(format_args!("secret       {}", secret.reveal()))?;
    output::result(format_args!("secret_hash  {}", hash.as_str()))?;
    output::note(
        "Give the secret to the application and put the hash into the configuration; neither is kept.",
    );
    Ok(())
}
