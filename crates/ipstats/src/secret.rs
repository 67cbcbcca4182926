//! Secrets of applications: made at random, kept as argon2id hashes, never shown by `Debug`.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;

/// Random bytes in a new secret: 256 bits cannot be guessed.
const SECRET_BYTES: usize = 32;

/// A secret in clear.
#[derive(Clone)]
pub struct Secret(String);

/// An argon2id hash of a secret: a PHC string that is known to be well-formed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(String);

/// The text is no argon2id hash. The text itself is not told: it may be a secret in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an argon2id hash (make one with `ipstats secret`)")]
pub struct InvalidSecretHash;

/// The system would give no randomness, or not enough memory to hash.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a secret cannot be made: {reason}")]
pub struct SecretError {
    reason: String,
}

impl SecretError {
    /// The system gives no randomness.
    pub(crate) fn no_randomness() -> Self {
        Self { reason: "the system gives no randomness".to_owned() }
    }
}

impl Secret {
    /// A new secret.
    pub fn generate() -> Result<Self, SecretError> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| SecretError::no_randomness())?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret, for the one who is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What to keep of it, with a salt of its own. Takes tens of milliseconds and 19 MiB (OWASP's parameters).
    pub fn hash(&self) -> Result<SecretHash, SecretError> {
        let hash = Argon2::default().hash_password(self.0.as_bytes());
        hash.map(|hash| SecretHash(hash.to_string()))
            .map_err(|error| SecretError { reason: error.to_string() })
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl SecretHash {
    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `secret` is the one that was hashed. Takes as long and as much memory as the hash asks for.
    pub fn verify(&self, secret: &Secret) -> bool {
        PasswordHash::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(secret.0.as_bytes(), &hash).is_ok())
    }
}

impl FromStr for SecretHash {
    type Err = InvalidSecretHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match PasswordHash::new(text) {
            Ok(hash)
                if hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some() =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidSecretHash),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_hash_and_no_other() {
        let secret = Secret::generate().unwrap();
        let hash = secret.hash().unwrap();
        assert!(hash.verify(&secret));
        assert!(!hash.verify(&Secret::generate().unwrap()));
        assert_eq!(hash.as_str().parse(), Ok(hash.clone()));
        assert_ne!(hash, secret.hash().unwrap(), "each hash has its own salt");
        assert_eq!(secret.reveal().len(), 43);
    }

    #[test]
    fn nothing_but_argon2id_is_a_hash_and_nothing_is_shown() {
        let other = "$argon2i$v=19$m=65536,t=1,p=1$c29tZXNhbHQAAAAAAAAAAA$+r0d29hqEB0yasKr55ZgICsQGSkl0v0kgwhd+U3wyRo";
        for text in ["", "hunter2", "$argon2id$", "$argon2id$v=19$m=65536,t=1,p=1", other] {
            let error = text.parse::<SecretHash>().unwrap_err().to_string();
            assert!(!error.contains("hunter2") && error.contains("ipstats secret"), "{error}");
        }
        let hash: SecretHash = other.replace("argon2i$", "argon2id$").parse().unwrap();
        assert_eq!(format!("{hash:?} {:?}", Secret::from("hunter2".to_owned())), "SecretHash(…) Secret(…)");
    }
}
