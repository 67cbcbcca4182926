//! The claims of a token as they are on the wire: those that are read, and those that are written.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Claims of a token that came in. Unknown claims are ignored; known ones of a wrong type make the token malformed.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: Audience,
    pub(super) exp: i64,
    pub(super) nbf: Option<i64>,
    pub(super) tid: String,
    /// The application, in tokens of version 1.
    pub(super) appid: Option<String>,
    /// The application, in tokens of version 2.
    pub(super) azp: Option<String>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    /// Present in delegated tokens, whatever its value: even `null` must not make one an application token.
    #[serde(default, deserialize_with = "present")]
    pub(super) scp: Option<Value>,
}

/// `aud` is a string or an array of strings (RFC 7519, section 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The one claim that is read before the signature is checked: it says whose keys to check with.
#[derive(Debug, Deserialize)]
pub(super) struct UnverifiedIssuer {
    pub(super) iss: String,
}

impl Audience {
    pub(super) fn any(&self, accepted: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(audience) => accepted(audience),
            Self::Several(audiences) => audiences.iter().any(|audience| accepted(audience)),
        }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Claims of an application token, as Entra shapes them.
#[derive(Debug, Serialize)]
pub(super) struct IssuedClaims<'a> {
    pub(super) aud: &'a str,
    pub(super) iss: &'a str,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    #[serde(flatten)]
    pub(super) application: IssuedApplication<'a>,
    pub(super) idp: &'a str,
    pub(super) idtyp: &'static str,
    pub(super) oid: String,
    pub(super) roles: &'a [String],
    pub(super) sub: String,
    pub(super) tid: String,
    pub(super) uti: String,
    pub(super) ver: &'static str,
}

/// How the two versions of tokens name the application and say that it proved a secret ("1").
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum IssuedApplication<'a> {
    V1 { app_displayname: &'a str, appid: String, appidacr: &'static str },
    V2 { azp: String, azpacr: &'static str },
}
