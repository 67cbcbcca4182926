//! From a bearer token to a [`Caller`], or to the reason why there is none.

use super::caller::Caller;
use super::claims::{Claims, UnverifiedIssuer};
use super::issuers::{Issuers, VerificationKey};
use super::remembered::Remembered;
use ipstats_model::{Organization, Timestamp};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Validation, decode, decode_header};
use std::collections::HashSet;
use std::sync::Arc;

/// Longest token that is looked at, in bytes. Entra's stay below 8 KiB, groups included.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Verifies tokens, and remembers those that were verified.
pub struct Verifier {
    issuers: Issuers,
    audiences: HashSet<String>,
    remembered: Remembered,
}

/// Why a token was refused. Safe to tell: nothing here depends on a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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
    /// The token speaks for an organization that its issuer does not speak for.
    #[error("the tenant of the token is not the tenant of its issuer")]
    Tenant,
}

impl Verifier {
    /// A verifier that trusts `issuers` and accepts tokens made out to any of `audiences`.
    pub fn new(issuers: Issuers, audiences: impl IntoIterator<Item = String>) -> Self {
        Self { issuers, audiences: audiences.into_iter().collect(), remembered: Remembered::new() }
    }

    /// The caller behind `token` at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, TokenRefused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefused::Malformed);
        }
        if let Some(caller) = self.remembered.find(token, now) {
            return Ok(caller);
        }
        let (organization, claims) = self.verify_signature(token)?;
        self.check(&claims, organization, now)?;
        let expires = Timestamp::from_second(claims.exp);
        let application = claims.appid.clone().or(claims.azp.clone()).ok_or(TokenRefused::Malformed)?;
        let caller = Arc::new(Caller::new(organization, application, claims));
        self.remembered.insert(token, Arc::clone(&caller), expires);
        Ok(caller)
    }

    /// Checks the signature with the key that the token names, of the issuer that it names. Nothing else in the token
    /// (`alg`, `jku`, `jwk`, `x5c`, …) has a say in which key that is.
    fn verify_signature(&self, token: &str) -> Result<(Organization, Claims), TokenRefused> {
        let header = decode_header(token).map_err(|_| TokenRefused::Malformed)?;
        // Extensions that must be understood (RFC 7515, section 4.1.11): none is.
        if header.crit.is_some() {
            return Err(TokenRefused::Malformed);
        }
        let unverified: UnverifiedIssuer =
            insecure_decode_claims(token).map_err(|_| TokenRefused::Malformed)?;
        let issuer = self.issuers.find(&unverified.iss).ok_or(TokenRefused::Issuer)?;
        let key = header.kid.and_then(|id| issuer.key(&id)).ok_or(TokenRefused::Key)?;
        let data = decode::<Claims>(token, key.public, &signature_only(&key)).map_err(|error| match error
            .kind()
        {
            jsonwebtoken::errors::ErrorKind::Json(_) => TokenRefused::Malformed,
            _ => TokenRefused::Signature,
        })?;
        Ok((issuer.organization, data.claims))
    }

    fn check(&self, claims: &Claims, organization: Organization, now: Timestamp) -> Result<(), TokenRefused> {
        if !claims.aud.any(|audience| self.audiences.contains(audience)) {
            return Err(TokenRefused::Audience);
        }
        if now.second() >= claims.exp {
            return Err(TokenRefused::Expired);
        }
        if claims.nbf.is_some_and(|not_before| now.second() < not_before) {
            return Err(TokenRefused::NotYetValid);
        }
        // The verified issuer is the one that was looked up: both were read from the same bytes.
        if self.issuers.find(&claims.iss).map(|issuer| issuer.organization) != Some(organization) {
            return Err(TokenRefused::Issuer);
        }
        match claims.tid.parse::<Organization>() {
            Ok(tenant) if tenant == organization => Ok(()),
            _ => Err(TokenRefused::Tenant),
        }
    }
}

/// The algorithm of the key, and no checks of claims: those need our clock and are ours.
fn signature_only(key: &VerificationKey<'_>) -> Validation {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
