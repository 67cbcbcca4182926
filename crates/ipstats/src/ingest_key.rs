//! Keys under which logs are sent in: made at random, kept as SHA-256.
//!
//! A key comes with every request, so checking one has to be cheap; and a key has 256 random bits, so there is nothing
//! to guess that a slow hash would protect. What does not have the form of a key that was made here is refused before
//! it is hashed: nobody can configure a password of their own as one.

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fmt::{self, Write};
use std::str::FromStr;

/// What every key begins with, so that a leaked one is recognized for what it is.
const KEY_PREFIX: &str = "ipstats_";
const HASH_PREFIX: &str = "sha256:";
const KEY_BYTES: usize = 32;

/// A key in clear.
pub struct IngestKey(String);

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IngestKeyHash([u8; 32]);

/// The text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an ingest key (make one with `ipstats secret --ingest-key`)")]
pub struct InvalidIngestKey;

/// The text is not the hash of a key. The text itself is not told: it may be the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the hash of an ingest key (make one with `ipstats secret --ingest-key`)")]
pub struct InvalidIngestKeyHash;

impl IngestKey {
    /// A new key.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{KEY_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The key, for the one who is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What to keep of it.
    pub fn hash(&self) -> IngestKeyHash {
        let hash = digest::digest(&SHA256, self.0.as_bytes());
        IngestKeyHash(hash.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl FromStr for IngestKey {
    type Err = InvalidIngestKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let random = text.strip_prefix(KEY_PREFIX).and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
        match random {
            Some(bytes) if bytes.len() == KEY_BYTES => Ok(Self(text.to_owned())),
            _ => Err(InvalidIngestKey),
        }
    }
}

impl FromStr for IngestKeyHash {
    type Err = InvalidIngestKeyHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(HASH_PREFIX).ok_or(InvalidIngestKeyHash)?;
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidIngestKeyHash);
        }
        let mut bytes = [0; 32];
        for (position, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 * position..2 * position + 2).ok_or(InvalidIngestKeyHash)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidIngestKeyHash)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for IngestKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HASH_PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for IngestKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('…')
    }
}

impl fmt::Debug for IngestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IngestKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_hash_and_the_hash_one_text() {
        let key = IngestKey::generate().unwrap();
        let read: IngestKey = key.reveal().parse().unwrap();
        assert_eq!(read.hash(), key.hash());
        assert_ne!(IngestKey::generate().unwrap().hash(), key.hash());
        let text = key.hash().to_string();
        assert_eq!(text.parse(), Ok(key.hash()));
        assert_eq!(text.to_uppercase().replace("SHA256", "sha256").parse(), Ok(key.hash()));
        assert_eq!(format!("{key:?} {:?}", key.hash()), "IngestKey(…) …");
    }

    #[test]
    fn what_was_not_made_here_is_no_key() {
        let key = IngestKey::generate().unwrap();
        let bare = key.reveal().trim_start_matches(KEY_PREFIX).to_owned();
        for text in ["", "ipstats_", "ipstats_hunter2", &bare, &format!("{}A", key.reveal())] {
            assert!(text.parse::<IngestKey>().is_err(), "{text}");
        }
        for text in [
            "",
            "sha256:",
            key.reveal(),
            &key.hash().to_string()[..70],
            &format!("sha256:{}", "g".repeat(64)),
        ] {
            assert!(text.parse::<IngestKeyHash>().is_err(), "{text}");
        }
        assert!(format!("sha256:{}", "é".repeat(32)).parse::<IngestKeyHash>().is_err());
    }
}
