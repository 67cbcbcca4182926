//! `ipstats stats`: the statistics of IP addresses.
//!
//! For programs one line an IP, the body that the API answers. For people a table; a single IP is shown with all that is
//! known about it. An IP that was not contacted is an answer; only what is no IP fails the command.

mod details;
mod question;
mod table;

use super::{ClockArgs, PlaceArgs, output};
use crate::answer::{Answer, NoAnswer};
use crate::config::Config;
use crate::store::{OpenStoreError, check_clock, open_engine};
use crate::visible::Visible;
use anyhow::{Context, anyhow, bail};
use clap::Args;
use details::Details;
use ipstats_engine::{FolderError, OpenError};
use ipstats_model::{CanonicalIp, LookBack, Window};
use question::Question;
use serde::Serialize;
use std::io::{self, BufRead};
use std::process::ExitCode;
use table::Table;

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// IP addresses; `-` reads them from standard input, one a line
    #[arg(required = true, value_name = "IP")]
    ips: Vec<String>,
    /// How far to look back, in hours, 1 to 720
    #[arg(long, value_name = "N", default_value = "720", value_parser = look_back)]
    look_back_hours: LookBack,
    /// Organization to ask about, by id or name [default: the only one configured]
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    clock: ClockArgs,
    /// Show every device of a single IP, not only the most recent ones
    #[arg(long, conflicts_with = "json")]
    all_devices: bool,
    /// Print one JSON object a line: what the API answers
    #[arg(long)]
    json: bool,
}

/// Runs the command.
#[expect(clippy::needless_pass_by_value, reason = "every command owns its arguments")]
pub(super) fn run(args: StatsArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.place.flags())?;
    let organization = config.organization(args.organization.as_deref())?;
    if !config.data_dir.is_dir() {
        bail!(
            "there is no data folder {}: import logs first, or name it with --data-dir",
            config.data_dir.display()
        );
    }
    let clock = args.clock.clock();
    let engine = open_engine(&config, &clock).map_err(with_way_out)?;
    if let Err(behind) = check_clock(&clock, engine.newest_event()) {
        output::note(format_args!("warning: {behind}"));
    }
    let window = Window::ending_at(clock.now(), args.look_back_hours);
    let question = Question { engine: &engine, organization, window, look_back: args.look_back_hours };
    if args.json { print_json(&args.ips, &question, &config) } else { print_text(&args, &question) }
}

/// A folder in use is most likely a service's: it can be asked instead.
fn with_way_out(error: OpenStoreError) -> anyhow::Error {
    match error {
        OpenStoreError::Engine(OpenError::Folder(FolderError::InUse { .. })) => anyhow!(
            "{error}; if that is `ipstats serve`, ask it over HTTP (GET /api/ips/{{ip}}/stats, with a token of \
             `ipstats token`)"
        ),
        other => other.into(),
    }
}

fn print_json(ips: &[String], question: &Question<'_>, config: &Config) -> anyhow::Result<ExitCode> {
    let url = config.base_url();
    let mut code = ExitCode::SUCCESS;
    for text in texts(ips) {
        let text = text?;
        let answer = match text.parse::<CanonicalIp>() {
            Ok(ip) => Answer::new(ip, question.statistics(ip)?, config.unknown_ip),
            Err(invalid) => {
                code = ExitCode::FAILURE;
                Err(NoAnswer::from(invalid))
            }
        };
        output::json(&match answer {
            Ok(answer) => serde_json::to_string(&answer.with_context(&url))?,
            Err(no_answer) => error_line(&text, &no_answer)?,
        })?;
    }
    Ok(code)
}

fn error_line(ip: &str, error: &NoAnswer) -> serde_json::Result<String> {
    serde_json::to_string(&ErrorLine {
        ip_address: ip,
        error: ErrorBody { code: error.code(), message: error.to_string() },
    })
}

/// A line about an IP that has no answer.
#[derive(Serialize)]
struct ErrorLine<'a> {
    #[serde(rename = "ipAddress")]
    ip_address: &'a str,
    error: ErrorBody,
}

#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    message: String,
}

fn print_text(args: &StatsArgs, question: &Question<'_>) -> anyhow::Result<ExitCode> {
    if let [text] = args.ips.as_slice()
        && text != "-"
    {
        // What has to be written out is no IP: then this is what the message shows.
        let details = Details::of(Visible(text).to_string().parse()?, question)?;
        output::result(details.text(args.all_devices)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    for text in texts(&args.ips) {
        table.add(&text?, question)?;
    }
    output::result(&table)?;
    Ok(if table.has_invalid() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The addresses asked for, `-` replaced by the lines of standard input that are not blank.
fn texts(ips: &[String]) -> impl Iterator<Item = anyhow::Result<String>> {
    ips.iter().flat_map(|text| -> Box<dyn Iterator<Item = anyhow::Result<String>>> {
        if text == "-" { Box::new(lines_of_stdin()) } else { Box::new(std::iter::once(Ok(text.clone()))) }
    })
}

fn lines_of_stdin() -> impl Iterator<Item = anyhow::Result<String>> {
    io::stdin()
        .lock()
        .lines()
        .map(|line| Ok(line.context("standard input cannot be read")?.trim().to_owned()))
        .filter(|line| !matches!(line, Ok(text) if text.is_empty()))
}

fn look_back(text: &str) -> Result<LookBack, String> {
    let hours = text.parse().map_err(|_| format!("{text:?} is not a number of hours"))?;
    LookBack::from_hours(hours).map_err(|error| error.to_string())
}
