//! `ipstats clickhouse`: the tables of the ClickHouse that `[store]` names.

use super::{PlaceArgs, output};
use crate::config::{ClickHouseAccess, Config, StoreBackend};
use crate::store::{init, init_statements};
use anyhow::bail;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Arguments of `clickhouse`.
#[derive(Debug, Args)]
pub(super) struct ClickHouseArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create what is missing of the database and its tables; doing it again changes nothing
    Init(InitArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    /// Print the statements and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs the command.
pub(super) fn run(args: &ClickHouseArgs) -> anyhow::Result<ExitCode> {
    let Command::Init(args) = &args.command;
    let config = Config::load(&args.place.flags())?;
    let StoreBackend::ClickHouse(access) = &config.store else {
        bail!(
            "the configuration names no ClickHouse: say backend = \"clickhouse\" and urls = [\"…\"] in [store] \
             (docs/scaling.md)"
        );
    };
    if args.dry_run {
        for statement in init_statements(access) {
            output::result(format_args!("{statement};"))?;
        }
    } else {
        for server in init(access)? {
            output::note(format_args!("repeat this when it is there again: {server}"));
        }
        output::note(format_args!("{} is ready", place(access)));
    }
    Ok(ExitCode::SUCCESS)
}

fn place(access: &ClickHouseAccess) -> String {
    let database = &access.database;
    match access.layout.cluster() {
        None => format!("the database {database}"),
        Some(cluster) => format!("the database {database} on the cluster {cluster}"),
    }
}
