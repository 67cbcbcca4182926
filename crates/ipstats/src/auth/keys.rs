//! The keys of one issuer, by their ids.
//!
//! One bad key never takes the set down: it is left out, and the set keeps the reason. Two keys may have one id where a
//! token's algorithm distinguishes them (RFC 7517, section 4.5); the same key may be listed twice.

use super::published_key::{KeyType, LeftOut, Material, PublishedKey, Unusable};
use ipstats_model::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Most keys of one issuer that are read.
pub(in crate::auth) const KEYS_MAX: usize = 200;

/// A public key and the one algorithm it is used with: that of the key, never that of a token.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) public: DecodingKey,
    /// The issuers whose tokens it may sign, where the key set names them (Entra's does); empty: any of the set's.
    pub(super) issuers: Vec<String>,
    /// Until when, in seconds since the epoch, it is certain enough that the issuer still has it.
    fresh_until: AtomicI64,
    /// None for a key of the built-in authority.
    published: Option<PublishedKey>,
}

/// The keys of one issuer, as they were fetched at one time.
pub(super) struct KeySet {
    pub(super) fetched: Timestamp,
    /// Keys of one id differ in their algorithms.
    by_id: HashMap<String, Vec<Arc<Key>>>,
    left_out: Vec<LeftOut>,
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
            issuers: Vec::new(),
            fresh_until: AtomicI64::new(i64::MAX),
            published: None,
        }
    }

    /// Whether what was verified with it before may be believed without asking again.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now.second() < self.fresh_until.load(Ordering::Relaxed)
    }

    fn new(published: PublishedKey) -> Self {
        Self {
            algorithm: published.algorithm,
            public: published.material.to_decoding_key(),
            issuers: published.issuers.clone(),
            fresh_until: AtomicI64::new(i64::MIN),
            published: Some(published),
        }
    }
}

impl KeySet {
    /// The usable keys of `published`, fetched at `fetched`. Keys that `before` had too stay the same objects; those it
    /// had and that are gone are not fresh any more, wherever they are remembered.
    pub(super) fn new(
        published: &PublishedKeys,
        fetched: Timestamp,
        fresh_until: Timestamp,
        before: Option<&Self>,
    ) -> Self {
        let mut left_out = Vec::new();
        let usable = usable_keys(&published.keys, &mut left_out);
        let mut by_id: HashMap<String, Vec<Arc<Key>>> = HashMap::new();
        for key in usable {
            let known = before.and_then(|before| before.by_id.get(&key.id)).into_iter().flatten();
            let known = known.into_iter().find(|known| known.published.as_ref() == Some(&key));
            let id = key.id.clone();
            let key = known.cloned().unwrap_or_else(|| Arc::new(Key::new(key)));
            by_id.entry(id).or_default().push(key);
        }
        for gone in before.iter().flat_map(|before| before.by_id.values().flatten()) {
            gone.fresh_until.store(i64::MIN, Ordering::Relaxed);
        }
        for key in by_id.values().flatten() {
            key.fresh_until.store(fresh_until.second(), Ordering::Relaxed);
        }
        Self { fetched, by_id, left_out }
    }

    /// The key with this id: the one for `algorithm` where several have it. A token chooses among keys of the issuer that
    /// way, and never the algorithm of a key.
    pub(super) fn find(&self, id: &str, algorithm: Algorithm) -> Option<Arc<Key>> {
        let keys = self.by_id.get(id)?;
        keys.iter().find(|key| key.algorithm == algorithm).or_else(|| keys.first()).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.values().map(Vec::len).sum()
    }

    /// The keys that are not used, and why, in the order of the set.
    pub(super) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

/// The keys that tokens may be signed with; the others are added to `left_out`.
fn usable_keys(keys: &[Value], left_out: &mut Vec<LeftOut>) -> Vec<PublishedKey> {
    let mut usable: Vec<PublishedKey> = Vec::new();
    let mut exposed = Vec::new();
    for key in keys.iter().take(KEYS_MAX) {
        match PublishedKey::read(key) {
            Ok(key) => match usable.iter_mut().find(|known| known.is_copy_of(&key)) {
                // A second copy, such as one with a certificate.
                Some(known) => known.merge(key),
                None => usable.push(key),
            },
            Err(why) => {
                exposed.extend((why == Unusable::Private).then(|| Material::read(key)).flatten());
                left_out.push(LeftOut::of(key, why));
            }
        }
    }
    let ambiguous = ambiguous_ids(&usable);
    usable.retain(|key| {
        let why = if exposed.contains(&key.material) {
            // A copy shows the private part.
            Unusable::Private
        } else if ambiguous.contains(&(key.id.clone(), key.material.key_type())) {
            Unusable::SameId
        } else {
            return true;
        };
        left_out.push(LeftOut::of_id(&key.id, why));
        false
    });
    let beyond = keys.iter().skip(KEYS_MAX);
    left_out.extend(beyond.map(|key| LeftOut::of(key, Unusable::TooMany)));
    usable
}

/// Ids that different keys of one type have: a token must not choose between those.
fn ambiguous_ids(keys: &[PublishedKey]) -> Vec<(String, KeyType)> {
    let mut first: HashMap<(&str, KeyType), &PublishedKey> = HashMap::new();
    let mut ambiguous = Vec::new();
    for key in keys {
        let name = (key.id.as_str(), key.material.key_type());
        if first.entry(name).or_insert(key).material != key.material {
            ambiguous.push((key.id.clone(), key.material.key_type()));
        }
    }
    ambiguous
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::json;

    const MODULUS_2048: usize = 256;

    fn rsa_of(id: &str, byte: u8, bytes: usize, more: &Value) -> Value {
        let n = BASE64_URL_SAFE_NO_PAD.encode(vec![byte; bytes]);
        with(json!({"kty": "RSA", "kid": id, "n": n, "e": "AQAB"}), more)
    }

    fn rsa(id: &str, more: &Value) -> Value {
        rsa_of(id, 0xc1, MODULUS_2048, more)
    }

    fn p256(id: &str, byte: u8) -> Value {
        let coordinate = BASE64_URL_SAFE_NO_PAD.encode([byte; 32]);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": coordinate, "y": coordinate})
    }

    fn with(mut key: Value, more: &Value) -> Value {
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn set(keys: Vec<Value>, at: i64, before: Option<&KeySet>) -> KeySet {
        let (fetched, until) = (Timestamp::from_second(at), Timestamp::from_second(at + 100));
        KeySet::new(&PublishedKeys { keys }, fetched, until, before)
    }

    /// Why the only key of a set is left out; none where it is used.
    fn reason(key: Value) -> Option<String> {
        let set = set(vec![key], 0, None);
        assert_eq!(set.len() + set.left_out().len(), 1);
        set.left_out().first().map(ToString::to_string)
    }

    #[test]
    fn each_key_has_one_algorithm() {
        let keys = vec![
            rsa("entra", &json!({"use": "sig", "x5c": ["…"], "x5t": "t"})),
            rsa("pss", &json!({"alg": "PS256"})),
            p256("curve", 7),
        ];
        let set = set(keys, 0, None);
        let algorithm = |id: &str| set.find(id, Algorithm::HS256).map(|key| key.algorithm);
        assert_eq!(algorithm("entra"), Some(Algorithm::RS256));
        assert_eq!(algorithm("pss"), Some(Algorithm::PS256));
        assert_eq!(algorithm("curve"), Some(Algorithm::ES256));
        assert_eq!((set.len(), set.left_out()), (3, &[][..]));
    }

    #[test]
    fn unusable_key_is_left_out_with_reason() {
        for (key, expected) in [
            (rsa_of("k", 0xc1, 128, &json!({})), "1024 bits"),
            (rsa_of("k", 0xc1, 1025, &json!({})), "from 2048 to 8192"),
            (rsa("k", &json!({"e": "AQ"})), "its e is missing"),
            (rsa("k", &json!({"e": "Ag"})), "its e is missing"),
            (rsa("k", &json!({"n": "!"})), "its n is missing"),
            (rsa("k", &json!({"use": "enc"})), "its use is \"enc\""),
            (rsa("k", &json!({"use": 1})), "its use is missing or not"),
            (rsa("k", &json!({"key_ops": ["encrypt"]})), "its key_ops are [\"encrypt\"]"),
            (rsa("k", &json!({"key_ops": []})), "its key_ops are []"),
            (rsa("k", &json!({"key_ops": "verify"})), "its key_ops is missing or not"),
            (rsa("k", &json!({"key_ops": ["verify", "verify"]})), "name \"verify\" twice"),
            (rsa("k", &json!({"use": "sig", "key_ops": ["encrypt"]})), "without \"verify\""),
            (rsa("k", &json!({"use": "sig", "key_ops": ["verify", "encrypt"]})), "contradict its use"),
            (rsa("k", &json!({"use": "enc", "key_ops": ["verify"]})), "its use is \"enc\""),
            (rsa("k", &json!({"alg": "RSA-OAEP"})), "its alg \"RSA-OAEP\""),
            (rsa("k", &json!({"alg": "HS256"})), "its alg \"HS256\""),
            (rsa("k", &json!({"alg": "ES256"})), "its alg \"ES256\""),
            (rsa("k", &json!({"d": "AQAB"})), "its private part is published"),
            (rsa("", &json!({})), "it has no kid"),
            (with(p256("k", 7), &json!({"alg": "RS256"})), "its alg \"RS256\""),
            (with(p256("k", 7), &json!({"crv": "P-521"})), "its curve \"P-521\""),
            (with(p256("k", 7), &json!({"d": "AQAB"})), "its private part is published"),
            (json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"}), "it is symmetric"),
            (json!({"kty": "new", "kid": "k"}), "its kty \"new\""),
            (json!({"kid": "k"}), "its kty is missing"),
            (json!("no key"), "a key without a kid: it is not a JSON object"),
            (Value::Null, "it is not a JSON object"),
        ] {
            let reason = reason(key.clone()).unwrap_or_default();
            assert!(reason.contains(expected), "{key}: {reason}");
        }
    }

    #[test]
    fn use_and_operations_may_permit_signatures() {
        for more in [
            json!({}),
            json!({"use": null, "key_ops": null, "alg": null}),
            json!({"key_ops": ["verify"]}),
            json!({"key_ops": ["verify", "wrapKey"]}),
            json!({"use": "sig", "key_ops": ["sign", "verify"]}),
            // Members that are not read cannot be wrong.
            json!({"x5c": "not a list", "x5t": 5, "x5u": [], "issuer": 5}),
        ] {
            assert_eq!(reason(rsa("k", &more)), None, "{more}");
        }
    }

    #[test]
    fn same_key_twice_is_one_key() {
        let plain = json!({});
        let twice = set(vec![rsa("k", &plain), rsa("k", &json!({"x5c": ["…"], "use": "sig"}))], 0, None);
        assert_eq!((twice.len(), twice.left_out()), (1, &[][..]));
        let zeros = BASE64_URL_SAFE_NO_PAD.encode([vec![0], vec![0xc1; MODULUS_2048]].concat());
        let padded = set(vec![rsa("k", &plain), rsa("k", &json!({"n": zeros}))], 0, None);
        assert_eq!((padded.len(), padded.left_out()), (1, &[][..]));
        // One key with two algorithms: the token's chooses.
        let two = set(vec![rsa("k", &plain), rsa("k", &json!({"alg": "PS256"}))], 0, None);
        assert_eq!(two.find("k", Algorithm::PS256).unwrap().algorithm, Algorithm::PS256);
        assert_eq!(two.find("k", Algorithm::RS256).unwrap().algorithm, Algorithm::RS256);
    }

    #[test]
    fn copies_keep_restriction_to_issuers() {
        let set = set(
            vec![rsa("k", &json!({"issuer": "a"})), rsa("k", &json!({})), rsa("k", &json!({"issuer": "b"}))],
            0,
            None,
        );
        assert_eq!(set.find("k", Algorithm::RS256).unwrap().issuers, ["a", "b"]);
    }

    #[test]
    fn rsa_and_ec_may_share_kid() {
        let set = set(vec![rsa("k", &json!({})), p256("k", 7)], 0, None);
        assert_eq!(set.find("k", Algorithm::RS256).unwrap().algorithm, Algorithm::RS256);
        assert_eq!(set.find("k", Algorithm::ES256).unwrap().algorithm, Algorithm::ES256);
        assert_eq!(set.left_out(), []);
    }

    #[test]
    fn refuses_different_keys_under_one_kid() {
        let plain = json!({});
        let keys = vec![
            rsa_of("k", 0xc1, MODULUS_2048, &plain),
            rsa_of("k", 0xc3, MODULUS_2048, &plain),
            p256("k", 7),
            rsa("good", &plain),
            p256("curves", 7),
            p256("curves", 8),
        ];
        let set = set(keys, 0, None);
        assert_eq!(set.find("k", Algorithm::RS256).unwrap().algorithm, Algorithm::ES256);
        assert!(
            set.find("curves", Algorithm::ES256).is_none() && set.find("good", Algorithm::RS256).is_some()
        );
        let reasons: Vec<_> = set.left_out().iter().map(|key| key.why.name()).collect();
        assert_eq!(reasons, ["same_kid"; 4]);
        assert!(set.left_out()[0].to_string().contains("same kid"), "{}", set.left_out()[0]);
    }

    #[test]
    fn published_private_part_condemns_every_copy() {
        let set = set(vec![rsa("k", &json!({})), rsa("other", &json!({"d": "AQAB"}))], 0, None);
        assert_eq!((set.len(), set.left_out().len()), (0, 2));
    }

    #[test]
    fn keys_beyond_limit_are_reported() {
        let set = set((0..205).map(|number| rsa(&number.to_string(), &json!({}))).collect(), 0, None);
        assert_eq!((set.len(), set.left_out().len()), (KEYS_MAX, 5));
        let reason = set.left_out()[0].to_string();
        assert_eq!(reason, "\"200\": the set has more than 200 keys");
    }

    #[test]
    fn withdrawn_or_changed_key_is_not_fresh() {
        let time = Timestamp::from_second(150);
        let plain = json!({});
        let names = ["stays", "goes", "changes"];
        let first = set(names.iter().map(|id| rsa(id, &plain)).collect(), 0, None);
        let old = names.map(|id| first.find(id, Algorithm::RS256).unwrap());
        assert!(old.iter().all(|key| key.is_fresh(Timestamp::from_second(99)) && !key.is_fresh(time)));
        let other = rsa("changes", &json!({"alg": "PS256"}));
        let second = set(vec![rsa("stays", &json!({"x5c": ["renewed"]})), other], 100, Some(&first));
        assert_eq!(old.map(|key| key.is_fresh(time)), [true, false, false]);
        assert!(second.find("changes", Algorithm::PS256).unwrap().is_fresh(time));
    }
}
