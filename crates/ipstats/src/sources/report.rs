//! What the operator is told of each source, as JSON: the service writes it, `ipstats sources` reads it.
//!
//! Fields may be added, none is renamed.

use super::account::{Account, Backlog, State, Statement};
use crate::config::{IngestSource, SourceEntry, SourceKind};
use crate::ingest::Outcomes;
use ipstats_model::{Organization, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind of what sends its logs in itself.
const INGEST_KEY: &str = "ingest-key";

/// All sources of a service at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesReport {
    /// Those that the service fetches, then the ingest keys, each in the order of the configuration.
    pub sources: Vec<SourceReport>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceReport {
    /// What people call it.
    pub name: String,
    /// `files`, `kafka`, `event-hubs`, …, or `ingest-key`.
    pub kind: String,
    /// The id of whose data it brings.
    pub organization: String,
    /// Of its records, as configured.
    pub format: String,
    /// How it is: `running`, `retrying` or `failed`.
    pub state: String,
    /// What hinders it.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<String>,
    /// What is odd about its data, although the records were read.
    #[serde(default)]
    pub warning: Option<String>,
    /// Time of its newest connection, inside retention or not.
    pub newest_event: Option<String>,
    /// How long ago that was, in seconds.
    pub lag_seconds: Option<u64>,
    /// What is still to be read, in bytes as they are stored.
    pub backlog_bytes: Option<u64>,
    /// What is still to be read, in records.
    pub backlog_records: Option<u64>,
    /// Datagrams and connections of senders that are not admitted, or uploads without room, since the service began.
    pub refused: u64,
    /// Datagrams that the system dropped because they came faster than they were read, since the service began.
    pub dropped: u64,
    /// Times that no connection could be taken in, because the process has no file descriptor left or the like, since the
    /// service began.
    #[serde(default)]
    pub pauses: u64,
    /// Records of the last 60 seconds.
    pub last_minute: OutcomesReport,
    /// Records of the last 60 minutes.
    pub last_hour: OutcomesReport,
    /// Records since the service began.
    pub since_start: OutcomesReport,
    /// Why no record of the last hour counts, where that is so.
    pub none_counts: Option<String>,
    /// What to do, where some count and most of the last hour's end in one reason.
    #[serde(default)]
    pub advice: Option<String>,
}

/// How many records ended where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomesReport {
    /// Durable and answerable.
    pub counted: u64,
    /// No connections that a device of the organization opened, by reason.
    pub not_a_connection: BTreeMap<String, u64>,
    /// Too old, or too far in the future.
    pub outside_retention: u64,
    /// Could not be read.
    pub malformed: u64,
}

/// Which times it is: of what happens, and of the data.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Of what happens.
    pub now: Timestamp,
    /// Of the data, which an operator may have pinned.
    pub data_now: Timestamp,
}

/// What tells a source from others.
#[derive(Debug, Clone, Copy)]
struct Label<'a> {
    name: &'a str,
    kind: &'static str,
    organization: Organization,
    format: &'static str,
}

impl SourceReport {
    /// Of a source that the service fetches.
    pub fn of_entry(entry: &SourceEntry, account: &Account, moment: Moment) -> Self {
        let SourceEntry { name, organization, format, .. } = entry;
        let (kind, organization) = (entry.kind.name(), *organization);
        // Datagrams of flows are their own format.
        let format = if let SourceKind::Netflow(_) = entry.kind { kind } else { format.name() };
        Self::new(Label { name, kind, organization, format }, account.statement(moment.now), moment)
    }

    /// Of an ingest key. It has failed where its last log was not taken to its end.
    pub fn of_key(key: &IngestSource, account: &Account, moment: Moment) -> Self {
        let IngestSource { name, organization, format, .. } = key;
        let mut statement = account.statement(moment.now);
        if let Some((_, reason)) = &mut statement.trouble {
            statement.state = State::Failed;
            *reason = format!("the last log that came: {reason}");
        }
        let (organization, format) = (*organization, format.name());
        Self::new(Label { name, kind: INGEST_KEY, organization, format }, statement, moment)
    }

    fn new(label: Label<'_>, statement: Statement, moment: Moment) -> Self {
        let lag = |newest: Timestamp| moment.data_now.second().saturating_sub(newest.second());
        let (since, reason) = statement.trouble.map(|(since, reason)| (since.to_string(), reason)).unzip();
        let (bytes, records) = match statement.backlog {
            None => (None, None),
            Some(Backlog::Bytes(bytes)) => (Some(bytes), None),
            Some(Backlog::Records(records)) => (None, Some(records)),
        };
        Self {
            name: label.name.to_owned(),
            kind: label.kind.to_owned(),
            organization: label.organization.to_string(),
            format: label.format.to_owned(),
            state: statement.state.name().to_owned(),
            reason,
            since,
            warning: statement.warning,
            newest_event: statement.newest_event.map(|newest| newest.to_string()),
            // A sensor's clock may be ahead.
            lag_seconds: statement.newest_event.map(|newest| u64::try_from(lag(newest)).unwrap_or_default()),
            backlog_bytes: bytes,
            backlog_records: records,
            refused: statement.unread.refused,
            dropped: statement.unread.dropped,
            pauses: statement.unread.pauses,
            last_minute: OutcomesReport::of(&statement.last_minute),
            last_hour: OutcomesReport::of(&statement.last_hour),
            since_start: OutcomesReport::of(&statement.total),
            none_counts: statement.none_counts,
            advice: statement.advice,
        }
    }
}

impl OutcomesReport {
    fn of(outcomes: &Outcomes) -> Self {
        let reasons = outcomes.not_a_connection();
        Self {
            counted: outcomes.counted,
            not_a_connection: reasons.map(|(reason, count)| (reason.name().to_owned(), count)).collect(),
            outside_retention: outcomes.outside_retention,
            malformed: outcomes.malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipstats_formats::Tally;
    use ipstats_model::Recorded;

    #[test]
    fn a_report_is_read_back_and_a_clock_that_is_ahead_is_no_lag() {
        let (account, now) = (Account::default(), Timestamp::from_second(1_700_000_000));
        account.add(&Tally::default(), Recorded { counted: 3, too_old: 1, too_far_ahead: 0 }, now);
        account.set_backlog(Backlog::Bytes(7));
        account.trouble("no file".into(), now);
        let label = Label {
            name: "zeek",
            kind: "files",
            organization: Organization::from_bytes([1; 16]),
            format: "zeek",
        };
        let statement = Statement { newest_event: Some(now.plus_seconds(90)), ..account.statement(now) };
        let report = SourceReport::new(label, statement, Moment { now, data_now: now });
        assert_eq!(
            (report.lag_seconds, report.backlog_bytes, report.backlog_records),
            (Some(0), Some(7), None)
        );
        assert_eq!((report.state.as_str(), report.reason.as_deref()), ("retrying", Some("no file")));
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<SourceReport>(&text).unwrap(), report);
    }
}
