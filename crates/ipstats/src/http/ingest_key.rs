//! The ingest key of a request, and the source behind it.

use super::app::App;
use super::error::ApiError;
use super::trail::Trail;
use crate::audit::Actor;
use crate::config::IngestSource;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;

/// The source that sends a log.
pub(super) struct Sender(pub(super) Arc<IngestSource>);

impl FromRequestParts<Arc<App>> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let key = key(&parts.headers).ok_or(ApiError::IngestKey)?;
        let source = app.snapshot().ingest_keys.find(&key).ok_or(ApiError::IngestKey)?;
        Trail::of(&parts.extensions).note_actor(Actor::Source(Arc::clone(&source)));
        Ok(Self(source))
    }
}

/// The key of the one `Authorization` header: `Bearer` it, or as the password of `Basic` with any user.
fn key(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::to_str);
    let value = values.next()?.ok()?;
    if values.next().is_some() {
        return None;
    }
    match value.trim().split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Some(key.trim().to_owned()),
        Some((scheme, encoded)) if scheme.eq_ignore_ascii_case("basic") => {
            let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
            decoded.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}
