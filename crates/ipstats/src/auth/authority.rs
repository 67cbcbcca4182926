//! The built-in authority: issues tokens shaped as Entra's, so that the service runs on its own.
//!
//! It issues under two names. Over HTTP its issuer is the public URL of the service. `ipstats token` cannot know where a
//! running service listens, so it issues under a [local name](LOCAL_ISSUER); both are signed by the same key.

use super::claims::{IssuedApplication, IssuedClaims, IssuedSubject};
use super::signing_key::{ALGORITHM, SigningKey};
use crate::config::{Application, Principal, User};
use aws_lc_rs::digest::{self, SHA256};
use ipstats_model::{Organization, Timestamp};
use jsonwebtoken::{Header, encode};
use uuid::Uuid;

/// How long a token is valid, in seconds (CONTRACT.md, "Tokens from the built-in authority").
pub const TOKEN_SECONDS: i64 = 3599;

/// The issuer of tokens that were not fetched over HTTP.
pub const LOCAL_ISSUER: &str = "urn:ipstats:local";

/// The built-in authority, under one issuer name.
pub struct Authority {
    key: SigningKey,
    /// Scheme, host and prefix; the issuer of an organization is below it.
    base: String,
}

/// The two shapes of tokens, as the two token endpoints issue them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenVersion {
    /// `ver` 1.0: `appid`, issuer `{base}/{tid}/`.
    V1,
    /// `ver` 2.0: `azp`, issuer `{base}/{tid}/v2.0`.
    V2,
}

/// A token that was issued.
pub struct IssuedToken {
    /// The JWT.
    pub text: String,
    /// When it ceases to be valid.
    pub expires: Timestamp,
}

/// The token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("a token cannot be signed")]
pub struct IssueError(#[from] jsonwebtoken::errors::Error);

impl Authority {
    /// The authority that signs with `key` and whose issuers are below `base`.
    pub fn new(key: SigningKey, base: impl Into<String>) -> Self {
        Self { key, base: base.into() }
    }

    /// The same authority with its issuers below `base`.
    #[must_use]
    pub fn at(&self, base: impl Into<String>) -> Self {
        Self::new(self.key.clone(), base)
    }

    /// The name under which tokens of `organization` are issued.
    pub fn issuer(&self, organization: Organization, version: TokenVersion) -> String {
        issuer_name(&self.base, organization, version)
    }

    /// The key that signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// A token that lets `application` act for itself, made out to `audience`.
    pub fn issue(
        &self,
        application: &Application,
        version: TokenVersion,
        audience: &str,
        now: Timestamp,
    ) -> Result<IssuedToken, IssueError> {
        let object = object_id(&format!("{}/{}", application.organization, application.client_id));
        let subject = IssuedSubject::Application {
            idtyp: "app",
            oid: object.clone(),
            roles: &application.permissions,
            sub: object,
        };
        self.sign(application, subject, version, audience, now)
    }

    /// A token that lets `application` do for `user` what `scopes` name, made out to `audience`.
    pub fn issue_for_user(
        &self,
        application: &Application,
        user: &User,
        scopes: &[String],
        version: TokenVersion,
        audience: &str,
        now: Timestamp,
    ) -> Result<IssuedToken, IssueError> {
        let subject = IssuedSubject::User {
            amr: ["pwd"],
            groups: user.groups.iter().map(Principal::as_str).collect(),
            idtyp: "user",
            name: &user.name,
            oid: user.oid.to_string(),
            preferred_username: &user.name,
            scp: scopes.join(" "),
            // Another one for each application, as Entra's are: two applications cannot compare their users by it.
            sub: object_id(&format!("{}/{}", application.client_id, user.oid)),
            upn: &user.name,
        };
        self.sign(application, subject, version, audience, now)
    }

    fn sign(
        &self,
        application: &Application,
        subject: IssuedSubject<'_>,
        version: TokenVersion,
        audience: &str,
        now: Timestamp,
    ) -> Result<IssuedToken, IssueError> {
        let expires = now.plus_seconds(TOKEN_SECONDS);
        let issuer = self.issuer(application.organization, version);
        let claims = IssuedClaims {
            aud: audience,
            iss: &issuer,
            iat: now.second(),
            nbf: now.second(),
            exp: expires.second(),
            application: application_claims(application, version),
            idp: &issuer,
            subject,
            tid: application.organization.to_string(),
            uti: Uuid::new_v4().simple().to_string(),
            ver: match version {
                TokenVersion::V1 => "1.0",
                TokenVersion::V2 => "2.0",
            },
        };
        let header = Header { kid: Some(self.key.id.clone()), ..Header::new(ALGORITHM) };
        Ok(IssuedToken { text: encode(&header, &claims, &self.key.private)?, expires })
    }
}

/// The issuer of `organization` below `base`, spelled as Entra spells its own.
pub(super) fn issuer_name(base: &str, organization: Organization, version: TokenVersion) -> String {
    match version {
        TokenVersion::V1 => format!("{base}/{organization}/"),
        TokenVersion::V2 => format!("{base}/{organization}/v2.0"),
    }
}

fn application_claims(application: &Application, version: TokenVersion) -> IssuedApplication<'_> {
    let id = application.client_id.to_string();
    let proof = if application.secret_hash.is_some() { "1" } else { "0" };
    match version {
        TokenVersion::V1 => {
            IssuedApplication::V1 { app_displayname: &application.name, appid: id, appidacr: proof }
        }
        TokenVersion::V2 => IssuedApplication::V2 { azp: id, azpacr: proof },
    }
}

/// The object that stands for what is called `name`: always the same, and no other's.
fn object_id(name: &str) -> String {
    let hash = digest::digest(&SHA256, name.as_bytes());
    let bytes = hash.as_ref().first_chunk().copied().unwrap_or_default();
    Uuid::new_v8(bytes).to_string()
}
