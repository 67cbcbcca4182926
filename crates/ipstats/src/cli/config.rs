//! `ipstats config`: check or show the configuration.

use super::{PlaceArgs, output};
use crate::config::Config;
use anyhow::Context;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the configuration and report everything that is wrong with it
    Check(PlaceArgs),
    /// Show the effective configuration, secrets masked
    Show(PlaceArgs),
}

/// Runs the command.
pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let (Action::Check(place) | Action::Show(place)) = &args.action;
    let config = Config::load(&place.flags())?;
    for warning in &config.warnings {
        output::note(format_args!("warning: {warning}"));
    }
    match &args.action {
        Action::Check(_) => output::result(summary(&config))?,
        Action::Show(_) => {
            output::result(config.show().context("the configuration cannot be shown")?.trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(config: &Config) -> String {
    let (organizations, applications) = (config.organizations.len(), config.applications.len());
    format!("the configuration is fine: {organizations} organization(s), {applications} application(s)")
}
