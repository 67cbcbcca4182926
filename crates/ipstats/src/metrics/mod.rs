//! What Prometheus fetches: counts and times of requests, and the state of what answers them.
//!
//! Counts are kept here, as they happen. States are asked for when a page is made ([`States`]), so that a request pays
//! for none of them. Labels have few values by construction: operations, statuses, organizations of the configuration;
//! never an address, a path or anything else a client could make up.

mod page;
mod process;
mod sources;

pub use page::States;

use crate::operation::Operation;
use ipstats_model::Organization;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::sync::OnceLock;
use std::time::Duration;

/// The status of most answers.
const OK: u16 = 200;

/// Upper bounds of the buckets of latencies, in seconds: from an answer out of memory to the longest wait there is.
const LATENCY_SECONDS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Counts since the process began; a reload does not reset them.
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    latencies: Family<OperationLabels, Histogram, fn() -> Histogram>,
    /// The same, by the index of the operation.
    latencies_by_index: [Histogram; Operation::ALL.len()],
    /// The requests that were answered as most are, by the index of the operation.
    fine_by_index: [OnceLock<Counter>; Operation::ALL.len()],
    rate_limited: Family<OrganizationLabels, Counter>,
    records: Family<RecordLabels, Counter>,
    started_unix_millis: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OrganizationLabels {
    organization: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecordLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeftOutLabels {
    issuer: String,
    reason: &'static str,
}

impl Metrics {
    /// Nothing happened yet; the process began at `unix_millis`.
    pub fn new(unix_millis: i64) -> Self {
        let latencies: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(LATENCY_SECONDS));
        Self {
            requests: Family::default(),
            latencies_by_index: Operation::ALL.map(|operation| {
                latencies.get_or_create_owned(&OperationLabels { operation: operation.name() })
            }),
            latencies,
            fine_by_index: Default::default(),
            rate_limited: Family::default(),
            records: Family::default(),
            started_unix_millis: unix_millis,
        }
    }

    /// Counts a request that was answered with `status`; 499 stands for a client that went away before.
    pub fn count_request(&self, operation: Operation, status: u16, latency: Duration) {
        let labels = RequestLabels { operation: operation.name(), status: status.into() };
        match self.fine_by_index.get(operation as usize) {
            Some(fine) if status == OK => {
                fine.get_or_init(|| self.requests.get_or_create_owned(&labels)).inc();
            }
            _ => _ = self.requests.get_or_create(&labels).inc(),
        }
        if let Some(latencies) = self.latencies_by_index.get(operation as usize) {
            latencies.observe(latency.as_secs_f64());
        }
    }

    /// Counts a call that was refused because its application called too often.
    pub fn count_rate_limited(&self, organization: Organization) {
        self.rate_limited.get_or_create(&OrganizationLabels { organization: organization.to_string() }).inc();
    }

    /// Counts records that were sent in, by what became of them.
    pub fn count_records(&self, outcome: &'static str, records: u64) {
        self.records.get_or_create(&RecordLabels { outcome }).inc_by(records);
    }
}
