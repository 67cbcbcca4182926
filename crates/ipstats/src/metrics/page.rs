//! The page of metrics, in the text form of OpenMetrics.

use super::{IssuerLabels, LeftOutLabels, ResultLabels};
use super::{Metrics, process, sources};
use crate::audit::AuditFigures;
use crate::auth::IssuerFigures;
use crate::sources::SourceReport;
use crate::store::{Figure, FigureKind};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;

/// What is asked for when a page is made.
#[derive(Debug, Clone, Default)]
pub struct States {
    /// Whether records are acknowledged.
    pub is_accepting: bool,
    /// Of the store; none while it cannot be asked.
    pub store: Vec<Figure>,
    /// Of the audit log, where there is one.
    pub audit: Option<AuditFigures>,
    /// Callers whose calls are counted.
    pub callers: usize,
    /// Whether calls are counted together with the other replicas now; nothing where they never are.
    pub are_limits_shared: Option<bool>,
    /// Tokens that were looked at, by the result: `verified`, `remembered`, or why they were refused.
    pub tokens: Vec<(&'static str, u64)>,
    /// Of each outside issuer.
    pub issuers: Vec<IssuerFigures>,
    /// Of each source.
    pub sources: Vec<SourceReport>,
}

impl Metrics {
    /// The page.
    pub fn page(&self, states: &States) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        register_process(&mut registry, self.started_unix_millis);
        let registry = {
            let ours = registry.sub_registry_with_prefix("ipstats");
            self.register_counts(ours);
            register_states(ours, states);
            register_auth(ours, states);
            sources::register(ours, &states.sources);
            &registry
        };
        let mut text = String::new();
        encode(&mut text, registry)?;
        Ok(text)
    }

    fn register_counts(&self, ours: &mut Registry) {
        ours.register(
            "http_requests",
            "Requests by what was asked and the status of the answer; 499: the client went away",
            self.requests.clone(),
        );
        let help = "Time from the head of a request to the head of its answer";
        ours.register_with_unit("http_request_duration", help, Unit::Seconds, self.latencies.clone());
        ours.register(
            "rate_limited_calls",
            "Calls that were refused because their application called too often",
            self.rate_limited.clone(),
        );
        ours.register(
            "ingest_records",
            "Records that were sent in over HTTP and read to the end, by what became of them",
            self.records.clone(),
        );
        ours.register("build", "This program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }
}

fn register_process(registry: &mut Registry, started_unix_millis: i64) {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch fit 53 bits")]
    let started = ConstGauge::new(started_unix_millis as f64 / 1000.0);
    registry.register_with_unit(
        "process_start_time",
        "When the process began, since the epoch",
        Unit::Seconds,
        started,
    );
    if let Some(bytes) = process::resident_memory_bytes() {
        registry.register_with_unit(
            "process_resident_memory",
            "Memory that is really there",
            Unit::Bytes,
            gauge(bytes),
        );
    }
    if let Some(files) = process::open_files() {
        registry.register("process_open_fds", "File descriptors in use", gauge(files));
    }
}

fn register_states(ours: &mut Registry, states: &States) {
    ours.register(
        "store_accepting",
        "Whether records are acknowledged: 1, or 0",
        gauge(states.is_accepting.into()),
    );
    for figure in &states.store {
        register_figure(ours, figure);
    }
    ours.register("rate_limit_callers", "Callers whose calls are counted", gauge(states.callers as u64));
    if let Some(are_shared) = states.are_limits_shared {
        ours.register(
            "rate_limits_shared",
            "Whether calls are counted together with the other replicas: 1, or 0 while each admits its part of the limits",
            gauge(are_shared.into()),
        );
    }
    let Some(audit) = states.audit else { return };
    ours.register(
        "audit_lines_written",
        "Lines of the audit log that were written",
        ConstCounter::new(audit.written),
    );
    ours.register(
        "audit_lines_lost",
        "Lines of the audit log that were given up when it was closed",
        ConstCounter::new(audit.lost),
    );
    ours.register(
        "audit_write_failures",
        "Attempts to write the audit log that failed",
        ConstCounter::new(audit.failures),
    );
    ours.register(
        "audit_lines_waiting",
        "Lines of the audit log that wait, and requests under way",
        gauge(audit.waiting),
    );
}

fn register_figure(ours: &mut Registry, figure: &Figure) {
    let Figure { name, help, kind, value } = *figure;
    match kind {
        FigureKind::Bytes => ours.register_with_unit(name, help, Unit::Bytes, gauge(value)),
        FigureKind::Level => ours.register(name, help, gauge(value)),
        FigureKind::Count => ours.register(name, help, ConstCounter::new(value)),
    }
}

fn register_auth(ours: &mut Registry, states: &States) {
    let tokens = Family::<ResultLabels, Counter>::default();
    for (result, count) in states.tokens.iter().copied() {
        tokens.get_or_create(&ResultLabels { result }).inc_by(count);
    }
    ours.register("auth_tokens", "Tokens that were looked at, by what came of it", tokens);
    let (fetches, failures) = <(Family<IssuerLabels, Counter>, Family<IssuerLabels, Counter>)>::default();
    let (keys, ages) = <(Family<IssuerLabels, Gauge>, Family<IssuerLabels, Gauge>)>::default();
    let left_out = Family::<LeftOutLabels, Gauge>::default();
    for figures in &states.issuers {
        for (reason, count) in &figures.keys_left_out {
            let labels = LeftOutLabels { issuer: figures.name.clone(), reason };
            left_out.get_or_create(&labels).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        let issuer = IssuerLabels { issuer: figures.name.clone() };
        fetches.get_or_create(&issuer).inc_by(figures.fetches);
        failures.get_or_create(&issuer).inc_by(figures.fetches_failed);
        keys.get_or_create(&issuer).set(i64::try_from(figures.keys).unwrap_or(i64::MAX));
        if let Some(age) = figures.keys_age_seconds {
            ages.get_or_create(&issuer).set(age);
        }
    }
    ours.register("issuer_keys", "Keys of an outside issuer that tokens may be signed with", keys);
    ours.register(
        "issuer_keys_left_out",
        "Keys of an outside issuer that are not used, by the reason",
        left_out,
    );
    ours.register_with_unit("issuer_keys_age", "How long ago they were fetched", Unit::Seconds, ages);
    ours.register("issuer_fetches", "How often fetching them was begun", fetches);
    ours.register("issuer_fetch_failures", "How often that failed", failures);
}

/// Figures beyond 63 bits there are none.
fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}
