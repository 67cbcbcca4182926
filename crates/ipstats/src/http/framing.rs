//! What RFC 9112 asks of a request beyond what the parser below checks: one host, and an end that nobody can dispute.
//!
//! Requests are smuggled past a proxy where it and the service see their ends in different places. The parser refuses
//! what is malformed, and where a request has both a length and chunks, it goes by the chunks; nothing that comes
//! behind such a request on its connection is read.

use super::error::ApiError;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// An extension of requests that name no host, or several.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostUnclear;

/// Whether a request that came over a connection names its host as it must (section 3.2).
pub(super) fn names_one_host<B>(request: &axum::http::Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => true,
        (Some(_), Some(_)) => false,
        (None, _) => request.version() != Version::HTTP_11,
    }
}

/// Has a request answered unless its host is unclear. One that is chunked is the last of its connection (section 6.1).
pub(super) async fn run(request: Request, next: Next) -> Response {
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = match request.extensions().get::<HostUnclear>() {
        Some(HostUnclear) => ApiError::HostUnclear.into_response(),
        None => next.run(request).await,
    };
    if is_last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
