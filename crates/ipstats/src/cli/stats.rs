//! `ipstats stats`: the statistics of IP addresses, from the data folder or from a service.
//!
//! For programs one line an IP, the body that the API answers, or CSV. For people a table; a single IP of the data folder
//! is shown with all that is known about it. An IP that was not contacted is an answer; only what is no IP fails the
//! command.

mod csv;
mod details;
mod entry;
mod local;
mod printer;
mod question;
mod remote;
mod table;

use super::server_args::{SERVER_HEADING, ServerArgs};
use super::{StoreArgs, output};
use anyhow::Context;
use clap::{Args, ValueEnum};
use ipstats_model::LookBack;
use std::io::{self, BufRead};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

/// Most questions to a service at once.
const PARALLEL_MAX: u64 = 64;

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// IP addresses; `-` reads them from standard input, one a line
    #[arg(required = true, value_name = "IP")]
    ips: Vec<String>,
    /// How far to look back, in hours, 1 to 720
    #[arg(long, value_name = "N", default_value = "720", value_parser = look_back)]
    look_back_hours: LookBack,
    #[command(flatten)]
    store: StoreArgs,
    /// Show every device of a single IP, not only the most recent ones
    #[arg(long, conflicts_with_all = ["json", "format", "remote"])]
    all_devices: bool,
    /// How answers are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
    /// File with a token to use, which something else keeps fresh [env: IPSTATS_TOKEN_FILE]
    #[arg(long, value_name = "FILE", requires = "remote", help_heading = SERVER_HEADING)]
    token_file: Option<PathBuf>,
    /// How many questions to ask at once
    #[arg(long, value_name = "N", requires = "remote", default_value = "8", value_parser = parallel,
          help_heading = SERVER_HEADING)]
    parallel: NonZero<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for people
    Table,
    /// One JSON object a line: what the API answers
    Json,
    /// Comma-separated values with a header
    Csv,
}

impl StatsArgs {
    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// Runs the command.
pub(super) fn run(args: StatsArgs) -> anyhow::Result<ExitCode> {
    if args.server.is_asked() { remote::run(args) } else { local::run(&args) }
}

/// The addresses asked for, `-` replaced by the lines of standard input that are not blank.
fn texts(ips: Vec<String>) -> impl Iterator<Item = anyhow::Result<String>> + Send {
    ips.into_iter().flat_map(|text| -> Box<dyn Iterator<Item = anyhow::Result<String>> + Send> {
        if text == "-" { Box::new(lines_of_stdin()) } else { Box::new(std::iter::once(Ok(text))) }
    })
}

fn lines_of_stdin() -> impl Iterator<Item = anyhow::Result<String>> + Send {
    io::BufReader::new(io::stdin())
        .lines()
        .map(|line| Ok(line.context("standard input cannot be read")?.trim().to_owned()))
        .filter(|line| !matches!(line, Ok(text) if text.is_empty()))
}

fn look_back(text: &str) -> Result<LookBack, String> {
    let hours = text.parse().map_err(|_| format!("{text:?} is not a number of hours"))?;
    LookBack::from_hours(hours).map_err(|error| error.to_string())
}

fn parallel(text: &str) -> Result<NonZero<usize>, String> {
    match text.parse::<NonZero<usize>>() {
        Ok(count) if count.get() as u64 <= PARALLEL_MAX => Ok(count),
        _ => Err(format!("it is a number from 1 to {PARALLEL_MAX}")),
    }
}
