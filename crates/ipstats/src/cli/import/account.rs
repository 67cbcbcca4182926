//! What an import says at its end: the account of every record, for people or for programs.

use super::bar::rate;
use crate::cli::output;
use crate::client::LogAnswer;
use crate::ingest::{Outcomes, Report};
use crate::numbers::grouped;
use crate::visible::Visible;
use ipstats_formats::NotAConnection;
use ipstats_model::Organization;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};
use std::time::Duration;

/// How many malformed records are shown with their place.
const PLACES_MAX: usize = 5;

/// What became of every record, and how long it took.
#[derive(Default)]
pub(super) struct Account {
    counts: Counts,
    /// Parts of what lies outside retention, where they are known.
    outside: Vec<(u64, &'static str)>,
    /// The first malformed records, as `file:line: what is wrong`.
    places: Vec<String>,
    elapsed: Duration,
}

/// The object that `--json` prints.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    counted: u64,
    not_a_connection: BTreeMap<String, u64>,
    outside_retention: u64,
    malformed: u64,
    organization: Option<String>,
    newest_event: Option<String>,
    oldest_event: Option<String>,
    /// What is odd about logs, although their records were read: `log: what`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Account {
    /// The account of an import into the data folder.
    pub(super) fn of_report(report: &Report, organization: Organization, elapsed: Duration) -> Self {
        let (tally, recorded) = (report.tally(), report.recorded);
        let warnings = report.sources.iter().filter_map(|log| Some((&log.source, log.warning.as_ref()?)));
        let outcomes = Outcomes::new(&tally, recorded);
        let reasons = outcomes.not_a_connection().map(|(reason, count)| (reason.name().to_owned(), count));
        let counts = Counts {
            counted: outcomes.counted,
            not_a_connection: reasons.collect(),
            outside_retention: outcomes.outside_retention,
            malformed: outcomes.malformed,
            organization: Some(organization.to_string()),
            newest_event: tally.newest().map(|time| time.to_string()),
            oldest_event: tally.oldest().map(|time| time.to_string()),
            warnings: warnings.map(|(source, warning)| format!("{source}: {warning}")).collect(),
        };
        let outside =
            vec![(recorded.too_old, "older than 30 days"), (recorded.too_far_ahead, "in the future")];
        let mut account = Self { counts, outside, elapsed, ..Self::default() };
        for log in &report.sources {
            let issues = log.tally.issues().iter().map(|issue| (issue.line, &issue.problem));
            account.add_places(&log.source, issues);
        }
        account
    }

    /// Adds what a service says about one log.
    pub(super) fn add(&mut self, source: &impl Display, answer: LogAnswer) {
        let counts = &mut self.counts;
        counts.counted += answer.counted;
        for (reason, count) in answer.not_a_connection {
            *counts.not_a_connection.entry(reason).or_default() += count;
        }
        counts.outside_retention += answer.outside_retention;
        counts.malformed += answer.malformed;
        counts.organization = answer.organization.or(counts.organization.take());
        // In this form, times are in the order of their texts.
        counts.newest_event = counts.newest_event.take().max(answer.newest_event);
        counts.oldest_event = match (counts.oldest_event.take(), answer.oldest_event) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        counts.warnings.extend(answer.note.map(|note| format!("{source}: {}", Visible(note))));
        self.add_places(source, answer.issues.iter().map(|issue| (issue.line, &issue.problem)));
    }

    /// Adds what is odd about one log.
    pub(super) fn warn(&mut self, source: &impl Display, warning: &impl Display) {
        self.counts.warnings.push(format!("{source}: {warning}"));
    }

    /// Sets how long it took.
    pub(super) fn took(self, elapsed: Duration) -> Self {
        Self { elapsed, ..self }
    }

    /// Prints it: one JSON object on one line, or some lines for a person.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            self.shown_places().iter().for_each(output::note);
            output::json(&serde_json::to_string(&self.counts)?)?;
        } else {
            output::result(self.text()?)?;
        }
        Ok(())
    }

    fn add_places(&mut self, source: &impl Display, issues: impl Iterator<Item = (u64, impl Display)>) {
        let room = PLACES_MAX.saturating_sub(self.places.len());
        let places =
            issues.take(room).map(|(line, problem)| format!("{source}:{line}: {}", Visible(problem)));
        self.places.extend(places);
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let counts = &self.counts;
        let mut text = String::new();
        line(&mut text, "counted", counts.counted, "connections")?;
        line(&mut text, "not a connection", counts.not_a_connection.values().sum(), "")?;
        for (reason, count) in self.reasons() {
            line(&mut text, "", count, reason)?;
        }
        line(&mut text, "outside retention", counts.outside_retention, "")?;
        for (count, why) in self.outside.iter().filter(|(count, _)| *count > 0) {
            line(&mut text, "", *count, why)?;
        }
        line(&mut text, "malformed", counts.malformed, "")?;
        for place in self.shown_places() {
            writeln!(text, "  {place}")?;
        }
        if let (Some(oldest), Some(newest)) = (&counts.oldest_event, &counts.newest_event) {
            writeln!(text, "events from {oldest} to {newest}")?;
        }
        if let Some(organization) = &counts.organization {
            write!(text, "organization {organization}, ")?;
        }
        write!(text, "{:.1} s, {}", self.elapsed.as_secs_f64(), rate(self.records(), self.elapsed))?;
        Ok(text)
    }

    /// The reasons why records are no connections in words, in the order of reports; those of a service that knows more
    /// come last, by name.
    fn reasons(&self) -> Vec<(&str, u64)> {
        let counts = &self.counts.not_a_connection;
        let known = NotAConnection::ALL.iter();
        let known = known.filter_map(|reason| Some((reason.text(), *counts.get(reason.name())?)));
        let is_unknown = |name: &str| NotAConnection::ALL.iter().all(|reason| reason.name() != name);
        let others = counts.iter().filter(|(name, _)| is_unknown(name));
        known.chain(others.map(|(name, count)| (name.as_str(), *count))).collect()
    }

    fn records(&self) -> u64 {
        let Counts { counted, not_a_connection, outside_retention, malformed, .. } = &self.counts;
        counted + not_a_connection.values().sum::<u64>() + outside_retention + malformed
    }

    fn shown_places(&self) -> Vec<String> {
        let mut places = self.places.clone();
        let more = self.counts.malformed.saturating_sub(places.len() as u64);
        if more > 0 {
            places.push(format!("and {} more", grouped(more)));
        }
        places
    }
}

fn line(text: &mut String, label: &str, count: u64, explanation: &str) -> fmt::Result {
    let line = format!("{label:<18}{:>13}  {explanation}", grouped(count));
    writeln!(text, "{}", line.trim_end())
}
