//! `POST /api/ingest/{format}`: a log as the body of a request, plain, gzip or zstd.
//!
//! 200 is answered only when all of it is durable. Whatever else is answered, sending it again is safe: what was
//! recorded of it already is not counted twice.

use super::app::App;
use super::body_reader::{forward, pipe};
use super::error::ApiError;
use super::ingest_key::Sender;
use super::openapi::{FormatName, IngestErrors, Log};
use crate::ingest::{EngineSink, UploadError, UploadPlan, UploadReport, upload};
use crate::metrics::Metrics;
use crate::store::StoreError;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use ipstats_engine::Engine;
use ipstats_formats::FormatChoice;
use ipstats_model::Organization;
use serde::Serialize;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest log in one request, in bytes once it is decompressed: 1 GiB.
const LOG_BYTES_MAX: u64 = 1 << 30;

/// What became of the records. The names are those of `ipstats import --json`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IngestAnswer {
    counted: u64,
    not_a_connection: BTreeMap<&'static str, u64>,
    outside_retention: u64,
    malformed: u64,
    organization: String,
    newest_event: Option<String>,
    oldest_event: Option<String>,
    /// Where the first malformed records are.
    issues: Vec<IssueAnswer>,
}

#[derive(Serialize, ToSchema)]
struct IssueAnswer {
    line: u64,
    problem: String,
}

#[utoipa::path(
    post,
    path = "/api/ingest/{format}",
    operation_id = "ingest",
    tag = "ingest",
    summary = "Send a log in",
    description = "Plain, gzip or zstd, which is seen from the content; 1 GiB at most when decompressed. 200 is answered \
        only when all of it is on disk. Sending it again counts nothing twice.",
    params(("format" = FormatName, Path, description = "The format of the log; auto recognizes it.", example = "zeek")),
    request_body(content = Option<Log>, content_type = "application/octet-stream"),
    responses((status = 200, description = "What became of the records.", body = IngestAnswer), IngestErrors),
    security(("ingestKey" = []), ("ingestKeyAsPassword" = []))
)]
pub(super) async fn post(
    State(app): State<Arc<App>>,
    Sender(source): Sender,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IngestAnswer>, ApiError> {
    let format = format_in(path)?;
    check_encoding(&headers)?;
    let plan = UploadPlan { format, settings: source.settings.clone(), bytes_max: LOG_BYTES_MAX };
    let (writer, reader) = pipe();
    let (organization, clock) = (source.organization, app.data_clock.clone());
    let work = move |engine: &Engine| upload(reader, &plan, &EngineSink { engine, organization, clock });
    let mut load = pin!(app.store.load(work));
    let report = tokio::select! {
        // It may end before the body does: refused, or no log.
        report = &mut load => report,
        () = forward(body, writer) => load.await,
    };
    let answer = IngestAnswer::new(report??, organization);
    answer.count(&app.metrics);
    Ok(Json(answer))
}

/// The format in the path; `auto` recognizes it from the first lines.
fn format_in(path: Result<Path<String>, PathRejection>) -> Result<FormatChoice, ApiError> {
    path.ok().and_then(|Path(name)| name.parse().ok()).ok_or(ApiError::UnknownFormat)
}

/// What the body is compressed with is seen from its content. An encoding that is none of ours is refused by name.
fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(()) };
    match encoding.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" | "gzip" | "x-gzip" | "zstd" => Ok(()),
        other => Err(ApiError::UnknownEncoding(other.to_owned())),
    }
}

impl IngestAnswer {
    fn count(&self, metrics: &Metrics) {
        metrics.count_records("counted", self.counted);
        metrics.count_records("not_a_connection", self.not_a_connection.values().sum());
        metrics.count_records("outside_retention", self.outside_retention);
        metrics.count_records("malformed", self.malformed);
    }

    fn new(UploadReport { tally, recorded }: UploadReport, organization: Organization) -> Self {
        let reasons = tally.not_a_connection().map(|(reason, count)| (reason.name(), count));
        let issues = tally.issues().iter();
        Self {
            counted: recorded.counted,
            not_a_connection: reasons.collect(),
            outside_retention: recorded.too_old + recorded.too_far_ahead,
            malformed: tally.malformed(),
            organization: organization.to_string(),
            newest_event: tally.newest().map(|time| time.to_string()),
            oldest_event: tally.oldest().map(|time| time.to_string()),
            issues: issues
                .map(|issue| IssueAnswer { line: issue.line, problem: issue.problem.to_string() })
                .collect(),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => Self::TooLarge(error),
            UploadError::Source(_) => Self::UnreadableLog(error),
            UploadError::Record(error) => Self::Unavailable(StoreError::Write(error)),
        }
    }
}
