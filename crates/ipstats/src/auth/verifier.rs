//! From a bearer token to a [`Caller`], or to the reason why there is none.

use super::caller::Caller;
use super::claims::{Claims, UnverifiedIssuer};
use super::figures::{Figures, IssuerFigures};
use super::issuers::{Issuer, Issuers};
use super::keys::Key;
use super::reading::Reading;
use super::registry::Registry;
use super::remembered::{Entry, Remembered};
use super::roles::Roles;
use crate::config::ClaimPath;
use ipstats_model::Timestamp;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode, decode_header};
use std::collections::HashSet;
use std::sync::Arc;
use strum::VariantArray;

/// Longest token that is looked at, in bytes. Entra's stay below 8 KiB, groups included.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What a token is checked against.
pub struct Trust {
    /// Whose tokens are believed.
    pub issuers: Issuers,
    /// The audiences that the built-in authority's tokens may be made out to.
    pub audiences: Vec<String>,
    /// The applications and users of the built-in authority.
    pub registry: Arc<Registry>,
    /// What users may do.
    pub roles: Roles,
}

/// Verifies tokens, and remembers those that were verified. Another configuration takes another verifier, which
/// remembers nothing of what was allowed before.
pub struct Verifier {
    issuers: Issuers,
    audiences: HashSet<String>,
    registry: Arc<Registry>,
    roles: Roles,
    built_in: Reading,
    tid: ClaimPath,
    remembered: Remembered,
    figures: Arc<Figures>,
}

/// Why a token was refused. Safe to tell: nothing here depends on a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, VariantArray)]
pub enum TokenRefused {
    /// No `Authorization: Bearer` header.
    #[error("the Authorization header with a bearer token is missing")]
    Missing,
    /// An `Authorization` header of another scheme, or several.
    #[error("exactly one Authorization header of the form 'Bearer <token>' is expected")]
    NotBearer,
    /// Not a JWT, or one with claims of wrong types, or without the claims that are needed.
    #[error("the token is malformed")]
    Malformed,
    /// The issuer is not trusted here.
    #[error("the issuer of the token is not trusted")]
    Issuer,
    /// The token names no key, or one that its issuer does not have.
    #[error("the token is not signed with a known key of its issuer")]
    Key,
    /// The signature does not match, or is of another algorithm than the key's.
    #[error("the signature of the token is invalid")]
    Signature,
    /// The token is made out to someone else.
    #[error("the audience of the token is not accepted")]
    Audience,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token speaks for an organization that its issuer does not speak for, or that is not known.
    #[error("the tenant of the token is not the tenant of its issuer, or is not known here")]
    Tenant,
    /// The token is bound to a key that its bearer would have to prove.
    #[error("the token is bound to a key; a bearer token is expected")]
    Bound,
    /// A signed token of another kind: an ID token, a refresh token.
    #[error("the token is not an access token")]
    NotAccess,
    /// The issuer is not trusted with tokens of applications, or of users.
    #[error("the issuer of the token is not trusted with tokens of this kind (application or delegated)")]
    Context,
    /// The built-in authority issued it to an application or a user that was removed since.
    #[error("the application or the user of the token is not known here any more")]
    Withdrawn,
    /// The issuer's keys are not at hand: nothing is wrong with the token as far as can be told.
    #[error("the keys of the token's issuer cannot be fetched right now")]
    KeysUnavailable,
}

impl TokenRefused {
    /// Every reason there is.
    pub const ALL: [Self; Self::VARIANTS.len()] =
        *Self::VARIANTS.first_chunk().expect("as many as there are variants");

    /// The reason as one word, for figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotBearer => "not_bearer",
            Self::Malformed => "malformed",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Tenant => "tenant",
            Self::Bound => "bound",
            Self::NotAccess => "not_access",
            Self::Context => "context",
            Self::Withdrawn => "withdrawn",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }
}

impl Verifier {
    /// A verifier that trusts `trust`, and counts in `figures`.
    pub fn new(trust: Trust, figures: Arc<Figures>) -> Self {
        Self {
            issuers: trust.issuers,
            audiences: trust.audiences.into_iter().collect(),
            registry: trust.registry,
            roles: trust.roles,
            built_in: Reading::of_entra(),
            tid: ClaimPath::tid(),
            remembered: Remembered::new(),
            figures,
        }
    }

    /// The caller behind `token` at `now`. Waits only where the keys of an outside issuer have to be fetched first.
    pub async fn verify(&self, token: &[u8], now: Timestamp) -> Result<Arc<Caller>, TokenRefused> {
        if let Some(caller) = self.remembered.find(token, now) {
            self.figures.count_remembered();
            return Ok(caller);
        }
        // A future of its own: it is large, and seldom needed.
        match Box::pin(self.check(token, now)).await {
            Ok(entry) => {
                self.figures.count_verified();
                let caller = Arc::clone(&entry.caller);
                self.remembered.insert(token, entry);
                Ok(caller)
            }
            Err(why) => {
                self.figures.count_refused(why);
                Err(why)
            }
        }
    }

    /// The issuers that are trusted.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Fetches the keys of outside issuers where that is due, without waiting for them. To be called every few seconds.
    pub fn refresh_keys(&self, now: Timestamp) {
        self.issuers.refresh_on_schedule(now);
    }

    /// The state of each outside issuer.
    pub fn issuer_figures(&self, now: Timestamp) -> Vec<IssuerFigures> {
        self.issuers.figures(now)
    }

    async fn check(&self, token: &[u8], now: Timestamp) -> Result<Entry, TokenRefused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefused::Malformed);
        }
        let token = str::from_utf8(token).map_err(|_| TokenRefused::Malformed)?;
        let header = decode_header(token).map_err(|_| TokenRefused::Malformed)?;
        check_header(&header)?;
        let unverified: UnverifiedIssuer =
            insecure_decode_claims(token).map_err(|_| TokenRefused::Malformed)?;
        let issuer = self.issuers.find(&unverified.iss).ok_or(TokenRefused::Issuer)?;
        let key = issuer.key(&header.kid.ok_or(TokenRefused::Key)?, header.alg, now).await?;
        let claims = verify_signature(token, &key)?;
        // The issuer that was looked up is the verified one: both were read from the same bytes.
        if claims.iss != unverified.iss || !issuer.may_sign(&key, &claims.iss) {
            return Err(TokenRefused::Issuer);
        }
        let expires = self.check_claims(&claims, issuer, now)?;
        let caller = Arc::new(self.caller(&claims, issuer)?);
        Ok(Entry { caller, expires, key })
    }

    /// Checks for whom and when the token is valid; until when that is.
    fn check_claims(
        &self,
        claims: &Claims,
        issuer: &Issuer,
        now: Timestamp,
    ) -> Result<Timestamp, TokenRefused> {
        if !claims.aud.any(|audience| issuer.accepts_audience(audience, &self.audiences)) {
            return Err(TokenRefused::Audience);
        }
        let skew = issuer.clock_skew_seconds();
        let expires = Timestamp::from_second(claims.exp).plus_seconds(skew);
        if now >= expires {
            return Err(TokenRefused::Expired);
        }
        let early = |not_before: i64| now.plus_seconds(skew) < Timestamp::from_second(not_before);
        if claims.nbf.is_some_and(early) {
            return Err(TokenRefused::NotYetValid);
        }
        if claims.cnf.is_some() {
            return Err(TokenRefused::Bound);
        }
        Ok(expires)
    }

    fn caller(&self, claims: &Claims, issuer: &Issuer) -> Result<Caller, TokenRefused> {
        let organization = issuer.organization(claims, &self.tid)?;
        match issuer {
            Issuer::BuiltIn { .. } => {
                let caller = self.built_in.caller(claims, organization, &self.roles)?;
                self.registry.confirm(caller, &self.roles)
            }
            Issuer::Outside { issuer, .. } => issuer.reading.caller(claims, organization, &self.roles),
        }
    }
}

/// What the header may say. Where keys are to be found (`jku`, `jwk`, `x5u`, `x5c`) is not read at all.
fn check_header(header: &Header) -> Result<(), TokenRefused> {
    // Extensions that must be understood (RFC 7515, section 4.1.11): none is.
    if header.crit.is_some() {
        return Err(TokenRefused::Malformed);
    }
    let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "jwt" | "at+jwt" => Ok(()),
        _ => Err(TokenRefused::NotAccess),
    }
}

/// Checks the signature with the algorithm of the key: nothing in the token has a say in it.
fn verify_signature(token: &str, key: &Key) -> Result<Claims, TokenRefused> {
    let data = decode::<Claims>(token, &key.public, &signature_only(key));
    data.map(|data| data.claims).map_err(|error| match error.kind() {
        ErrorKind::Json(_) => TokenRefused::Malformed,
        _ => TokenRefused::Signature,
    })
}

/// The algorithm of the key, and no checks of claims: those need our clock and are ours.
fn signature_only(key: &Key) -> Validation {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
