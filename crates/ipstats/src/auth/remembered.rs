//! Tokens that were verified, until they expire: a signature is checked once, not on every call.
//!
//! A key that its issuer withdrew takes the tokens it signed with it.

use super::caller::Caller;
use super::keys::Key;
use aws_lc_rs::digest::{self, SHA256};
use ipstats_model::Timestamp;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Tokens remembered at once; about a kilobyte each.
const TOKENS_MAX: usize = 10_000;

/// Verified tokens by their SHA-256: the tokens themselves are not kept, and a collision cannot be made.
pub(super) struct Remembered(Cache<[u8; 32], Entry>);

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) caller: Arc<Caller>,
    pub(super) expires: Timestamp,
    /// What it was signed with.
    pub(super) key: Arc<Key>,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self(Cache::new(TOKENS_MAX))
    }

    /// The caller behind a token that was verified before, has not expired, and whose key is still its issuer's.
    pub(super) fn find(&self, token: &str, now: Timestamp) -> Option<Arc<Caller>> {
        let entry = self.0.get(&key(token))?;
        (now < entry.expires && entry.key.is_fresh(now)).then_some(entry.caller)
    }

    pub(super) fn insert(&self, token: &str, entry: Entry) {
        self.0.insert(key(token), entry);
    }
}

fn key(token: &str) -> [u8; 32] {
    let hash = digest::digest(&SHA256, token.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}
