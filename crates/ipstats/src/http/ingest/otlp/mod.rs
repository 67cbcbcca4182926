//! `POST /v1/logs`: OpenTelemetry's logs over HTTP, as protobuf or JSON.
//!
//! The body of a log record is a record: a text as it is, anything else as JSON. The resource and its attributes are about
//! who collected it, and are not read: a record says itself when and who.

mod answer;

use super::key::Sender;
use super::load::{deliver, encodings};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::ingest::envelope::otlp::{Encoding, read};
use answer::{Answered, OtlpError};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use std::sync::Arc;

/// Longest request, in bytes once it is decompressed: 16 MiB. It is read as a whole.
const LOGS_BYTES_MAX: u64 = 16 << 20;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/v1/logs", post(logs))
}

async fn logs(
    State(app): State<Arc<App>>,
    sender: Result<Sender, ApiError>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, OtlpError> {
    let encoding = encoding_of(&headers);
    let answered_in = *encoding.as_ref().unwrap_or(&Encoding::Json);
    take_in(&app, encoding, sender, &headers, body).await.map_err(|error| OtlpError(answered_in, error))
}

async fn take_in(
    app: &App,
    encoding: Result<Encoding, ApiError>,
    sender: Result<Sender, ApiError>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Answered, ApiError> {
    let Sender(source) = sender?;
    let encoding = encoding?;
    let encodings = encodings(headers)?;
    let (report, ()) = deliver(app, &source, encodings, body, LOGS_BYTES_MAX, move |body, delivery| {
        read(encoding, body, delivery)
    })
    .await?;
    let problem = report.tally.issues().first().map(|issue| issue.problem.to_string());
    Ok(Answered { encoding, malformed: report.tally.malformed(), problem })
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let content_type = headers.get(CONTENT_TYPE).map_or("(none)", |value| value.to_str().unwrap_or("?"));
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type.to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Ok(Encoding::Protobuf),
        "application/json" => Ok(Encoding::Json),
        _ => Err(ApiError::UnknownContentType(crate::http::error::excerpt(media_type))),
    }
}

const fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    }
}
