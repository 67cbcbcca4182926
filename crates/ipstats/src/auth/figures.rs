//! How often tokens were accepted and refused, and how the keys of issuers are: plain numbers for whoever shows them.

use super::verifier::TokenRefused;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the process began; a reload does not reset them.
#[derive(Debug, Default)]
pub struct Figures {
    verified: AtomicU64,
    remembered: AtomicU64,
    refused: [AtomicU64; TokenRefused::ALL.len()],
}

/// The state of one outside issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFigures {
    /// What people call it.
    pub name: String,
    /// Keys that tokens may be signed with.
    pub keys: usize,
    /// Keys of its set that are not used, by the reason as one word.
    pub keys_left_out: BTreeMap<&'static str, usize>,
    /// How long ago they were fetched; none if they never were.
    pub keys_age_seconds: Option<i64>,
    /// How often fetching was begun.
    pub fetches: u64,
    /// How often it failed.
    pub fetches_failed: u64,
}

impl Figures {
    /// Tokens whose signature was checked and that were accepted.
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    /// Tokens that were accepted because they had been before.
    pub fn remembered(&self) -> u64 {
        self.remembered.load(Ordering::Relaxed)
    }

    /// Tokens that were refused, by the [name](TokenRefused::name) of the reason; every reason is there.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        TokenRefused::ALL
            .iter()
            .zip(&self.refused)
            .map(|(why, count)| (why.name(), count.load(Ordering::Relaxed)))
    }

    pub(super) fn count_verified(&self) {
        self.verified.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_remembered(&self) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal; those without a token are only seen by whoever looks for one.
    pub fn count_refused(&self, why: TokenRefused) {
        let reasons = TokenRefused::ALL.iter().zip(&self.refused);
        for (_, count) in reasons.filter(|(reason, _)| **reason == why) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
