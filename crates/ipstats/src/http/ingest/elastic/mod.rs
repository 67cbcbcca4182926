//! `/elastic/…`: what Elasticsearch is to the shippers that send to it.
//!
//! Documents come in through the bulk API. Everything else is what clients ask before they send: who answers, which
//! version and licence it has, and whether templates and policies may be set up. There is nothing to set up here, so that is
//! accepted and comes to nothing. Nothing can be searched.
//!
//! Below a path of its own, because the root belongs to the API. All clients that were looked at can be given a path.

mod answer;
mod error;
mod setup;

use super::key::{OwnScheme, sender};
use super::load::{deliver, encodings};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::trail::Trail;
use crate::ingest::envelope::bulk;
use answer::BulkAnswer;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use error::ElasticError;
use std::sync::Arc;
use std::time::Instant;

/// Longest bulk request, in bytes once it is decompressed: 100 MiB, as Elasticsearch has it.
const BULK_BYTES_MAX: u64 = 100 << 20;

/// Clients of Elastic talk to nobody who does not say this.
const PRODUCT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-elastic-product"), HeaderValue::from_static("Elasticsearch"));

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/elastic", any(answer_to))
        .route("/elastic/", any(answer_to))
        .route("/elastic/{*rest}", any(answer_to))
}

async fn answer_to(State(app): State<Arc<App>>, request: Request) -> Response {
    let mut response = call(&app, request).await.unwrap_or_else(IntoResponse::into_response);
    let (name, value) = PRODUCT;
    response.headers_mut().insert(name, value);
    response
}

async fn call(app: &App, request: Request) -> Result<Response, ElasticError> {
    let (head, body) = request.into_parts();
    let source = sender(app, &Trail::of(&head.extensions), &head.headers, OwnScheme::ApiKey)?;
    let path = below(&head.uri);
    if path.last() != Some(&"_bulk") {
        return setup::answer(&head.method, &path, &app.snapshot().elastic_version);
    }
    if !matches!(head.method, Method::POST | Method::PUT) {
        return Err(ApiError::MethodNotAllowed(head.method).into());
    }
    let (started, encodings) = (Instant::now(), encodings(&head.headers)?);
    let (_, items) = deliver(app, &source, encodings, body, BULK_BYTES_MAX, bulk::read).await?;
    Ok(BulkAnswer::new(items, started.elapsed()).into_response())
}

/// The parts of the path behind `/elastic`.
fn below(uri: &Uri) -> Vec<&str> {
    uri.path().split('/').filter(|part| !part.is_empty()).skip(1).collect()
}

fn json(text: impl Into<Body>) -> Response {
    let content_type = HeaderValue::from_static(error::JSON);
    ([(axum::http::header::CONTENT_TYPE, content_type)], text.into()).into_response()
}
