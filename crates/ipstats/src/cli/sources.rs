//! `ipstats sources`: what the sources of the running service do.

mod table;

use super::{PlaceArgs, output};
use crate::client::ask_operator;
use crate::config::Config;
use crate::sources::SourcesReport;
use anyhow::Context;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `sources`.
#[derive(Debug, Args)]
pub(super) struct SourcesArgs {
    /// Only sources of this organization, by id or name [default: all]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs the command.
pub(super) fn run(args: &SourcesArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.place.flags())?;
    let asked = args.organization.as_deref().map(|asked| config.organization(Some(asked))).transpose()?;
    let answer = ask_operator(&config.operator_socket(), "/sources")?;
    let mut report: SourcesReport = serde_json::from_slice(&answer)
        .context("the service tells something else than sources; it may be of another version")?;
    if let Some(organization) = asked {
        report.sources.retain(|source| source.organization == organization.to_string());
    }
    if args.json {
        output::json(&serde_json::to_string(&report)?)?;
    } else if report.sources.is_empty() {
        output::result("there is no source: declare [[sources]] or [[ingest_keys]] (docs/configuration.md)")?;
    } else {
        table::lines(&report.sources, &config.organizations).iter().try_for_each(output::result)?;
    }
    Ok(ExitCode::SUCCESS)
}
