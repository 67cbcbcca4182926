//! `POST /v1/logs`: OpenTelemetry's logs over HTTP, as protobuf or JSON.
//!
//! The body of a log record is a record: a text as it is, anything else as JSON. The resource and its attributes are about
//! who collected it, and are not read: a record says itself when and who.

mod answer;
mod message;

use super::key::Sender;
use super::load::{DecodedBody, deliver, encodings};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::ingest::{Delivery, UploadError};
use answer::{Answered, OtlpError};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use message::LogsRequest;
use prost::Message;
use std::sync::Arc;

/// Longest request, in bytes once it is decompressed: 16 MiB. It is read as a whole, and takes some times that in memory.
const LOGS_BYTES_MAX: u64 = 16 << 20;

/// How a request is written, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/v1/logs", post(logs))
}

async fn logs(
    State(app): State<Arc<App>>,
    sender: Result<Sender, ApiError>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, OtlpError> {
    let encoding = Encoding::of(&headers);
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

fn read(encoding: Encoding, body: DecodedBody, delivery: &mut Delivery<'_>) -> Result<(), UploadError> {
    let request = encoding.decode(&body.whole()?)?;
    for record in request.into_records() {
        delivery.read(&record)?;
    }
    Ok(())
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let content_type = headers.get(CONTENT_TYPE).map_or("(none)", |value| value.to_str().unwrap_or("?"));
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match media_type.to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(ApiError::UnknownContentType(crate::http::error::excerpt(media_type))),
        }
    }

    fn decode(self, body: &[u8]) -> Result<LogsRequest, UploadError> {
        let decoded = match self {
            Self::Protobuf => LogsRequest::decode(body).map_err(|error| error.to_string()),
            Self::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
        };
        decoded.map_err(|error| UploadError::Envelope(format!("it is no ExportLogsServiceRequest: {error}")))
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}
