//! `ipstats demo`: sample data, a server, a token and a curl line to paste.

use clap::Args;
use std::process::ExitCode;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {}

/// Runs the command.
#[expect(clippy::needless_pass_by_value, reason = "not written yet")]
pub(super) fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("demo is not written yet ({args:?})")
}
