//! The organization that the path of a token endpoint names.

use super::app::App;
use super::token_error::TokenError;
use super::trail::Trail;
use crate::audit::Actor;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use ipstats_model::Organization;
use std::sync::Arc;

/// The organization called `{tenant}` in the path, by its id or its name.
pub(super) struct Tenant(pub(super) Organization);

impl FromRequestParts<Arc<App>> for Tenant {
    type Rejection = TokenError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, TokenError> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let Path(tenant) = path.map_err(|_| TokenError::Tenant(parts.uri.path().to_owned()))?;
        let snapshot = app.snapshot();
        if !snapshot.issues_tokens {
            return Err(TokenError::OnlyOutsideIssuers);
        }
        let organization = snapshot.tenant(&tenant).ok_or(TokenError::Tenant(tenant))?;
        let actor = Actor::Client { organization, client_id: None, user: None };
        Trail::of(&parts.extensions).note_actor(actor);
        Ok(Self(organization))
    }
}
