//! Public keys of issuers, and the one algorithm each of them is used with.
//!
//! Of a key set only what can verify a signature is kept: RSA keys of 2048 bits or more and elliptic curve keys, with
//! an id and not for encryption. Symmetric keys never are: who knows the key set could sign with them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ipstats_model::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Most keys of one issuer that are looked at.
const KEYS_MAX: usize = 200;

/// Shortest modulus of an RSA key, in bytes (NIST SP 800-131A).
const MODULUS_BYTES_MIN: usize = 256;

/// A public key and the one algorithm it is used with: that of the key, never that of a token.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) public: DecodingKey,
    /// The one issuer whose tokens it may sign, where the key set says so (Entra's does).
    pub(super) issuer: Option<String>,
    /// Until when, in seconds since the epoch, it is certain enough that the issuer still has it.
    fresh_until: AtomicI64,
    published: Value,
}

/// The keys of one issuer, as they were fetched at one time.
pub(super) struct KeySet {
    pub(super) fetched: Timestamp,
    by_id: HashMap<String, Arc<Key>>,
}

/// A key set as it is on the wire (RFC 7517, section 5).
#[derive(Deserialize)]
pub(super) struct PublishedKeys {
    keys: Vec<Value>,
}

impl Key {
    /// The key of the built-in authority: its process has it, so it is never withdrawn.
    pub(super) fn built_in(algorithm: Algorithm, public: DecodingKey) -> Self {
        Self {
            algorithm,
            public,
            issuer: None,
            fresh_until: AtomicI64::new(i64::MAX),
            published: Value::Null,
        }
    }

    /// Whether what was verified with it before may be believed without asking again.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now.second() < self.fresh_until.load(Ordering::Relaxed)
    }

    fn of(published: &Value) -> Option<(String, Self)> {
        let jwk = Jwk::deserialize(published).ok()?;
        let is_for_signatures =
            jwk.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
        let id = jwk.common.key_id.clone().filter(|id| !id.is_empty() && is_for_signatures)?;
        let key = Self {
            algorithm: algorithm(&jwk)?,
            public: DecodingKey::from_jwk(&jwk).ok()?,
            issuer: published.get("issuer").and_then(Value::as_str).map(str::to_owned),
            fresh_until: AtomicI64::new(i64::MIN),
            published: published.clone(),
        };
        Some((id, key))
    }
}

impl KeySet {
    /// What can be used of `published`, fetched at `fetched`. Keys that `before` had too stay the same objects; those it
    /// had and that are gone are not fresh any more, wherever they are remembered.
    pub(super) fn new(
        published: &PublishedKeys,
        fetched: Timestamp,
        fresh_until: Timestamp,
        before: Option<&Self>,
    ) -> Self {
        let mut by_id: HashMap<String, Arc<Key>> = HashMap::new();
        let mut ambiguous = Vec::new();
        for (id, key) in published.keys.iter().take(KEYS_MAX).filter_map(Key::of) {
            let known = before
                .and_then(|before| before.by_id.get(&id))
                .filter(|known| known.published == key.published);
            let key = known.cloned().unwrap_or_else(|| Arc::new(key));
            if by_id.insert(id.clone(), key).is_some() {
                ambiguous.push(id);
            }
        }
        // Two keys of one name: which is meant, a token must not choose.
        by_id.retain(|id, _| !ambiguous.contains(id));
        for gone in before.iter().flat_map(|before| before.by_id.values()) {
            gone.fresh_until.store(i64::MIN, Ordering::Relaxed);
        }
        for key in by_id.values() {
            key.fresh_until.store(fresh_until.second(), Ordering::Relaxed);
        }
        Self { fetched, by_id }
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Key>> {
        self.by_id.get(id).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

/// The algorithm of a key: what its `alg` says where that fits its type; without one RS256 for RSA, and that of its curve.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let said = jwk.common.key_algorithm;
    match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = BASE64_URL_SAFE_NO_PAD.decode(rsa.n.trim_end_matches('=')).ok()?;
            let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
            (bytes >= MODULUS_BYTES_MIN).then(|| rsa_algorithm(said)).flatten()
        }
        AlgorithmParameters::EllipticCurve(curve) => match (&curve.curve, said) {
            (EllipticCurve::P256, None | Some(KeyAlgorithm::ES256)) => Some(Algorithm::ES256),
            (EllipticCurve::P384, None | Some(KeyAlgorithm::ES384)) => Some(Algorithm::ES384),
            _ => None,
        },
        _ => None,
    }
}

fn rsa_algorithm(said: Option<KeyAlgorithm>) -> Option<Algorithm> {
    match said {
        None | Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
        Some(KeyAlgorithm::RS384) => Some(Algorithm::RS384),
        Some(KeyAlgorithm::RS512) => Some(Algorithm::RS512),
        Some(KeyAlgorithm::PS256) => Some(Algorithm::PS256),
        Some(KeyAlgorithm::PS384) => Some(Algorithm::PS384),
        Some(KeyAlgorithm::PS512) => Some(Algorithm::PS512),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MODULUS_2048: usize = 256;

    fn rsa(id: &str, bytes: usize, more: &Value) -> Value {
        let n = BASE64_URL_SAFE_NO_PAD.encode(vec![0xc1; bytes]);
        let mut key = json!({"kty": "RSA", "kid": id, "n": n, "e": "AQAB"});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn set(keys: Vec<Value>, at: i64, before: Option<&KeySet>) -> KeySet {
        let (fetched, until) = (Timestamp::from_second(at), Timestamp::from_second(at + 100));
        KeySet::new(&PublishedKeys { keys }, fetched, until, before)
    }

    #[test]
    fn each_key_has_one_algorithm_and_what_cannot_verify_is_left_out() {
        let coordinate = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
        let p256 =
            |id: &str| json!({"kty": "EC", "crv": "P-256", "kid": id, "x": coordinate, "y": coordinate});
        let keys = vec![
            rsa("entra", MODULUS_2048, &json!({"use": "sig", "x5c": ["…"], "x5t": "t"})),
            rsa("pss", MODULUS_2048, &json!({"alg": "PS256"})),
            p256("curve"),
            rsa("short", 128, &json!({})),
            rsa("encryption", MODULUS_2048, &json!({"use": "enc"})),
            rsa("oaep", MODULUS_2048, &json!({"alg": "RSA-OAEP"})),
            rsa("hmac", MODULUS_2048, &json!({"alg": "HS256"})),
            rsa("", MODULUS_2048, &json!({})),
            rsa("twice", MODULUS_2048, &json!({})),
            rsa("twice", MODULUS_2048, &json!({"alg": "RS512"})),
            json!({"kty": "oct", "kid": "symmetric", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "new", "kid": "unknown"}),
            json!("no key"),
        ];
        let set = set(keys, 0, None);
        let algorithm = |id: &str| set.find(id).map(|key| key.algorithm);
        assert_eq!(algorithm("entra"), Some(Algorithm::RS256));
        assert_eq!(algorithm("pss"), Some(Algorithm::PS256));
        assert_eq!(algorithm("curve"), Some(Algorithm::ES256));
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn a_key_that_is_gone_or_changed_is_not_believed_any_more() {
        let time = Timestamp::from_second(150);
        let plain = json!({});
        let names = ["stays", "goes", "changes"];
        let first = set(names.iter().map(|id| rsa(id, MODULUS_2048, &plain)).collect(), 0, None);
        let old = names.map(|id| first.find(id).unwrap());
        assert!(old.iter().all(|key| key.is_fresh(Timestamp::from_second(99)) && !key.is_fresh(time)));
        let other = rsa("changes", MODULUS_2048, &json!({"alg": "PS256"}));
        let second = set(vec![rsa("stays", MODULUS_2048, &plain), other], 100, Some(&first));
        assert_eq!(old.map(|key| key.is_fresh(time)), [true, false, false]);
        assert!(second.find("changes").unwrap().is_fresh(time));
    }
}
