//! What the built-in authority publishes about itself: its configuration (OpenID Connect Discovery 1.0) and its public
//! keys (RFC 7517).

use super::app::{App, Snapshot};
use super::openapi::AuthorityErrors;
use super::public_urls::AskedUrl;
use super::tenant::Tenant;
use super::token_error::TokenError;
use crate::auth::TokenVersion;
use axum::Json;
use axum::extract::State;
use ipstats_model::Organization;
use jsonwebtoken::jwk::JwkSet;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = OpenIdConfiguration)]
pub(super) struct Configuration {
    issuer: String,
    /// Required by discovery, and by clients that will never use it: nobody signs in here.
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: [&'static str; 3],
    grant_types_supported: [&'static str; 2],
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
}

#[utoipa::path(
    get,
    path = "/{tenant}/.well-known/openid-configuration",
    operation_id = "getConfigurationV1",
    tag = "tokens",
    summary = "Where tokens come from, and their issuer (version 1)",
    params(("tenant" = String, Path, description = "The organization's id or name.")),
    responses((status = 200, description = "OpenID Connect Discovery 1.0.", body = Configuration), AuthorityErrors),
    security(())
)]
pub(super) async fn configuration_v1(
    State(app): State<Arc<App>>,
    Tenant(organization): Tenant,
    url: AskedUrl,
) -> Json<Configuration> {
    let paths = ["oauth2/authorize", "oauth2/token", "discovery/keys"];
    Json(configuration(&app.snapshot(), &url, organization, TokenVersion::V1, paths))
}

#[utoipa::path(
    get,
    path = "/{tenant}/v2.0/.well-known/openid-configuration",
    operation_id = "getConfigurationV2",
    tag = "tokens",
    summary = "Where tokens come from, and their issuer (version 2)",
    params(("tenant" = String, Path, description = "The organization's id or name.")),
    responses((status = 200, description = "OpenID Connect Discovery 1.0.", body = Configuration), AuthorityErrors),
    security(())
)]
pub(super) async fn configuration_v2(
    State(app): State<Arc<App>>,
    Tenant(organization): Tenant,
    url: AskedUrl,
) -> Json<Configuration> {
    let paths = ["oauth2/v2.0/authorize", "oauth2/v2.0/token", "discovery/v2.0/keys"];
    Json(configuration(&app.snapshot(), &url, organization, TokenVersion::V2, paths))
}

/// Where people would sign in.
pub(super) async fn authorize(_known: Tenant) -> TokenError {
    TokenError::NoSignIn
}

/// The keys are the same for every organization that is known.
#[utoipa::path(
    get,
    path = "/{tenant}/discovery/v2.0/keys",
    operation_id = "getKeys",
    tag = "tokens",
    summary = "The public keys",
    params(("tenant" = String, Path, description = "The organization's id or name.")),
    responses((status = 200, description = "A JSON Web Key Set (RFC 7517).", body = Object), AuthorityErrors),
    security(())
)]
pub(super) async fn keys(State(app): State<Arc<App>>, _known: Tenant) -> Json<JwkSet> {
    Json(JwkSet { keys: app.snapshot().authority.key().jwks().cloned().collect() })
}

fn configuration(
    snapshot: &Snapshot,
    base: &AskedUrl,
    organization: Organization,
    version: TokenVersion,
    paths: [&str; 3],
) -> Configuration {
    let base = base.as_str();
    let [authorization_endpoint, token_endpoint, jwks_uri] =
        paths.map(|path| format!("{base}/{organization}/{path}"));
    Configuration {
        issuer: snapshot.authority.at(base).issuer(organization, version),
        authorization_endpoint,
        token_endpoint,
        jwks_uri,
        token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic", "none"],
        grant_types_supported: ["client_credentials", "password"],
        response_types_supported: ["token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
    }
}
