//! Metrics of each source. Their labels are names of the configuration, outcomes, and reasons of a closed list.

use crate::sources::{OutcomesReport, SourceReport};
use ipstats_model::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
    kind: String,
    organization: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecordLabels {
    source: String,
    kind: String,
    organization: String,
    outcome: &'static str,
    /// Why the records are no connections; empty for other outcomes.
    reason: String,
}

/// Registers the metrics of `sources`.
pub(super) fn register(ours: &mut Registry, sources: &[SourceReport]) {
    let records = Family::<RecordLabels, Counter>::default();
    let [refused, dropped, pauses] = std::array::from_fn(|_| Family::<SourceLabels, Counter>::default());
    let [running, newest, lag, bytes, backlog] =
        std::array::from_fn(|_| Family::<SourceLabels, Gauge>::default());
    for report in sources {
        let labels = SourceLabels::of(report);
        count(&records, &labels, &report.since_start);
        refused.get_or_create(&labels).inc_by(report.refused);
        dropped.get_or_create(&labels).inc_by(report.dropped);
        pauses.get_or_create(&labels).inc_by(report.pauses);
        running.get_or_create(&labels).set((report.state == "running").into());
        let second = report.newest_event.as_ref().and_then(|newest| newest.parse::<Timestamp>().ok());
        let states = [
            (&newest, second.map(Timestamp::second)),
            (&lag, report.lag_seconds.map(gauge)),
            (&bytes, report.backlog_bytes.map(gauge)),
            (&backlog, report.backlog_records.map(gauge)),
        ];
        for (family, value) in states {
            if let Some(value) = value {
                family.get_or_create(&labels).set(value);
            }
        }
    }
    ours.register("source_records", "Records of a source that were read, by what became of them", records);
    ours.register("source_refused", "What senders sent that a source does not admit", refused);
    ours.register("source_dropped_datagrams", "Datagrams that the system dropped unread", dropped);
    ours.register("source_accept_pauses", "Times that no connection could be taken in", pauses);
    ours.register("source_running", "Whether nothing hinders a source: 1, or 0", running);
    ours.register_with_unit(
        "source_newest_event_timestamp",
        "Time of the newest connection of a source, since the epoch",
        Unit::Seconds,
        newest,
    );
    ours.register_with_unit(
        "source_lag",
        "How long ago the newest connection of a source was",
        Unit::Seconds,
        lag,
    );
    ours.register_with_unit("source_backlog", "What is still to be read of files", Unit::Bytes, bytes);
    ours.register("source_backlog_records", "What is still to be read of a topic", backlog);
}

fn count(records: &Family<RecordLabels, Counter>, labels: &SourceLabels, outcomes: &OutcomesReport) {
    let add = |outcome, reason: &str, count| {
        let SourceLabels { source, kind, organization } = labels.clone();
        let labels = RecordLabels { source, kind, organization, outcome, reason: reason.to_owned() };
        records.get_or_create(&labels).inc_by(count);
    };
    add("counted", "", outcomes.counted);
    add("outside_retention", "", outcomes.outside_retention);
    add("malformed", "", outcomes.malformed);
    for (reason, count) in &outcomes.not_a_connection {
        add("not_a_connection", reason, *count);
    }
}

impl SourceLabels {
    fn of(report: &SourceReport) -> Self {
        Self {
            source: report.name.clone(),
            kind: report.kind.clone(),
            organization: report.organization.clone(),
        }
    }
}

/// Figures beyond 63 bits there are none.
fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
