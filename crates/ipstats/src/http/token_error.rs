//! What goes wrong at the token endpoints, in the words of RFC 6749, section 5.2.

use super::error::Failure;
use crate::auth::SecretRefused;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An error of a token endpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the request has no parameter {0}")]
    Missing(&'static str),
    #[error(
        "the request has no parameter grant_type, and its body is {0}: send the parameters as a form, with \
         Content-Type: application/x-www-form-urlencoded"
    )]
    NotForm(&'static str),
    #[error(
        "client assertions (certificates, federated credentials, managed identities) are not supported: send \
         client_id and client_secret"
    )]
    Assertion,
    #[error("the parameter {0} is given twice")]
    Twice(&'static str),
    #[error("the request is too long or was cut off")]
    Body,
    #[error("the Authorization header is no HTTP Basic header with a client id and a secret")]
    Basic,
    #[error("the client is named both in the Authorization header and, differently, in the form")]
    TwoClients,
    #[error("the tenant {0:?} is not known here")]
    Tenant(String),
    #[error(
        "this service issues no tokens: get one from the identity provider that it is configured to trust"
    )]
    OnlyOutsideIssuers,
    #[error("the grant type {0:?} is not supported; use client_credentials or password")]
    GrantType(String),
    #[error("client: {0}")]
    Client(SecretRefused),
    #[error("user: {0}")]
    User(SecretRefused),
    #[error("users cannot sign in to this application: it has no delegated_permissions")]
    NoUsers,
    #[error("the scope {0:?} is none of the application's delegated_permissions at one of the audiences")]
    UserScope(String),
    #[error("the resource {0:?} is none of the audiences of this service")]
    Resource(String),
    #[error("the scope {0:?} is none of the audiences of this service followed by /.default")]
    Scope(String),
    #[error("nobody signs in here; ask the token endpoint")]
    NoSignIn,
    #[error("the service could not issue a token")]
    Internal(#[source] crate::auth::IssueError),
}

/// An error as clients read it (RFC 6749, section 5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = TokenError)]
pub(super) struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
    /// The same id as in the log.
    trace_id: Uuid,
}

impl TokenError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Missing(_)
            | Self::NotForm(_)
            | Self::Twice(_)
            | Self::Body
            | Self::TwoClients
            | Self::Tenant(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::OnlyOutsideIssuers => (StatusCode::NOT_FOUND, "invalid_request"),
            Self::GrantType(_) => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::Basic | Self::Assertion | Self::Client(SecretRefused::Wrong) => {
                (StatusCode::UNAUTHORIZED, "invalid_client")
            }
            Self::User(SecretRefused::Wrong) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::NoUsers => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::Client(SecretRefused::TooOften { .. }) | Self::User(SecretRefused::TooOften { .. }) => {
                (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable")
            }
            Self::Client(SecretRefused::Busy) | Self::User(SecretRefused::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::Resource(_) => (StatusCode::BAD_REQUEST, "invalid_resource"),
            Self::Scope(_) | Self::UserScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::NoSignIn => (StatusCode::BAD_REQUEST, "unsupported_response_type"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }

    fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::Client(refused) | Self::User(refused) => match refused {
                SecretRefused::TooOften { retry_after_seconds } => Some(*retry_after_seconds),
                SecretRefused::Busy => Some(1),
                SecretRefused::Wrong => None,
            },
            _ => None,
        }
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let (target, description) = (Uuid::new_v4(), self.to_string());
        let body = Body { error: code, error_description: &description, trace_id: target };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        let mut response = (status, headers, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"ipstats\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        let detail = super::error::logged(&self);
        response.extensions_mut().insert(Failure { target, code, is_crowding: false, detail });
        response
    }
}
