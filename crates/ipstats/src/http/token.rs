//! `POST /{tenant}/oauth2/token` and `/{tenant}/oauth2/v2.0/token`: proof of an application, or of an application and a
//! user who signs in to it, for a token (RFC 6749, sections 4.3 and 4.4).
//!
//! Parameters of the URL are ignored; the audience comes as `resource` or as `scope`.

use super::app::{App, Snapshot};
use super::body::read_body;
use super::openapi::{TokenErrors, TokenForm};
use super::public_urls::AskedUrl;
use super::tenant::Tenant;
use super::token_error::TokenError;
use super::token_form::{Credentials, Form};
use super::trail::Trail;
use crate::audit::Actor;
use crate::auth::{IssueError, IssuedToken, SecretRefused, TOKEN_SECONDS, TokenVersion};
use crate::config::Application;
use crate::secret::Secret;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use ipstats_model::{Organization, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest form, in bytes.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What the audience in a `scope` is followed by, to ask for everything that is configured.
const DEFAULT_SCOPE: &str = "/.default";

/// Scopes of OpenID Connect, which clients add and which open nothing here.
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// The answer; fields in the order of the contract.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenAnswer {
    token_type: &'static str,
    expires_in: i64,
    ext_expires_in: i64,
    access_token: String,
    /// What the token permits, where that was asked for by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<String>,
}

/// What every request brings, and when and under which URL it came.
struct TokenRequest<'a> {
    app: &'a App,
    snapshot: &'a Snapshot,
    organization: Organization,
    version: TokenVersion,
    url: &'a AskedUrl,
    form: Form,
    credentials: Credentials,
    now: Timestamp,
}

type Answer = ([(HeaderName, HeaderValue); 1], Json<TokenAnswer>);

#[utoipa::path(
    post,
    path = "/{tenant}/oauth2/token",
    operation_id = "postTokenV1",
    tag = "tokens",
    summary = "Get a version 1 token",
    description = "As lenient as real clients need: any Content-Type or none, unknown fields are ignored, the client may \
        prove itself by HTTP Basic instead. The form has at most 64 KiB.",
    params(("tenant" = String, Path, description = "The organization's id or name.")),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "A token.", body = TokenAnswer), TokenErrors),
    security(())
)]
pub(super) async fn post_v1(
    State(app): State<Arc<App>>,
    Tenant(organization): Tenant,
    trail: Trail,
    url: AskedUrl,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, TokenError> {
    issue(&app, TokenVersion::V1, organization, &trail, &url, &headers, body).await
}

#[utoipa::path(
    post,
    path = "/{tenant}/oauth2/v2.0/token",
    operation_id = "postTokenV2",
    tag = "tokens",
    summary = "Get a version 2 token",
    description = "As lenient as real clients need: any Content-Type or none, unknown fields are ignored, the client may \
        prove itself by HTTP Basic instead. The form has at most 64 KiB.",
    params(("tenant" = String, Path, description = "The organization's id or name.")),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "A token.", body = TokenAnswer), TokenErrors),
    security(())
)]
pub(super) async fn post_v2(
    State(app): State<Arc<App>>,
    Tenant(organization): Tenant,
    trail: Trail,
    url: AskedUrl,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, TokenError> {
    issue(&app, TokenVersion::V2, organization, &trail, &url, &headers, body).await
}

async fn issue(
    app: &App,
    version: TokenVersion,
    organization: Organization,
    trail: &Trail,
    url: &AskedUrl,
    headers: &HeaderMap,
    body: Body,
) -> Result<Answer, TokenError> {
    let form = Form(read_body(body, FORM_BYTES_MAX).await.ok_or(TokenError::Body)?);
    let snapshot = &*app.whole_snapshot();
    let credentials = form.credentials(headers);
    trail.note_actor(actor(snapshot, organization, &form, credentials.as_ref().ok()));
    let grant = form.grant_type(headers)?;
    let request = |credentials| {
        let now = app.token_clock.now();
        TokenRequest { app, snapshot, organization, version, url, form, credentials, now }
    };
    match grant.as_str() {
        "client_credentials" => request(credentials?).application_token().await,
        "password" => request(credentials?).user_token().await,
        _ => Err(TokenError::GrantType(grant)),
    }
}

/// For whom a token is asked, whatever becomes of it. Names that nobody has are left out: they may be secrets in the wrong
/// field.
fn actor(
    snapshot: &Snapshot,
    organization: Organization,
    form: &Form,
    credentials: Option<&Credentials>,
) -> Actor {
    let application = credentials
        .and_then(|credentials| snapshot.registry.application(organization, &credentials.client_id));
    let signs_in = matches!(form.find("grant_type"), Ok(Some(grant)) if grant == "password");
    let name = form.find("username").ok().flatten().filter(|_| signs_in);
    let user = name.and_then(|name| snapshot.registry.user(organization, &name));
    Actor::Client {
        organization,
        client_id: application.map(|application| application.client_id.to_string()),
        user: user.map(|user| user.name.clone()),
    }
}

impl TokenRequest<'_> {
    async fn application_token(self) -> Result<Answer, TokenError> {
        let audience = self.audience()?;
        let secret = self.credentials.secret.as_ref().ok_or_else(|| self.no_secret())?;
        let application = self.prove_application(secret).await?;
        let authority = self.snapshot.authority.at(self.url.as_str());
        let token = authority.issue(application, self.version, audience, self.now);
        answer(token, None)
    }

    async fn user_token(self) -> Result<Answer, TokenError> {
        let name = self.form.require("username")?;
        let password = Secret::from(self.form.require("password")?);
        let application = match (self.application(), &self.credentials.secret) {
            (Some(public), None) if public.secret_hash.is_none() => public,
            (_, None) => return Err(self.no_secret()),
            (_, Some(secret)) => self.prove_application(secret).await?,
        };
        if application.delegated_permissions.is_empty() {
            return Err(TokenError::NoUsers);
        }
        let (audience, scopes) = self.scopes(application)?;
        let user = self.snapshot.registry.user(self.organization, &name);
        let proof = self.app.secrets.prove_user(user, self.organization, &name, &password, self.now);
        proof.await.map_err(TokenError::User)?;
        let user = user.ok_or(TokenError::User(SecretRefused::Wrong))?;
        let authority = self.snapshot.authority.at(self.url.as_str());
        let token = authority.issue_for_user(application, user, &scopes, self.version, audience, self.now);
        let granted: Vec<_> = scopes.iter().map(|scope| format!("{audience}/{scope}")).collect();
        answer(token, Some(granted.join(" ")))
    }

    fn no_secret(&self) -> TokenError {
        if self.form.has_assertion() { TokenError::Assertion } else { TokenError::Missing("client_secret") }
    }

    /// The application that the client says it is.
    fn application(&self) -> Option<&Application> {
        self.snapshot.registry.application(self.organization, &self.credentials.client_id)
    }

    async fn prove_application(&self, secret: &Secret) -> Result<&Application, TokenError> {
        let application = self.application();
        let proof = self.app.secrets.prove_application(application, secret, self.now);
        proof.await.map_err(TokenError::Client)?;
        application.ok_or(TokenError::Client(SecretRefused::Wrong))
    }

    /// The audience that `resource` or `scope` asks for, as it is configured; the first one where neither is there. Of
    /// several scopes, the one that ends in `/.default` counts: the others (`openid`, `offline_access`, …) mean nothing to
    /// an application.
    fn audience(&self) -> Result<&str, TokenError> {
        if let Some(resource) = self.form.find("resource")? {
            return self.snapshot.audience(&resource).ok_or(TokenError::Resource(resource));
        }
        let Some(scope) = self.form.find("scope")? else {
            // Generic OAuth clients cannot be told what to ask for.
            return self.snapshot.first_audience().ok_or(TokenError::Missing("resource or scope"));
        };
        let mut audiences =
            scope.split_ascii_whitespace().filter_map(|scope| scope.strip_suffix(DEFAULT_SCOPE));
        audiences.find_map(|audience| self.snapshot.audience(audience)).ok_or(TokenError::Scope(scope))
    }

    /// The audience that is asked for, and which of the application's permissions for users: all of them, or those
    /// named behind the audience.
    fn scopes(&self, application: &Application) -> Result<(&str, Vec<String>), TokenError> {
        let all = &application.delegated_permissions;
        if self.form.find("resource")?.is_some() {
            return Ok((self.audience()?, all.clone()));
        }
        let asked = self.form.find("scope")?.ok_or(TokenError::Missing("resource or scope"))?;
        let wrong = || TokenError::UserScope(asked.clone());
        let (mut audience, mut scopes) = (None, Vec::new());
        for scope in asked.split_ascii_whitespace().filter(|scope| !OPENID_SCOPES.contains(scope)) {
            let (of, name) = scope.rsplit_once('/').ok_or_else(wrong)?;
            let of = self.snapshot.audience(of).ok_or_else(wrong)?;
            if **audience.get_or_insert(of) != *of {
                return Err(wrong());
            }
            match name {
                ".default" => scopes.clone_from(all),
                name if scopes.iter().any(|scope| scope == name) => {}
                name => scopes.push(all.iter().find(|known| *known == name).ok_or_else(wrong)?.clone()),
            }
        }
        Ok((audience.ok_or_else(wrong)?, scopes))
    }
}

fn answer(token: Result<IssuedToken, IssueError>, scope: Option<String>) -> Result<Answer, TokenError> {
    let answer = TokenAnswer {
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
        ext_expires_in: TOKEN_SECONDS,
        access_token: token.map_err(TokenError::Internal)?.text,
        scope,
    };
    Ok(([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(answer)))
}
