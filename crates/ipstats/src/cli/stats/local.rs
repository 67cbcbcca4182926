//! Answers of the data folder.

use super::details::Details;
use super::entry::Entry;
use super::printer::Printer;
use super::question::Question;
use super::table::FirstEver;
use super::{Format, StatsArgs, output, texts};
use crate::answer::Answer;
use crate::config::{Config, StoreBackend, UnknownIp};
use crate::store::{OpenStoreError, Store, check_clock};
use crate::visible::Visible;
use anyhow::{anyhow, bail};
use ipstats_model::{CanonicalIp, Window};
use std::process::ExitCode;

/// Runs the command.
pub(super) fn run(args: &StatsArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.store.place.flags())?;
    // Before the organization: a first start keeps it in the data folder, so a misspelled folder has none.
    if config.store == StoreBackend::Embedded && !config.data_dir.is_dir() {
        bail!(
            "there is no data folder {}: import logs first, or name it with --data-dir, or ask a service with --server",
            config.data_dir.display()
        );
    }
    let organization = config.organization(args.store.organization.as_deref())?;
    let clock = args.store.clock.clock();
    let store = Store::open(&config, &clock).map_err(with_way_out)?;
    if let Err(behind) = check_clock(&clock, store.newest_event_here()?) {
        output::note(format_args!("warning: {behind}"));
    }
    let window = Window::ending_at(clock.now(), args.look_back_hours);
    let question = Question { store: &store, organization, window, look_back: args.look_back_hours };
    match args.ips.as_slice() {
        [text] if text != "-" && args.format() == Format::Table => {
            // What has to be written out is no IP: then this is what the message shows.
            let details = Details::of(Visible(text).to_string().parse()?, &question)?;
            output::result(details.text(args.all_devices)?)?;
            Ok(ExitCode::SUCCESS)
        }
        _ => print(args, &question, &config),
    }
}

fn print(args: &StatsArgs, question: &Question<'_>, config: &Config) -> anyhow::Result<ExitCode> {
    let format = args.format();
    // A table can say more about an unknown IP than the API.
    let unknown_ip = if format == Format::Table { UnknownIp::NotFound } else { config.unknown_ip };
    let url = config.base_url();
    let mut printer = Printer::new(format, FirstEver::Shown)?;
    for text in texts(args.ips.clone()) {
        let asked = text?;
        let (found, first_ever) = match asked.parse::<CanonicalIp>() {
            Ok(ip) => {
                let answer = Answer::new(ip, question.statistics(ip)?, unknown_ip);
                (answer.map(|answer| answer.with_context(&url)), question.first_ever(ip)?)
            }
            Err(invalid) => (Err(invalid.into()), None),
        };
        printer.print(&Entry { asked, found: found.map_err(Into::into), first_ever })?;
    }
    printer.finish()
}

/// A folder in use is most likely a service's: it can be asked instead.
fn with_way_out(error: OpenStoreError) -> anyhow::Error {
    if !error.is_in_use() {
        return error.into();
    }
    anyhow!(
        "{error}; if that is `ipstats serve`, ask it over HTTP: \
         IPSTATS_TOKEN=$(ipstats token) ipstats stats --server URL …"
    )
}
