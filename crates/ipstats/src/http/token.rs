//! `POST /{tenant}/oauth2/token` and `/{tenant}/oauth2/v2.0/token`: client credentials for a token (RFC 6749, section
//! 4.4), as lenient as real clients need.
//!
//! The form is read whatever the `Content-Type` says or does not say, parameters of the URL and unknown parameters of
//! the form are ignored, the audience comes as `resource` or as `scope`, and the client proves itself in the form or by
//! HTTP Basic.

use super::app::{App, Snapshot};
use super::public_urls::AskedUrl;
use super::tenant::Tenant;
use super::token_error::TokenError;
use crate::auth::{TOKEN_SECONDS, TokenVersion};
use crate::secret::Secret;
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ipstats_model::Organization;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::sync::Arc;

/// Longest form, in bytes.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What the audience in a `scope` is followed by.
const DEFAULT_SCOPE: &str = "/.default";

/// The answer; fields in the order of the contract.
#[derive(Serialize)]
pub(super) struct TokenAnswer {
    token_type: &'static str,
    expires_in: i64,
    ext_expires_in: i64,
    access_token: String,
}

type Answer = ([(HeaderName, HeaderValue); 1], Json<TokenAnswer>);

pub(super) async fn post_v1(
    State(app): State<Arc<App>>,
    Tenant(organization): Tenant,
    url: AskedUrl,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, TokenError> {
    issue(&app, TokenVersion::V1, organization, &url, &headers, body).await
}

pub(super) async fn post_v2(
    State(app): State<Arc<App>>,
    Tenant(organization): Tenant,
    url: AskedUrl,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, TokenError> {
    issue(&app, TokenVersion::V2, organization, &url, &headers, body).await
}

async fn issue(
    app: &App,
    version: TokenVersion,
    organization: Organization,
    url: &AskedUrl,
    headers: &HeaderMap,
    body: Body,
) -> Result<Answer, TokenError> {
    let form = Form(to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| TokenError::Body)?);
    let snapshot = app.whole_snapshot();
    match form.require("grant_type")? {
        grant if grant == "client_credentials" => {}
        grant => return Err(TokenError::GrantType(grant)),
    }
    let audience = audience(&form, &snapshot)?;
    let (client_id, secret) = credentials(&form, headers)?;
    let application = snapshot.registry.application(organization, &client_id);
    let now = app.token_clock.now();
    app.secrets.prove_application(application, secret, now).await.map_err(TokenError::Client)?;
    let application = application.ok_or(TokenError::Client(crate::auth::SecretRefused::Wrong))?;
    let authority = snapshot.authority.at(url.as_str());
    let token = authority.issue(application, version, audience, now).map_err(TokenError::Internal)?;
    let answer = TokenAnswer {
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
        ext_expires_in: TOKEN_SECONDS,
        access_token: token.text,
    };
    Ok(([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(answer)))
}

/// The audience that `resource` or `scope` asks for, as it is configured. Of several scopes, the one that ends in
/// `/.default` counts: the others (`openid`, `offline_access`, …) mean nothing to an application.
fn audience<'a>(form: &Form, snapshot: &'a Snapshot) -> Result<&'a str, TokenError> {
    if let Some(resource) = form.find("resource")? {
        return snapshot.audience(&resource).ok_or(TokenError::Resource(resource));
    }
    let scope = form.find("scope")?.ok_or(TokenError::Missing("resource or scope"))?;
    let mut audiences = scope.split_ascii_whitespace().filter_map(|scope| scope.strip_suffix(DEFAULT_SCOPE));
    audiences.find_map(|audience| snapshot.audience(audience)).ok_or(TokenError::Scope(scope))
}

/// Client id and secret, from the `Authorization` header or else from the form.
fn credentials(form: &Form, headers: &HeaderMap) -> Result<(String, Secret), TokenError> {
    let (in_form, secret_in_form) = (form.find("client_id")?, form.find("client_secret")?);
    match headers.get(AUTHORIZATION) {
        None => {
            let client_id = in_form.ok_or(TokenError::Missing("client_id"))?;
            let secret = secret_in_form.ok_or(TokenError::Missing("client_secret"))?;
            Ok((client_id, secret.into()))
        }
        Some(header) => {
            let (client_id, secret) = basic(header).ok_or(TokenError::Basic)?;
            if secret_in_form.is_some() || in_form.is_some_and(|in_form| in_form != client_id) {
                return Err(TokenError::TwoClients);
            }
            Ok((client_id, secret.into()))
        }
    }
}

/// HTTP Basic (RFC 7617). Id and secret are percent-decoded (RFC 6749, section 2.3.1); a plus stays a plus, because most
/// clients do not encode at all.
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    Some((decode(client_id)?, decode(secret)?))
}

/// A form as it came.
struct Form(Bytes);

impl Form {
    /// The value of a parameter. An empty one is as good as none (RFC 6749, section 3.2), a repeated one is an error.
    fn find(&self, name: &'static str) -> Result<Option<String>, TokenError> {
        let mut values =
            form_urlencoded::parse(&self.0).filter(|(key, value)| key == name && !value.is_empty());
        let value = values.next().map(|(_, value)| value.into_owned());
        if values.next().is_some() { Err(TokenError::Twice(name)) } else { Ok(value) }
    }

    fn require(&self, name: &'static str) -> Result<String, TokenError> {
        self.find(name)?.ok_or(TokenError::Missing(name))
    }
}
