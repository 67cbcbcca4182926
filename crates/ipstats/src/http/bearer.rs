//! The bearer token of a request, and the caller behind it.

use super::app::{App, Snapshot};
use super::error::ApiError;
use super::trail::Trail;
use crate::audit::Actor;
use crate::auth::{Caller, TokenRefused};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use ipstats_model::Timestamp;
use std::sync::Arc;

/// The caller of a request whose token was verified, noted in its trail. It has no permission yet: each operation asks for
/// its own.
pub(super) async fn caller(
    app: &App,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    trail: &Trail,
    now: Timestamp,
) -> Result<Arc<Caller>, ApiError> {
    let token = bearer_token(headers).inspect_err(|why| app.auth_figures.count_refused(*why))?;
    let caller = snapshot.verifier.verify(token, now).await?;
    trail.note_actor(Actor::Caller(Arc::clone(&caller)));
    Ok(caller)
}

/// The one `Authorization: Bearer` token (RFC 6750, section 2.1); the scheme is matched without regard to case.
fn bearer_token(headers: &HeaderMap) -> Result<&[u8], TokenRefused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(TokenRefused::Missing)?;
    if values.next().is_some() {
        return Err(TokenRefused::NotBearer);
    }
    match value.as_bytes().trim_ascii().split_first_chunk::<7>() {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Ok(token.trim_ascii()),
        _ => Err(TokenRefused::NotBearer),
    }
}
