//! Sources as a table: two rows each, for the last minute and the last hour, and below them what there is to say.

use crate::config::OrganizationEntry;
use crate::numbers::{bytes, grouped, span};
use crate::sources::{OutcomesReport, SourceReport};
use crate::visible::Visible;
use ipstats_formats::NotAConnection;

/// Characters of a name that are shown; all of it is in the JSON.
const NAME_CHARS_MAX: usize = 24;

const COLUMNS: usize = 10;

const HEADING: [&str; COLUMNS] =
    ["SOURCE", "KIND", "FORMAT", "STATE", "LAG", "LAST", "COUNTED", "NO CONN.", "OUTSIDE", "MALFORMED"];

/// Columns of numbers begin here, and stand to the right.
const NUMBERS_FROM: usize = 6;

/// The lines of the table. Organizations are named where there are several.
pub(super) fn lines(sources: &[SourceReport], organizations: &[OrganizationEntry]) -> Vec<String> {
    let rows: Vec<_> = sources.iter().map(rows).collect();
    let all = || std::iter::once(HEADING.map(str::to_owned)).chain(rows.iter().flatten().cloned());
    let width = |column: usize| {
        all().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or_default()
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut lines = vec![line(&HEADING.map(str::to_owned), &widths)];
    for (source, rows) in sources.iter().zip(&rows) {
        lines.extend(rows.iter().map(|row| line(row, &widths)));
        lines.extend(remarks(source, organizations).iter().map(|remark| format!("  {}", Visible(remark))));
    }
    lines
}

fn rows(source: &SourceReport) -> [[String; COLUMNS]; 2] {
    let name = match source.name.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", source.name.get(..end).unwrap_or_default()),
        None => source.name.clone(),
    };
    let lag = source.lag_seconds.map_or_else(|| "-".to_owned(), span);
    let state =
        [Visible(name).to_string(), source.kind.clone(), source.format.clone(), source.state.clone(), lag];
    let row = |beginning: [String; 5], last: &str, outcomes: &OutcomesReport| {
        let mut cells = beginning.into_iter().chain([last.to_owned()]).chain(numbers(outcomes));
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    };
    [row(state, "minute", &source.last_minute), row(Default::default(), "hour", &source.last_hour)]
}

/// Counted, not a connection, outside retention, malformed.
fn numbers(outcomes: &OutcomesReport) -> [String; 4] {
    let others = outcomes.not_a_connection.values().sum();
    [outcomes.counted, others, outcomes.outside_retention, outcomes.malformed].map(grouped)
}

/// What there is to say about a source in words.
fn remarks(source: &SourceReport, organizations: &[OrganizationEntry]) -> Vec<String> {
    let mut remarks = Vec::new();
    if organizations.len() > 1 {
        let known = organizations.iter().find(|entry| entry.id.to_string() == source.organization);
        let name = known.map_or(source.organization.as_str(), |entry| entry.name.as_str());
        remarks.push(format!("organization {name}"));
    }
    if let Some(reason) = &source.reason {
        let since = source.since.as_ref().map_or_else(String::new, |since| format!(" since {since}"));
        remarks.push(format!("{}{since}: {reason}", source.state));
    }
    remarks.extend(source.warning.as_ref().map(|warning| format!("warning: {warning}")));
    let backlog = source.backlog_bytes.filter(|left| *left > 0).map(bytes);
    let backlog = backlog.or_else(|| {
        source.backlog_records.filter(|left| *left > 0).map(|left| format!("{} records", grouped(left)))
    });
    let newest = source.newest_event.as_ref().map(|newest| format!("newest event {newest}"));
    let backlog = backlog.map(|left| format!("{left} still to be read"));
    let told: Vec<_> = newest.into_iter().chain(backlog).collect();
    if !told.is_empty() {
        remarks.push(told.join(", "));
    }
    let unread = [
        (source.refused, "refused"),
        (source.dropped, "datagrams dropped"),
        (source.pauses, "pauses without room for a connection"),
    ];
    for (count, what) in unread.into_iter().filter(|(count, _)| *count > 0) {
        remarks.push(format!("{} {what} since the service began", grouped(count)));
    }
    if let Some(why) = &source.none_counts {
        remarks.push(format!("nothing of the last hour counts: {why}"));
    } else if let Some(parts) = parts(&source.last_hour) {
        remarks.push(format!("last hour: {parts}"));
    }
    remarks.extend(
        source.advice.as_ref().map(|advice| format!("most of the last hour does not count: {advice}")),
    );
    remarks
}

/// What did not count, by reason, the most frequent first.
fn parts(outcomes: &OutcomesReport) -> Option<String> {
    let text = |name: &str| {
        let known = NotAConnection::ALL.into_iter().find(|reason| reason.name() == name);
        known.map_or_else(|| name.to_owned(), |reason| reason.text().to_owned())
    };
    let mut parts: Vec<(u64, String)> =
        outcomes.not_a_connection.iter().map(|(name, count)| (*count, text(name))).collect();
    parts.push((outcomes.outside_retention, "outside retention".to_owned()));
    parts.push((outcomes.malformed, "malformed".to_owned()));
    parts.retain(|(count, _)| *count > 0);
    parts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let parts: Vec<_> = parts.iter().map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn line(row: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        if column >= NUMBERS_FROM { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
