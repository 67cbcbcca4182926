//! Headers that every answer has.

use axum::http::header::{CACHE_CONTROL, CONNECTION, Entry, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};

/// Adds them, and that the connection ends where this `is_last` on it. Nothing is kept by caches unless the answer says so, and nobody guesses what it is: addresses and tokens are nobody
/// else's business.
pub(super) fn complete(headers: &mut HeaderMap, is_last: bool) {
    if is_last {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Entry::Vacant(cache_control) = headers.entry(CACHE_CONTROL) {
        cache_control.insert(HeaderValue::from_static("no-store"));
    }
}
