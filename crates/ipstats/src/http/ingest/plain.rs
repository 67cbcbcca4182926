//! `POST /api/ingest/{format}`: a log as the body of a request, plain or compressed.

use super::key::Sender;
use super::load::{encodings, load, notes};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::openapi::{FormatName, IngestErrors, Log};
use crate::ingest::{UploadPlan, UploadReport, upload};
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Json, Router, routing};
use ipstats_formats::FormatChoice;
use ipstats_model::Organization;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest log in one request, in bytes once it is decompressed: 1 GiB.
pub(super) const LOG_BYTES_MAX: u64 = 1 << 30;

/// What became of the records. The names are those of `ipstats import --json`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct IngestAnswer {
    counted: u64,
    not_a_connection: BTreeMap<&'static str, u64>,
    outside_retention: u64,
    malformed: u64,
    organization: String,
    newest_event: Option<String>,
    oldest_event: Option<String>,
    /// Where the first malformed records are.
    issues: Vec<IssueAnswer>,
    /// What else there is to know: why most of it does not count, or bytes after compressed data that were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct IssueAnswer {
    line: u64,
    problem: String,
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/ingest/{format}", routing::post(post))
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
pub(in crate::http) async fn post(
    State(app): State<Arc<App>>,
    Sender(source): Sender,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IngestAnswer>, ApiError> {
    // What the path leaves open, the key may know.
    let format = match format_in(path)? {
        FormatChoice::Auto => source.format,
        format => format,
    };
    let encodings = encodings(&headers)?;
    let (organization, settings) = (source.organization, source.settings.clone());
    let plan = UploadPlan { encodings, format, settings, bytes_max: LOG_BYTES_MAX };
    let (report, end) =
        load(&app, &source, body, LOG_BYTES_MAX, move |log, _, sink| upload(log, &plan, sink)).await?;
    let recorded = IngestAnswer::new(report, organization);
    match end {
        Ok(()) => Ok(Json(recorded)),
        Err(error) => Err(ApiError::Partly { error: Box::new(error.into()), recorded: Box::new(recorded) }),
    }
}

/// The format in the path; `auto` recognizes it from the first lines.
fn format_in(path: Result<Path<String>, PathRejection>) -> Result<FormatChoice, ApiError> {
    path.ok().and_then(|Path(name)| name.parse().ok()).ok_or(ApiError::UnknownFormat)
}

impl IngestAnswer {
    fn new(report: UploadReport, organization: Organization) -> Self {
        let note = notes(&report);
        let outcomes = report.outcomes();
        let tally = report.tally;
        let reasons = outcomes.not_a_connection().map(|(reason, count)| (reason.name(), count));
        let issues = tally.issues().iter();
        Self {
            counted: outcomes.counted,
            not_a_connection: reasons.collect(),
            outside_retention: outcomes.outside_retention,
            malformed: outcomes.malformed,
            organization: organization.to_string(),
            newest_event: tally.newest().map(|time| time.to_string()),
            oldest_event: tally.oldest().map(|time| time.to_string()),
            issues: issues
                .map(|issue| IssueAnswer { line: issue.line, problem: issue.problem.to_string() })
                .collect(),
            note,
        }
    }
}
