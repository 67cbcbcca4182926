//! The claims of a token as they are on the wire: those that are read, and those that are written.

use crate::config::ClaimPath;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

/// Times with a fraction are below this: from here on, doubles are not exact to the second (2^53).
const FRACTION_SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

/// Claims of a token that came in: those that mean the same whoever issued it, and all others.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: Audience,
    /// In whole seconds, as `nbf`: a fraction is rounded to the stricter side.
    #[serde(deserialize_with = "rounded_down")]
    pub(super) exp: i64,
    #[serde(default, deserialize_with = "rounded_up")]
    pub(super) nbf: Option<i64>,
    /// A token that is bound to a key is no bearer token.
    #[serde(default, deserialize_with = "present")]
    pub(super) cnf: Option<Value>,
    #[serde(flatten)]
    pub(super) others: Map<String, Value>,
}

/// A claim, or several, of a type that was not expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType;

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

impl Claims {
    /// The claim at `path`, if it is there, whatever it holds.
    pub(super) fn find(&self, path: &ClaimPath) -> Option<&Value> {
        let path = path.as_str();
        let Some(pointer) = path.strip_prefix('/') else { return self.others.get(path) };
        let mut parts = pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
        let first = self.others.get(&parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(&part))
    }

    /// The text at `path`.
    pub(super) fn text(&self, path: &ClaimPath) -> Result<Option<&str>, WrongType> {
        match self.find(path) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    /// The list of texts at `path`.
    pub(super) fn list(&self, path: &ClaimPath) -> Result<Vec<String>, WrongType> {
        match self.find(path) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or(WrongType)).collect()
            }
            Some(_) => Err(WrongType),
        }
    }

    /// The words at `path`: a text with blanks between them, or a list.
    pub(super) fn words(&self, path: &ClaimPath) -> Result<Vec<String>, WrongType> {
        match self.find(path) {
            Some(Value::String(text)) => Ok(text.split_ascii_whitespace().map(str::to_owned).collect()),
            _ => self.list(path),
        }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A `NumericDate` (RFC 7519, section 2): a number of seconds, with a fraction or without.
fn rounded_down<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    whole_seconds(&Number::deserialize(deserializer)?, f64::floor)
}

fn rounded_up<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<Number>::deserialize(deserializer)?;
    number.map(|number| whole_seconds(&number, f64::ceil)).transpose()
}

fn whole_seconds<E: serde::de::Error>(number: &Number, round: fn(f64) -> f64) -> Result<i64, E> {
    if let Some(seconds) = number.as_i64() {
        return Ok(seconds);
    }
    let seconds = number.as_f64().map(round).filter(|seconds| seconds.abs() < FRACTION_SECONDS_MAX);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and in range")]
    seconds.map(|seconds| seconds as i64).ok_or_else(|| E::custom("no time in seconds"))
}

/// Claims of a token that is issued, as Entra shapes them.
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
    #[serde(flatten)]
    pub(super) subject: IssuedSubject<'a>,
    pub(super) tid: String,
    pub(super) uti: String,
    pub(super) ver: &'static str,
}

/// In whose name a token speaks. Only a user's has `scp`, and only an application's has `roles`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum IssuedSubject<'a> {
    Application {
        idtyp: &'static str,
        oid: String,
        roles: &'a [String],
        sub: String,
    },
    User {
        amr: [&'static str; 1],
        groups: Vec<&'a str>,
        idtyp: &'static str,
        name: &'a str,
        oid: String,
        preferred_username: &'a str,
        scp: String,
        sub: String,
        upn: &'a str,
    },
}

/// How the two versions of tokens name the application and say whether it proved a secret ("1") or has none ("0").
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum IssuedApplication<'a> {
    V1 { app_displayname: &'a str, appid: String, appidacr: &'static str },
    V2 { azp: String, azpacr: &'static str },
}
