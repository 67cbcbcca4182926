//! Logs that are sent in: a file a protocol.
//!
//! | module | protocol |
//! |---|---|
//! | `plain` | `POST /api/ingest/{format}`: a log as a body |
//! | `elastic` | `/elastic/…`: the bulk API of Elasticsearch, and what its clients ask before they use it |
//! | `hec` | `/services/collector…`: Splunk's HTTP event collector |
//! | `otlp` | `POST /v1/logs`: OpenTelemetry over HTTP |
//!
//! What they have in common: an ingest key decides whose log it is (`key`), the body is read, decoded and recorded by
//! one thread of a bounded pool (`load`): a small one when it is in memory (`small_bodies`), a longer one as it arrives.
//! Statistics are kept for each key (`senders`).
//!
//! Invariants:
//! - Success is answered only when everything that is not malformed is durable.
//! - Whatever else is answered, sending it again is safe: what was recorded already is not counted twice. The status says
//!   whether it is of use: 408, 429 and 503 are for now, any other is for ever.
//! - A record that cannot be read never fails those next to it.

mod body_reader;
mod elastic;
mod hec;
mod key;
mod load;
mod otlp;
pub(super) mod plain;
mod senders;
mod small_bodies;

pub(super) use key::KeyRefused;
pub(super) use senders::Senders;
pub(super) use small_bodies::SmallBodies;

use super::app::App;
use super::error::ApiError;
use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The routes under which logs are sent in.
pub(super) fn routes() -> Router<Arc<App>> {
    plain::routes().merge(elastic::routes()).merge(hec::routes()).merge(otlp::routes())
}

/// The answer that `error` is, for the log and for the client, with a body as the client's protocol has it.
fn reshaped(error: ApiError, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = error.into_response();
    *response.body_mut() = body.into();
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
