//! Answers of a service.

use super::entry::{Entry, Nothing};
use super::printer::Printer;
use super::table::FirstEver;
use super::{StatsArgs, texts};
use crate::answer::{Answer, NoAnswer};
use crate::cli::server_args::telling;
use crate::client::{ClientError, Statistics, StatisticsAnswer, in_order};
use indicatif::{ProgressBar, ProgressStyle};
use ipstats_model::CanonicalIp;
use std::borrow::Cow;
use std::process::ExitCode;
use std::time::Duration;

/// How often the progress moves.
const TICK: Duration = Duration::from_millis(100);

/// Runs the command.
pub(super) fn run(args: StatsArgs) -> anyhow::Result<ExitCode> {
    let access = args.server.access(args.token_file.clone())?;
    let bar = bar(&args.ips);
    let courier = args.server.courier(&access, telling(bar.clone()))?;
    let statistics = Statistics::new(access.url.clone(), args.look_back_hours, access.proof()?, courier);
    let mut printer = Printer::new(args.format(), FirstEver::Unknown)?;
    let ask = move |text: anyhow::Result<String>| entry(text?, &statistics);
    let mut outcome = Ok(());
    for entry in in_order(texts(args.ips), args.parallel, ask)? {
        outcome = match entry {
            Ok(Ok(entry)) => bar.suspend(|| printer.print(&entry)),
            Ok(Err(failure)) => Err(failure),
            Err(lost) => Err(lost.into()),
        };
        if outcome.is_err() {
            break;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    // What was answered before it failed is worth having.
    let code = printer.finish()?;
    outcome.map(|()| code)
}

fn entry(asked: String, statistics: &Statistics) -> anyhow::Result<Entry> {
    let found = match asked.parse::<CanonicalIp>() {
        Ok(ip) => found(ip, statistics)?,
        // No need to ask for this.
        Err(invalid) => Err(NoAnswer::from(invalid).into()),
    };
    Ok(Entry { asked, found, first_ever: None })
}

fn found(ip: CanonicalIp, statistics: &Statistics) -> Result<Result<Answer, Nothing>, ClientError> {
    Ok(match statistics.of(ip)? {
        Ok(answer) => {
            let prevalence = answer.prevalence();
            let StatisticsAnswer { context, ip_address, org_first_seen, org_last_seen, .. } = answer;
            Ok(Answer::received(context, ip_address, prevalence, (org_first_seen, org_last_seen)))
        }
        Err(refused) => Err(Nothing { code: Cow::Owned(refused.code), message: refused.message }),
    })
}

/// How far it is, where somebody watches.
fn bar(ips: &[String]) -> ProgressBar {
    let (bar, template) = if ips.iter().any(|text| text == "-") {
        (ProgressBar::new_spinner(), "{spinner} {pos} answered ({elapsed}, {per_sec})")
    } else {
        (ProgressBar::new(ips.len() as u64), "{spinner} {pos} of {len} answered ({elapsed})")
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}
