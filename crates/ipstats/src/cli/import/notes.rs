//! What there is to say about an import beside its result: what went wrong, why nothing was counted, and what to do.

use crate::clock::Clock;
use crate::ingest::{OtherFormat, Outcomes, Report, Source, SourceError, SourceReport};
use ipstats_formats::{FormatChoice, NotAConnection, StreamError};
use ipstats_model::limits::CLOCK_AHEAD_SECONDS_MAX;
use ipstats_model::{Admission, Organization, Recorded, Timestamp, admission};

/// How many logs of which nothing was counted are named, for each reason.
const LOGS_MAX: usize = 5;

/// The notes about `report` of logs that were read as `format`. `newest_stored` is the newest event in the store: no clock may be pinned before it.
pub(super) fn notes(
    report: &Report,
    format: FormatChoice,
    organization: Organization,
    clock: &Clock,
    newest_stored: Option<Timestamp>,
) -> Vec<String> {
    let mut notes: Vec<String> = report
        .sources
        .iter()
        .filter_map(|log| log.failure.as_ref().map(|failure| format!("error: {}: {failure}", log.source)))
        .collect();
    let warnings = report.sources.iter().filter_map(|log| Some((&log.source, log.warning.as_ref()?)));
    notes.extend(warnings.map(|(source, warning)| format!("warning: {source}: {warning}")));
    let outside = report.sources.iter().filter_map(|log| outside_retention(log, clock, newest_stored));
    notes.extend(outside.take(LOGS_MAX));
    let nothing = report.sources.iter().filter(|log| log.tally.connections() == 0 && !is_told(log));
    notes.extend(nothing.filter_map(|log| of_another_format(&log.source, format)).take(LOGS_MAX));
    let advice = report.sources.iter().filter_map(|log| Some((&log.source, advice(log)?)));
    notes.extend(advice.take(LOGS_MAX).map(|(source, advice)| format!("note: {source}: {advice}")));
    let foreign = report.sources.iter().filter_map(|log| of_another_tenant(log, organization));
    notes.extend(foreign.take(LOGS_MAX));
    if let Some(failure) = &report.failure {
        notes.push(format!(
            "error: stopped: {failure}; what was counted is safe: once that is solved, import everything again, \
             nothing is counted twice"
        ));
    } else if !report.complete {
        notes.push(
            "error: interrupted: what was counted is safe; run the same command again to import the rest, nothing is \
             counted twice"
                .to_owned(),
        );
    }
    notes
}

/// Whether the failure of a log says which format it seems to have.
const fn is_told(log: &SourceReport) -> bool {
    matches!(&log.failure, Some(SourceError::Content(StreamError::NotRecognized { .. })))
}

/// Which format to name, where a log of which nothing was counted seems to have another one than it was read as.
pub(super) fn of_another_format(source: &Source, format: FormatChoice) -> Option<String> {
    let other = OtherFormat::of_source(source, format)?;
    Some(format!("note: {}; pass --format {} or auto", other.about(source), other.looks_like))
}

/// What to do, where most of a log ends in one reason; another tenant's log has its own note.
fn advice(log: &SourceReport) -> Option<String> {
    let recorded = Recorded { counted: log.tally.connections(), ..Recorded::default() };
    let is_foreign = log.tally.not_a_connection().any(|(reason, _)| reason == NotAConnection::OtherTenant);
    if is_foreign { None } else { Outcomes::new(&log.tally, recorded).advice() }
}

/// Why nothing of a log was counted, where all of it lies outside retention, and the `--as-of` that fits.
fn outside_retention(log: &SourceReport, clock: &Clock, newest_stored: Option<Timestamp>) -> Option<String> {
    let now = clock.now();
    let (oldest, newest) = (log.tally.oldest()?, log.tally.newest()?);
    let why = match (admission(oldest, now), admission(newest, now)) {
        (_, Admission::TooOld) => format!("its newest event is of {newest}, more than 30 days"),
        (Admission::TooFarAhead, _) => format!("its oldest event is of {oldest}, more than 5 minutes"),
        _ => return None,
    };
    let side = if newest < now { "before" } else { "ahead of" };
    let the_clock = match clock.pinned() {
        Some(pinned) => format!("the pinned {pinned}"),
        None => format!("now, {now}"),
    };
    let refused = newest_stored.is_some_and(|stored| stored > newest.plus_seconds(CLOCK_AHEAD_SECONDS_MAX));
    let elsewhere =
        if refused { " and a --data-dir of its own, because this one holds later data" } else { "" };
    Some(format!(
        "note: nothing of {} was counted: {why} {side} {the_clock}; to import it as of its own time, use \
         --as-of {newest}{elsewhere}",
        log.source
    ))
}

/// Whose a log is, where nothing of it was counted because all of its network events are of another tenant.
fn of_another_tenant(log: &SourceReport, organization: Organization) -> Option<String> {
    let reasons: Vec<_> = log.tally.not_a_connection().map(|(reason, _)| reason).collect();
    let all_foreign = log.tally.connections() == 0
        && reasons.contains(&NotAConnection::OtherTenant)
        && reasons
            .iter()
            .all(|reason| matches!(reason, NotAConnection::OtherTenant | NotAConnection::OtherEvent));
    if !all_foreign {
        return None;
    }
    let (whose, way_out) = match log.tally.other_tenant() {
        Some(tenant) => (
            format!("tenant {tenant}"),
            format!("import it with an organization declared as [[organizations]] id = \"{tenant}\""),
        ),
        None => (
            "another tenant".to_owned(),
            "declare that tenant under [[organizations]] and import it".to_owned(),
        ),
    };
    Some(format!(
        "note: nothing of {} was counted: its records are of {whose}, and the organization is {organization}; {way_out}",
        log.source
    ))
}
