//! `/services/collector…`: Splunk's HTTP event collector.
//!
//! An event is an object or a text; either is a record. What stands around it (time, host, source type) is about the
//! forwarder and is not read: a record says itself when and who. As success is answered only when all of it is durable, an
//! acknowledgement can be promised at once: whatever number was given out is durable.

use super::key::{KeyRefused, OwnScheme, sender};
use super::load::{deliver, encodings, load};
use super::plain::LOG_BYTES_MAX;
use super::reshaped;
use crate::config::IngestSource;
use crate::http::app::App;
use crate::http::body::read_body;
use crate::http::error::ApiError;
use crate::http::trail::Trail;
use crate::ingest::envelope::hec::{BadEvent, Events, Fault, read};
use crate::ingest::{UploadError, UploadPlan, upload};
use crate::store::Health;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Longest request with events, in bytes once it is decompressed: 32 MiB. It is read as a whole. (A raw one is not.)
const EVENTS_BYTES_MAX: u64 = 32 << 20;

/// Longest question for acknowledgements, in bytes: 1 MiB.
const QUESTION_BYTES_MAX: usize = 1 << 20;

const CHANNEL: &str = "x-splunk-request-channel";

pub(super) fn routes() -> Router<Arc<App>> {
    let mut routes = Router::new().route("/services/collector/ack", post(acknowledged));
    for path in ["", "/1.0", "/event", "/event/1.0"] {
        routes = routes.route(&format!("/services/collector{path}"), post(events));
    }
    for path in ["/raw", "/raw/1.0"] {
        routes = routes.route(&format!("/services/collector{path}"), post(raw));
    }
    for path in ["/health", "/health/1.0"] {
        routes = routes.route(&format!("/services/collector{path}"), get(health));
    }
    routes
}

/// An answer of Splunk's: a number and its words.
#[derive(Debug, Serialize)]
struct HecAnswer {
    text: &'static str,
    code: u8,
    #[serde(rename = "invalid-event-number", skip_serializing_if = "Option::is_none")]
    invalid_event: Option<usize>,
    #[serde(rename = "ackId", skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<u64>,
}

/// What went wrong with a request of a client of Splunk.
enum HecError {
    Api(ApiError),
    NoData,
    BadEvent(BadEvent),
    NoChannel,
    BadQuestion,
}

/// The source whose key a client of Splunk shows.
struct SplunkSender(Arc<IngestSource>);

impl FromRequestParts<Arc<App>> for SplunkSender {
    type Rejection = HecError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HecError> {
        let trail = Trail::of(&parts.extensions);
        Ok(Self(sender(app, &trail, &parts.headers, OwnScheme::Splunk)?))
    }
}

async fn events(
    State(app): State<Arc<App>>,
    SplunkSender(source): SplunkSender,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<HecAnswer>, HecError> {
    let encodings = encodings(&headers)?;
    match deliver(&app, &source, encodings, body, EVENTS_BYTES_MAX, read).await?.1 {
        Events::None => Err(HecError::NoData),
        Events::Bad(bad) => Err(HecError::BadEvent(bad)),
        Events::Read => Ok(Json(success(&app, &uri, &headers))),
    }
}

async fn raw(
    State(app): State<Arc<App>>,
    SplunkSender(source): SplunkSender,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<HecAnswer>, HecError> {
    let plan = raw_plan(&source, &headers)?;
    let (report, end) =
        load(&app, &source, body, LOG_BYTES_MAX, move |log, _, sink| upload(log, &plan, sink)).await?;
    end.map_err(ApiError::from)?;
    if report.tally.records() == 0 { Err(HecError::NoData) } else { Ok(Json(success(&app, &uri, &headers))) }
}

fn raw_plan(source: &IngestSource, headers: &HeaderMap) -> Result<UploadPlan, ApiError> {
    let (encodings, settings) = (encodings(headers)?, source.settings.clone());
    Ok(UploadPlan { encodings, format: source.format, settings, bytes_max: LOG_BYTES_MAX })
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let ready = !app.is_closing() && matches!(app.store.health(), Ok(Health::Accepting));
    if ready {
        Json(HecAnswer::new("HEC is healthy", 17)).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(HecAnswer::new("HEC is unhealthy, queues are full", 18)))
            .into_response()
    }
}

/// Which of the numbers that a client asks about were acknowledged.
async fn acknowledged(
    State(app): State<Arc<App>>,
    _: SplunkSender,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BTreeMap<&'static str, BTreeMap<u64, bool>>>, HecError> {
    #[derive(Deserialize)]
    struct Question {
        acks: Vec<u64>,
    }
    if !has_channel(&uri, &headers) {
        return Err(HecError::NoChannel);
    }
    let body = read_body(body, QUESTION_BYTES_MAX).await.ok_or(HecError::BadQuestion)?;
    let question: Question = serde_json::from_slice(&body).map_err(|_| HecError::BadQuestion)?;
    let given_out = app.acknowledgements().load(Ordering::SeqCst);
    let answers = question.acks.into_iter().map(|number| (number, number < given_out));
    Ok(Json(BTreeMap::from([("acks", answers.collect())])))
}

/// Everything is durable; a client with a channel may ask about it later.
fn success(app: &App, uri: &Uri, headers: &HeaderMap) -> HecAnswer {
    let acknowledgement =
        has_channel(uri, headers).then(|| app.acknowledgements().fetch_add(1, Ordering::SeqCst));
    HecAnswer { acknowledgement, ..HecAnswer::new("Success", 0) }
}

fn has_channel(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    headers.get(CHANNEL).is_some_and(|channel| !channel.is_empty())
        || query.any(|(name, value)| name == "channel" && !value.is_empty())
}

impl HecAnswer {
    const fn new(text: &'static str, code: u8) -> Self {
        Self { text, code, invalid_event: None, acknowledgement: None }
    }
}

impl HecError {
    fn status_and_answer(&self) -> (StatusCode, HecAnswer) {
        match self {
            Self::NoData => (StatusCode::BAD_REQUEST, HecAnswer::new("No data", 5)),
            Self::NoChannel => (StatusCode::BAD_REQUEST, HecAnswer::new("Data channel is missing", 10)),
            Self::BadQuestion => (StatusCode::BAD_REQUEST, HecAnswer::new("Invalid data format", 6)),
            Self::BadEvent(BadEvent { number, fault }) => {
                let answer = match fault {
                    Fault::NotJson => HecAnswer::new("Invalid data format", 6),
                    Fault::Absent => HecAnswer::new("Event field is required", 12),
                    Fault::Blank => HecAnswer::new("Event field cannot be blank", 13),
                };
                (StatusCode::BAD_REQUEST, HecAnswer { invalid_event: Some(*number), ..answer })
            }
            Self::Api(error) => of_api(error),
        }
    }
}

fn of_api(error: &ApiError) -> (StatusCode, HecAnswer) {
    let status = error.status_and_code().0;
    match error {
        ApiError::IngestKey(KeyRefused::Missing) => (status, HecAnswer::new("Token is required", 2)),
        ApiError::IngestKey(KeyRefused::Unreadable) => (status, HecAnswer::new("Invalid authorization", 3)),
        ApiError::IngestKey(KeyRefused::Unknown) => {
            (StatusCode::FORBIDDEN, HecAnswer::new("Invalid token", 4))
        }
        ApiError::Unavailable(_) | ApiError::BrokenOff(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, HecAnswer::new("Server is busy", 9))
        }
        ApiError::Internal(_) => (status, HecAnswer::new("Internal server error", 8)),
        _ => (status, HecAnswer::new("Invalid data format", 6)),
    }
}

impl<E: Into<ApiError>> From<E> for HecError {
    fn from(error: E) -> Self {
        Self::Api(error.into())
    }
}

impl IntoResponse for HecError {
    fn into_response(self) -> Response {
        let (status, answer) = self.status_and_answer();
        let body = serde_json::to_vec(&answer).unwrap_or_default();
        let error = match self {
            Self::Api(error) => error,
            _ => ApiError::UnreadableLog(UploadError::Envelope(answer.text.to_owned())),
        };
        let mut response = reshaped(error, "application/json", body);
        *response.status_mut() = status;
        response
    }
}
