//! What an import says at its end: the account of every record, for people or for programs.

use super::bar::rate;
use crate::ingest::Report;
use crate::visible::Visible;
use ipstats_model::Organization;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

/// How many malformed records are shown with their place.
const PLACES_MAX: usize = 5;

/// A finished import.
pub(super) struct Summary<'a> {
    pub(super) report: &'a Report,
    pub(super) organization: Organization,
    pub(super) elapsed: Duration,
}

/// The object that `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    counted: u64,
    not_a_connection: BTreeMap<&'static str, u64>,
    outside_retention: u64,
    malformed: u64,
    organization: String,
    newest_event: Option<String>,
    oldest_event: Option<String>,
}

impl Summary<'_> {
    /// One JSON object on one line.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let (tally, recorded) = (self.report.tally(), self.report.recorded);
        serde_json::to_string(&Wire {
            counted: recorded.counted,
            not_a_connection: tally
                .not_a_connection()
                .map(|(reason, count)| (reason.name(), count))
                .collect(),
            outside_retention: recorded.too_old + recorded.too_far_ahead,
            malformed: tally.malformed(),
            organization: self.organization.to_string(),
            newest_event: tally.newest().map(|time| time.to_string()),
            oldest_event: tally.oldest().map(|time| time.to_string()),
        })
    }

    /// A few lines for a person.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let (tally, recorded) = (self.report.tally(), self.report.recorded);
        let mut text = String::new();
        line(&mut text, "counted", recorded.counted, "connections")?;
        let reasons: Vec<_> = tally.not_a_connection().collect();
        line(&mut text, "not a connection", reasons.iter().map(|(_, count)| count).sum(), "")?;
        for (reason, count) in reasons {
            line(&mut text, "", count, reason.text())?;
        }
        line(&mut text, "outside retention", recorded.too_old + recorded.too_far_ahead, "")?;
        for (count, why) in
            [(recorded.too_old, "older than 30 days"), (recorded.too_far_ahead, "in the future")]
        {
            if count > 0 {
                line(&mut text, "", count, why)?;
            }
        }
        line(&mut text, "malformed", tally.malformed(), "")?;
        for place in self.places() {
            writeln!(text, "  {place}")?;
        }
        if let (Some(oldest), Some(newest)) = (tally.oldest(), tally.newest()) {
            writeln!(text, "events from {oldest} to {newest}")?;
        }
        let rate = rate(tally.records(), self.elapsed);
        write!(text, "organization {}, {:.1} s, {rate}", self.organization, self.elapsed.as_secs_f64())?;
        Ok(text)
    }

    /// Where the first malformed records are, as `file:line: what is wrong`.
    pub(super) fn places(&self) -> Vec<String> {
        let logs = &self.report.sources;
        let mut places: Vec<String> = logs
            .iter()
            .flat_map(|log| log.tally.issues().iter().map(move |issue| (&log.source, issue)))
            .take(PLACES_MAX)
            .map(|(source, issue)| format!("{source}:{}: {}", issue.line, Visible(&issue.problem)))
            .collect();
        let malformed: u64 = logs.iter().map(|log| log.tally.malformed()).sum();
        let more = malformed.saturating_sub(places.len() as u64);
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

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }
}
