//! One key of a published key set (RFC 7517): what of it can verify a signature, or why it cannot.
//!
//! RSA keys and elliptic curve keys with an id are usable, if the set allows signatures with them. Symmetric keys never
//! are: anyone who reads the set could sign with them. The same is true of a key whose private part is published.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};
use std::fmt;

/// Shortest and longest modulus of an RSA key, in bytes (NIST SP 800-131A; the longest that can be verified).
const MODULUS_BYTES_MIN: usize = 256;
const MODULUS_BYTES_MAX: usize = 1024;

/// Most characters of an id that are shown.
const ID_CHARS_MAX: usize = 100;

/// Members of RSA and elliptic curve keys that only their owner may know (RFC 7518, sections 6.2.2 and 6.3.2).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// A key that verifies signatures, under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublishedKey {
    pub(super) id: String,
    pub(super) algorithm: Algorithm,
    pub(super) material: Material,
    /// `issuer`, which Entra adds: whose tokens it may sign. Empty: any of the set's.
    pub(super) issuers: Vec<String>,
}

/// The numbers of a public key, without leading zeros where their length has no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    EllipticCurve { curve: Curve, x: Vec<u8>, y: Vec<u8> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

/// `kty`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KeyType {
    Rsa,
    EllipticCurve,
}

/// Why a key of a set is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is not a JSON object")]
    NotAnObject,
    #[error("its {0} is missing or not as RFC 7518 has it")]
    Member(&'static str),
    #[error("it has no kid")]
    NoId,
    #[error("its kty {0:?} is not RSA or EC")]
    KeyType(String),
    #[error("it is symmetric (kty oct): anyone who reads the set could sign with it")]
    Symmetric,
    #[error("its private part is published: anyone who reads the set can sign with it; replace the key")]
    Private,
    #[error("its use is {0:?}, not \"sig\"")]
    Use(String),
    #[error("its key_ops are {0}, without \"verify\"")]
    Operations(String),
    #[error("its key_ops {0} contradict its use \"sig\" (RFC 7517, section 4.3)")]
    Inconsistent(String),
    #[error("its key_ops name {0:?} twice (RFC 7517, section 4.3)")]
    OperationTwice(String),
    #[error("its alg {0:?} is not one that such a key signs tokens with")]
    Algorithm(String),
    #[error("its curve {0:?} is not P-256 or P-384")]
    Curve(String),
    #[error("its modulus has {0} bits; from 2048 to 8192 are accepted")]
    ModulusLength(usize),
    #[error("another key of its type has the same kid (RFC 7517, section 4.5)")]
    SameId,
    #[error("the set has more than {} keys", super::keys::KEYS_MAX)]
    TooMany,
}

/// A key that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) id: Option<String>,
    pub(super) why: Unusable,
}

impl PublishedKey {
    /// The key that `published` describes, if it can verify signatures of tokens. Members that are of no use here (`x5c`,
    /// `x5t`, …) are not read, so that nothing can be wrong with them.
    pub(super) fn read(published: &Value) -> Result<Self, Unusable> {
        let members = published.as_object().ok_or(Unusable::NotAnObject)?;
        let key_type = key_type(members)?;
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(Unusable::Private);
        }
        check_use(members)?;
        let alg = match members.get("alg") {
            None | Some(Value::Null) => None,
            Some(alg) => Some(alg.as_str().ok_or(Unusable::Member("alg"))?),
        };
        let (algorithm, material) = match key_type {
            KeyType::Rsa => (rsa_algorithm(alg)?, rsa_material(members)?),
            KeyType::EllipticCurve => elliptic_curve(members, alg)?,
        };
        let id = members.get("kid").and_then(Value::as_str).filter(|id| !id.is_empty());
        let issuer = members.get("issuer").and_then(Value::as_str);
        Ok(Self {
            id: id.ok_or(Unusable::NoId)?.to_owned(),
            algorithm,
            material,
            issuers: issuer.map(str::to_owned).into_iter().collect(),
        })
    }

    /// Whether both are one key with one algorithm, under one id.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        (&self.id, self.algorithm, &self.material) == (&other.id, other.algorithm, &other.material)
    }

    /// Takes in a copy: the key may sign tokens of each issuer that a copy names.
    pub(super) fn merge(&mut self, copy: Self) {
        for issuer in copy.issuers {
            if !self.issuers.contains(&issuer) {
                self.issuers.push(issuer);
            }
        }
    }
}

impl Material {
    /// The numbers of a published key, whatever it is for.
    pub(super) fn read(published: &Value) -> Option<Self> {
        let members = published.as_object()?;
        match key_type(members).ok()? {
            KeyType::Rsa => rsa_material(members).ok(),
            KeyType::EllipticCurve => elliptic_curve(members, None).ok().map(|(_, material)| material),
        }
    }

    pub(super) fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { .. } => KeyType::Rsa,
            Self::EllipticCurve { .. } => KeyType::EllipticCurve,
        }
    }

    pub(super) fn to_decoding_key(&self) -> DecodingKey {
        match self {
            Self::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(modulus, exponent),
            // An uncompressed point (SEC 1, section 2.3.3).
            Self::EllipticCurve { x, y, .. } => DecodingKey::from_ec_der(&[&[4], &x[..], &y[..]].concat()),
        }
    }
}

impl LeftOut {
    pub(super) fn of(published: &Value, why: Unusable) -> Self {
        match published.get("kid").and_then(Value::as_str) {
            Some(id) => Self::of_id(id, why),
            None => Self { id: None, why },
        }
    }

    pub(super) fn of_id(id: &str, why: Unusable) -> Self {
        Self { id: Some(id.chars().take(ID_CHARS_MAX).collect()), why }
    }

    /// Whether sets have such keys for good reasons: for encryption, or of a newer kind.
    pub(super) fn is_ordinary(&self) -> bool {
        match &self.why {
            Unusable::Use(_)
            | Unusable::Operations(_)
            | Unusable::KeyType(_)
            | Unusable::Curve(_)
            | Unusable::Algorithm(_) => true,
            Unusable::NotAnObject
            | Unusable::Member(_)
            | Unusable::NoId
            | Unusable::Symmetric
            | Unusable::Private
            | Unusable::Inconsistent(_)
            | Unusable::OperationTwice(_)
            | Unusable::ModulusLength(_)
            | Unusable::SameId
            | Unusable::TooMany => false,
        }
    }
}

impl Unusable {
    /// The reason as one word, for metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::NotAnObject | Self::Member(_) => "malformed",
            Self::NoId => "no_kid",
            Self::KeyType(_) | Self::Curve(_) => "unsupported_type",
            Self::Symmetric => "symmetric",
            Self::Private => "private_part_published",
            Self::Use(_) | Self::Operations(_) => "not_for_signatures",
            Self::Inconsistent(_) | Self::OperationTwice(_) => "inconsistent_use",
            Self::Algorithm(_) => "unsupported_algorithm",
            Self::ModulusLength(_) => "key_length",
            Self::SameId => "same_kid",
            Self::TooMany => "too_many_keys",
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{id:?}: {}", self.why),
            None => write!(f, "a key without a kid: {}", self.why),
        }
    }
}

fn key_type(members: &Map<String, Value>) -> Result<KeyType, Unusable> {
    match members.get("kty").and_then(Value::as_str) {
        Some("RSA") => Ok(KeyType::Rsa),
        Some("EC") => Ok(KeyType::EllipticCurve),
        Some("oct") => Err(Unusable::Symmetric),
        Some(other) => Err(Unusable::KeyType(other.to_owned())),
        None => Err(Unusable::Member("kty")),
    }
}

/// `use` and `key_ops` (RFC 7517, sections 4.2 and 4.3): each alone may rule signatures out, and both must agree.
fn check_use(members: &Map<String, Value>) -> Result<(), Unusable> {
    let is_for_signatures = match members.get("use") {
        None | Some(Value::Null) => false,
        Some(value) => match value.as_str().ok_or(Unusable::Member("use"))? {
            "sig" => true,
            other => return Err(Unusable::Use(other.to_owned())),
        },
    };
    let operations = match members.get("key_ops") {
        None | Some(Value::Null) => return Ok(()),
        Some(operations) => operations.as_array().ok_or(Unusable::Member("key_ops"))?,
    };
    let names: Option<Vec<&str>> = operations.iter().map(Value::as_str).collect();
    let names = names.ok_or(Unusable::Member("key_ops"))?;
    let twice =
        names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|other| other == *name));
    if let Some((_, name)) = twice {
        return Err(Unusable::OperationTwice((*name).to_owned()));
    }
    if !names.contains(&"verify") {
        return Err(Unusable::Operations(format!("{names:?}")));
    }
    if is_for_signatures && names.iter().any(|name| !["sign", "verify"].contains(name)) {
        return Err(Unusable::Inconsistent(format!("{names:?}")));
    }
    Ok(())
}

/// The algorithm that `alg` names; RS256 without one.
fn rsa_algorithm(alg: Option<&str>) -> Result<Algorithm, Unusable> {
    match alg {
        None | Some("RS256") => Ok(Algorithm::RS256),
        Some("RS384") => Ok(Algorithm::RS384),
        Some("RS512") => Ok(Algorithm::RS512),
        Some("PS256") => Ok(Algorithm::PS256),
        Some("PS384") => Ok(Algorithm::PS384),
        Some("PS512") => Ok(Algorithm::PS512),
        Some(other) => Err(Unusable::Algorithm(other.to_owned())),
    }
}

fn rsa_material(members: &Map<String, Value>) -> Result<Material, Unusable> {
    let modulus = without_leading_zeros(&number(members, "n")?);
    if !(MODULUS_BYTES_MIN..=MODULUS_BYTES_MAX).contains(&modulus.len()) {
        return Err(Unusable::ModulusLength(modulus.len() * 8));
    }
    let exponent = without_leading_zeros(&number(members, "e")?);
    // With an exponent of 1 everything is a signature of itself; an even one has no inverse.
    if exponent.last().is_none_or(|last| last % 2 == 0) || exponent == [1] {
        return Err(Unusable::Member("e"));
    }
    Ok(Material::Rsa { modulus, exponent })
}

fn elliptic_curve(
    members: &Map<String, Value>,
    alg: Option<&str>,
) -> Result<(Algorithm, Material), Unusable> {
    let crv = members.get("crv").and_then(Value::as_str).ok_or(Unusable::Member("crv"))?;
    let (curve, bytes, algorithm, name) = match crv {
        "P-256" => (Curve::P256, 32, Algorithm::ES256, "ES256"),
        "P-384" => (Curve::P384, 48, Algorithm::ES384, "ES384"),
        other => return Err(Unusable::Curve(other.to_owned())),
    };
    if let Some(other) = alg.filter(|alg| *alg != name) {
        return Err(Unusable::Algorithm(other.to_owned()));
    }
    let coordinate = |name| padded(&number(members, name)?, bytes, name);
    Ok((algorithm, Material::EllipticCurve { curve, x: coordinate("x")?, y: coordinate("y")? }))
}

/// A number in base64url.
fn number(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Unusable> {
    let text = members.get(name).and_then(Value::as_str).ok_or(Unusable::Member(name))?;
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| Unusable::Member(name))
}

fn without_leading_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// A coordinate at its full length (RFC 7518, section 6.2.1.2), which some issuers cut leading zeros from.
fn padded(number: &[u8], bytes: usize, name: &'static str) -> Result<Vec<u8>, Unusable> {
    let number = without_leading_zeros(number);
    let zeros = bytes.checked_sub(number.len()).ok_or(Unusable::Member(name))?;
    Ok([vec![0; zeros], number].concat())
}
