//! The ingest key of a request, and the source behind it.

use crate::audit::Actor;
use crate::config::IngestSource;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::trail::Trail;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;

/// The source that sends a log. Its key comes as `Bearer` it or as the password of `Basic`.
pub(in crate::http) struct Sender(pub(super) Arc<IngestSource>);

/// How a protocol writes a key, besides `Bearer` and `Basic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnScheme {
    None,
    /// `ApiKey` and the base64 of `id:key`, of Elasticsearch.
    ApiKey,
    /// `Splunk` and the key.
    Splunk,
}

/// Why a sender is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::http) enum KeyRefused {
    #[error("there is no Authorization header")]
    Missing,
    #[error("the Authorization header cannot be read, or there are several")]
    Unreadable,
    #[error("this ingest key is not known")]
    Unknown,
}

impl FromRequestParts<Arc<App>> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let trail = Trail::of(&parts.extensions);
        Ok(Self(sender(app, &trail, &parts.headers, OwnScheme::None)?))
    }
}

/// The source whose key the request shows.
pub(super) fn sender(
    app: &App,
    trail: &Trail,
    headers: &HeaderMap,
    own_scheme: OwnScheme,
) -> Result<Arc<IngestSource>, ApiError> {
    let source = key(headers, own_scheme)
        .and_then(|key| app.snapshot().ingest_keys.find(&key).ok_or(KeyRefused::Unknown))
        .map_err(ApiError::IngestKey)?;
    trail.note_actor(Actor::Source(Arc::clone(&source)));
    Ok(source)
}

/// The key of the one `Authorization` header.
fn key(headers: &HeaderMap, own_scheme: OwnScheme) -> Result<String, KeyRefused> {
    let mut values = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::to_str);
    let value = values.next().ok_or(KeyRefused::Missing)?.map_err(|_| KeyRefused::Unreadable)?.trim();
    if values.next().is_some() {
        return Err(KeyRefused::Unreadable);
    }
    if value.is_empty() {
        return Err(KeyRefused::Missing);
    }
    let (scheme, rest) = value.split_once(' ').ok_or(KeyRefused::Unreadable)?;
    let rest = rest.trim();
    match (scheme.to_ascii_lowercase().as_str(), own_scheme) {
        ("bearer", _) | ("splunk", OwnScheme::Splunk) => Ok(rest.to_owned()),
        ("basic", _) | ("apikey", OwnScheme::ApiKey) => behind_colon(rest).ok_or(KeyRefused::Unreadable),
        _ => Err(KeyRefused::Unreadable),
    }
}

/// The second half of an encoded pair; the first is of no interest.
fn behind_colon(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(_, key)| key.to_owned())
}
