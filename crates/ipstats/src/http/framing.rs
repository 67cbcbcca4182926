//! What RFC 9112 asks of a request beyond what the parser below checks: one host, and an end that nobody can dispute.
//!
//! Requests are smuggled past a proxy where it and the service see their ends in different places. The parser refuses
//! what is malformed, and where a request has both a length and chunks, it goes by the chunks; nothing that comes
//! behind such a request on its connection is read.

use axum::extract::Request;
use axum::http::Version;
use axum::http::header::{HOST, TRANSFER_ENCODING};

/// Whether a request that came over a connection names its host as it must (section 3.2).
pub(super) fn names_one_host<B>(request: &axum::http::Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => true,
        (Some(_), Some(_)) => false,
        (None, _) => request.version() != Version::HTTP_11,
    }
}

/// Whether a request is the last of its connection: one that is chunked is (section 6.1).
pub(super) fn is_last(request: &Request) -> bool {
    request.headers().contains_key(TRANSFER_ENCODING)
}
