//! Headers that every answer has.

use axum::http::header::{CACHE_CONTROL, CONNECTION, Entry, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Adds them, and that the connection ends where this `is_last` on it. Nothing is kept by caches unless the answer says so, and nobody guesses what it is: addresses and tokens are nobody
/// else's business.
pub(super) fn complete(headers: &mut HeaderMap, is_last: bool) {
    if is_last {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if let Entry::Vacant(cache_control) = headers.entry(CACHE_CONTROL) {
        cache_control.insert(NO_STORE);
    }
}
