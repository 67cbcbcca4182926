//! Logs into the data folder.

use super::account::Account;
use super::bar::Bar;
use super::{Alias, Count, ImportArgs, notes};
use crate::cli::{first_start_note, output};
use crate::config::{Config, no_columns};
use crate::ingest::{Plan, Progress, Source, Stop, StoreSink, ingest, read_aliases};
use crate::store::{Store, check_clock};
use anyhow::Context;
use ipstats_formats::{
    AliasBy, AliasReport, Aliases, CountRule, NotDevice, NotDevices, Originator, Settings,
};
use ipstats_model::Organization;
use std::num::NonZero;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

/// Runs the command.
pub(super) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(&args.store.place.flags())?;
    if let Some(first_start) = config.establish()? {
        first_start_note(&first_start);
    }
    let aliases = args.leases()?;
    args.check_columns()?;
    let organization = config.organization(args.store.organization.as_deref())?;
    let clock = args.store.clock.clock();
    let store = Store::open(&config, &clock)?;
    if let Err(behind) = check_clock(&clock, store.newest_event_here()?) {
        output::note(format_args!("warning: {behind}"));
    }
    let stop = stop_on_signal()?;

    let started = Instant::now();
    let progress = Arc::new(Progress::default());
    let mut bar = Bar::follow(Arc::clone(&progress));
    let sink = StoreSink { store: &store, organization, clock: clock.clone() };
    let (json, format) = (args.json, args.format);
    let report = ingest(args.plan(organization, aliases, config.not_devices), &sink, &progress, &stop);
    bar.finishing();
    let newest_stored = store.newest_event_here().unwrap_or_default();
    let closed = store.close_here();
    drop(bar);

    notes::notes(&report, format, organization, &clock, newest_stored).iter().for_each(output::note);
    let account = Account::of_report(&report, organization, started.elapsed());
    if json || report.read_any() {
        account.print(json)?;
    }
    if report.failure.is_none() {
        closed
            .context("what was counted is safe in the journal, but it could not be written into the index")?;
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl ImportArgs {
    /// The leases of the logs named by `--aliases`.
    fn leases(&self) -> anyhow::Result<Option<Arc<Aliases>>> {
        if self.aliases.is_empty() {
            return Ok(None);
        }
        let by = match self.alias_by {
            Alias::Mac => AliasBy::Mac,
            Alias::HostName => AliasBy::HostName,
        };
        let aliases = read_aliases(&self.aliases, by)?;
        let AliasReport { leases, no_lease, malformed, dropped } = aliases.report();
        output::note(format_args!(
            "aliases: {leases} leases; {no_lease} records without one, {malformed} malformed, {dropped} that did not fit"
        ));
        anyhow::ensure!(leases > 0, "there is no lease in --aliases: name a dhcp.log of Zeek");
        Ok(Some(Arc::new(aliases)))
    }

    fn check_columns(&self) -> anyhow::Result<()> {
        let settings = Settings { columns: self.columns.clone(), ..Settings::default() };
        let missing = settings.missing_columns();
        anyhow::ensure!(missing.is_empty(), "--columns: {}", no_columns(&missing));
        Ok(())
    }

    fn plan(
        self,
        organization: Organization,
        aliases: Option<Arc<Aliases>>,
        not_devices: Vec<NotDevice>,
    ) -> Plan {
        let defaults = Settings::default();
        let internal_networks = match self.internal_network {
            none if none.is_empty() => defaults.internal_networks,
            networks => networks.into_iter().map(|network| network.0).collect(),
        };
        let settings = Settings {
            internal_networks,
            originator: if self.originator_is_device {
                Originator::AlwaysDevice
            } else {
                Originator::ByNetworks
            },
            site: self.site,
            count: match self.count {
                Count::Opened => CountRule::Opened,
                Count::Attempted => CountRule::Attempted,
            },
            aliases,
            not_devices: NotDevices::new(not_devices.into_iter().chain(self.not_device)),
            only_tenant: Some(organization),
            columns: self.columns,
            map: self.map,
            ..defaults
        };
        Plan {
            sources: self.files.into_iter().map(Source::named).collect(),
            format: self.format,
            settings,
            workers: workers(),
        }
    }
}

/// One more than there are cores, so that while one waits for the disk the others keep them busy.
fn workers() -> NonZero<usize> {
    available_parallelism().unwrap_or(NonZero::<usize>::MIN).saturating_add(1)
}

/// A stop that SIGINT and SIGTERM request; the second signal ends the process at once.
fn stop_on_signal() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let handle = stop.clone();
    ctrlc::set_handler(move || {
        if handle.request() {
            output::note("stopping: finishing what was read (once more to stop at once)");
        } else {
            // Nothing acknowledged is lost: it is in the journal.
            output::note("stopped at once: the rest of the files was not read; import them again, nothing counts twice");
            process::exit(130);
        }
    })
    .context("signals cannot be handled")?;
    Ok(stop)
}
