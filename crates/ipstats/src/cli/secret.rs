//! `ipstats secret`: a new secret, or a user's password, and what the configuration keeps of it.

use super::output;
use crate::ingest_key::IngestKey;
use crate::secret::Secret;
use anyhow::{Context, bail};
use clap::Args;
use std::io::{self, BufRead, IsTerminal, Read};
use std::process::ExitCode;

/// Longest line that is read as a password, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Shortest password, in characters (NIST SP 800-63B).
const PASSWORD_CHARS_MIN: usize = 8;

/// Arguments of `secret`.
#[derive(Debug, Args)]
pub(super) struct SecretArgs {
    /// Make a key under which a source sends logs in, instead of the secret of an application
    #[arg(long)]
    ingest_key: bool,
    /// Hash a user's password, read from standard input, instead of making a secret
    #[arg(long, conflicts_with = "ingest_key")]
    password: bool,
}

/// Runs the command.
pub(super) fn run(args: &SecretArgs) -> anyhow::Result<ExitCode> {
    if args.ingest_key {
        print_key()?;
    } else if args.password {
        print_password_hash()?;
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

/// On standard input a password is neither in the shell's history nor in the list of processes.
fn print_password_hash() -> anyhow::Result<()> {
    if io::stdin().is_terminal() {
        output::note(
            "Type the password and press Enter. It is shown as you type: pipe it in where others can see.",
        );
    }
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(PASSWORD_BYTES_MAX)
        .read_line(&mut line)
        .context("the password cannot be read")?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.chars().count() < PASSWORD_CHARS_MIN {
        bail!(
            "a password has {PASSWORD_CHARS_MIN} characters or more; give it on standard input, as one line"
        );
    }
    let hash = Secret::from(password.to_owned()).hash()?;
    output::result(format_args!("password_hash  {}", hash.as_str()))?;
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
