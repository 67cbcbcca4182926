//! Ten million synthetic connections, as a Zeek log and straight into the engine: how fast is it here?
//!
//! ```text
//! cargo build --release -p ipstats
//! cargo run --release -p ipstats --example synthetic
//! cargo run --release -p ipstats --example synthetic -- --write-only conn.log --rows 1000000
//! ```
//!
//! 1 M addresses with Zipf(1.0)-distributed popularity, 100 k devices, 30 days in time order. The same seed gives the
//! same connections on every machine.

mod clickhouse;
mod connections;
mod engine;
mod import;
mod machine;
mod zeek;

use anyhow::Context;
use clap::{Parser, Subcommand};
use connections::Connections;
use std::io::{self, Write};
use std::path::PathBuf;

/// Measures the engine and the import with synthetic connections.
#[derive(Debug, Parser)]
struct Arguments {
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    rows: u64,
    /// Only write them as a Zeek log to this file
    #[arg(long, value_name = "FILE")]
    write_only: Option<PathBuf>,
    /// Folder to work in [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Leave the import out: measure the engine alone
    #[arg(long)]
    engine_only: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The same in ClickHouse, for benches/clickhouse.sh
    #[command(subcommand, name = "clickhouse")]
    ClickHouse(clickhouse::Command),
}

/// One line of the result.
struct Figure {
    what: &'static str,
    value: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let connections = Connections { rows: arguments.rows };
    if let Some(Command::ClickHouse(command)) = &arguments.command {
        return clickhouse::run(command, &connections);
    }
    if let Some(path) = arguments.write_only {
        return zeek::write(&connections, &path);
    }
    let temporary = tempfile::tempdir().context("no temporary folder can be made")?;
    let folder = arguments.folder.unwrap_or_else(|| temporary.path().to_owned());

    show(&machine::shape())?;
    show(&[Figure { what: "connections", value: connections.rows.to_string() }])?;
    show(&engine::measure(&connections, &folder.join("engine"))?)?;
    if !arguments.engine_only {
        show(&import::measure(&connections, &folder)?)?;
    }
    Ok(())
}

fn show(figures: &[Figure]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    figures.iter().try_for_each(|figure| writeln!(out, "{:<48}{}", figure.what, figure.value))
}
