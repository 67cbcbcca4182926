//! Tokens that were verified, until they expire: a signature is checked once, not on every call.
//!
//! A key that its issuer withdrew takes the tokens it signed with it.

use super::caller::Caller;
use super::keys::Key;
use foldhash::quality::RandomState;
use ipstats_model::Timestamp;
use quick_cache::Equivalent;
use quick_cache::sync::{Cache, DefaultLifecycle};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Tokens remembered at once, together, in bytes: 16 MiB. Most have about a kilobyte.
const TOKENS_BYTES_MAX: u64 = 16 << 20;

/// Tokens that are expected to be remembered at once.
const TOKENS_EXPECTED: usize = 10_000;

/// Verified tokens. Only what was verified gets in, so that nobody can crowd others out, or one hash, with what they made up.
pub(super) struct Remembered(Cache<Token<Box<[u8]>>, Entry, Weighter, RandomState>);

/// The bytes of a token. They are compared whole, and hashed by their end: in a token that was verified that is a
/// signature, and nothing tells tokens apart better.
#[derive(PartialEq, Eq)]
struct Token<T>(T);

/// Bytes of the end that are hashed.
const HASHED_BYTES: usize = 32;

impl<T: AsRef<[u8]>> Hash for Token<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_ref();
        bytes.last_chunk::<HASHED_BYTES>().map_or(bytes, |end| end.as_slice()).hash(state);
    }
}

impl Equivalent<Token<Box<[u8]>>> for Token<&[u8]> {
    fn equivalent(&self, kept: &Token<Box<[u8]>>) -> bool {
        *self.0 == *kept.0
    }
}

#[derive(Clone)]
struct Weighter;

impl quick_cache::Weighter<Token<Box<[u8]>>, Entry> for Weighter {
    fn weight(&self, token: &Token<Box<[u8]>>, _: &Entry) -> u64 {
        token.0.len() as u64
    }
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) caller: Arc<Caller>,
    pub(super) expires: Timestamp,
    /// What it was signed with.
    pub(super) key: Arc<Key>,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self(Cache::with(
            TOKENS_EXPECTED,
            TOKENS_BYTES_MAX,
            Weighter,
            RandomState::default(),
            DefaultLifecycle::default(),
        ))
    }

    /// The caller behind a token that was verified before, has not expired, and whose key is still its issuer's.
    pub(super) fn find(&self, token: &[u8], now: Timestamp) -> Option<Arc<Caller>> {
        let entry = self.0.get(&Token(token))?;
        (now < entry.expires && entry.key.is_fresh(now)).then_some(entry.caller)
    }

    pub(super) fn insert(&self, token: &[u8], entry: Entry) {
        self.0.insert(Token(token.into()), entry);
    }
}
