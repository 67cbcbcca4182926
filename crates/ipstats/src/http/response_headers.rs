//! Headers that every answer has.

use axum::http::header::{CACHE_CONTROL, Entry, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};

/// Nothing is kept by caches unless the answer says so, and nobody guesses what it is: addresses and tokens are nobody
/// else's business.
pub(super) fn complete(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Entry::Vacant(cache_control) = headers.entry(CACHE_CONTROL) {
        cache_control.insert(HeaderValue::from_static("no-store"));
    }
}
