//! The command line: what can be asked, and exit codes (0 done, 1 failed, 2 bad usage).
//!
//! One file a command, each with its `Args` and a `run`. A command returns its exit code, or an error whose chain is
//! shown as one line.

mod clickhouse;
mod config;
mod copy;
mod demo;
mod import;
pub mod output;
mod secret;
pub mod serve;
mod server_args;
mod sources;
mod stats;
pub mod token;

use crate::clock::Clock;
use crate::config::{FirstStart, Flags};
use crate::telemetry;
use clap::{Args, Parser, Subcommand};
use ipstats_model::Timestamp;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// How many of our devices contacted this IP, and when? Answers Defender's "Get IP statistics" from your own logs.
#[derive(Debug, Parser)]
#[command(name = "ipstats", version, arg_required_else_help = true, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start with sample data in a temporary folder: a server, a token and a curl line to paste
    Demo(demo::DemoArgs),
    /// Serve the HTTP API
    Serve(serve::ServeArgs),
    /// Import log files
    Import(import::ImportArgs),
    /// Ask for the statistics of IP addresses
    Stats(stats::StatsArgs),
    /// Show what the sources of the running service do: records, lag, and what hinders them
    Sources(sources::SourcesArgs),
    /// Print a token of the built-in authority, to paste into curl
    Token(token::TokenArgs),
    /// Check or show the configuration
    Config(config::ConfigArgs),
    /// Create the tables of a ClickHouse that is to be the store
    #[command(name = "clickhouse")]
    ClickHouse(clickhouse::ClickHouseArgs),
    /// Copy what one store holds into another one, while both are used: a data folder into ClickHouse, and back
    Copy(copy::CopyArgs),
    /// Make a secret and its argon2id hash for the configuration
    Secret(secret::SecretArgs),
}

/// Where the configuration and the data are.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Configuration file [env: IPSTATS_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder [env: IPSTATS_DATA_DIR] [default: ./ipstats-data]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// Whose data, where it is, and as of when.
#[derive(Debug, Clone, Args)]
struct StoreArgs {
    /// Organization whose data it is, by id or name [default: the only one configured]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    clock: ClockArgs,
}

/// Exit code of bad usage, as clap's own.
const BAD_USAGE: u8 = 2;

/// Which time it is.
#[derive(Debug, Clone, Args)]
pub struct ClockArgs {
    /// Pin the clock to this time, to work on an old capture (such as 2018-06-01T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
}

impl PlaceArgs {
    /// These flags, for [`Config::load`](crate::config::Config::load).
    pub fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data_dir: self.data_dir.clone(), ..Flags::default() }
    }
}

impl ClockArgs {
    /// The clock these flags ask for.
    pub fn clock(&self) -> Clock {
        Clock::as_of(self.as_of)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // clap itself ends the process with 2 on bad usage, and with 0 after --help and --version.
    let result = match CommandLine::parse().command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(&args),
        Command::Import(args) => import::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Sources(args) => sources::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Config(args) => config::run(&args),
        Command::ClickHouse(args) => clickhouse::run(&args),
        Command::Copy(args) => copy::run(&args),
        Command::Secret(args) => secret::run(&args),
    };
    result.unwrap_or_else(|error| failed(&error))
}

/// Shows what the first start made. The secret is for a person at a terminal: elsewhere it would be kept in a log, so
/// what is said there is where to find it.
fn first_start_note(first_start: &FirstStart) {
    if io::stderr().is_terminal() {
        output::note(first_start);
    } else {
        output::note(format_args!("note: {}", first_start.without_secret()));
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let closed_pipe = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe);
    if closed_pipe {
        return ExitCode::SUCCESS;
    }
    output::note(format_args!("error: {}", telemetry::chain(error.as_ref())));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }
}
