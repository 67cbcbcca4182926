//! The keys of one outside issuer: fetched, kept, fetched again on schedule and when a token names one that is not known.
//!
//! Invariants: one fetch at a time, however many wait for it; a pause between fetches that strangers can cause, and after
//! one that failed; nobody waits longer than a fetch may take; keys are not believed beyond their age.

use super::fetch;
use super::figures::IssuerFigures;
use super::keys::{Key, KeySet};
use super::published_key::LeftOut;
use crate::config::KeySource;
use crate::telemetry::chain;
use arc_swap::ArcSwapOption;
use ipstats_model::Timestamp;
use jsonwebtoken::Algorithm;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Least time between two fetches because of keys that are not known: strangers can name any.
const UNKNOWN_KEY_PAUSE_SECONDS: i64 = 30;

/// Least time after a fetch that failed.
const FAILURE_PAUSE_SECONDS: i64 = 10;

/// Most keys of one set that are logged because they are not used.
const LEFT_OUT_LINES_MAX: usize = 20;

/// Longest wait of a request for keys: two documents, and somebody else's two before them.
const WAIT_SECONDS_MAX: u64 = 16;

/// The keys of an issuer.
pub(super) struct Provider {
    /// What people call the issuer.
    name: String,
    source: KeySource,
    keys: ArcSwapOption<KeySet>,
    /// Held by whoever fetches.
    flight: Arc<tokio::sync::Mutex<()>>,
    attempts: Mutex<Attempts>,
    fetches: AtomicU64,
    fetches_failed: AtomicU64,
}

#[derive(Default)]
struct Attempts {
    failed: Option<Timestamp>,
    for_unknown_key: Option<Timestamp>,
}

/// Why keys are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// They are as old as they are to become.
    Schedule,
    /// They are older than that, or there are none, and a request needs them.
    Need,
    /// A token names one that is not known.
    UnknownKey,
}

/// There is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of that name.
    Unknown,
    /// What keys the issuer has cannot be told right now.
    Unavailable,
}

impl Provider {
    pub(super) fn new(name: &str, source: &KeySource) -> Self {
        Self {
            name: name.to_owned(),
            source: source.clone(),
            keys: ArcSwapOption::empty(),
            flight: Arc::default(),
            attempts: Mutex::default(),
            fetches: AtomicU64::new(0),
            fetches_failed: AtomicU64::new(0),
        }
    }

    /// Whether these are the keys of that issuer, under that name.
    pub(super) fn is_of(&self, name: &str, source: &KeySource) -> bool {
        self.name == name && self.source == *source
    }

    /// The key with this id, for `algorithm` where several have it; which may take fetching.
    pub(super) async fn key(
        self: &Arc<Self>,
        id: &str,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<Key>, NoKey> {
        self.refresh_if(Reason::Need, now).await;
        let keys = self.usable(now).ok_or(NoKey::Unavailable)?;
        if let Some(key) = keys.find(id, algorithm) {
            return Ok(key);
        }
        self.refresh_if(Reason::UnknownKey, now).await;
        match self.usable(now).and_then(|keys| keys.find(id, algorithm)) {
            Some(key) => Ok(key),
            None if self.attempts.lock().failed.is_some() => Err(NoKey::Unavailable),
            None => Err(NoKey::Unknown),
        }
    }

    /// Fetches keys that are due, without waiting for them.
    pub(super) fn refresh_on_schedule(self: &Arc<Self>, now: Timestamp) {
        self.begin(Reason::Schedule, now);
    }

    pub(super) fn figures(&self, now: Timestamp) -> IssuerFigures {
        let keys = self.keys.load();
        IssuerFigures {
            name: self.name.clone(),
            keys: keys.as_ref().map_or(0, |keys| keys.len()),
            keys_left_out: keys.as_ref().map(|keys| reasons_of(keys.left_out())).unwrap_or_default(),
            keys_age_seconds: keys.as_ref().map(|keys| now.second() - keys.fetched.second()),
            fetches: self.fetches.load(Ordering::Relaxed),
            fetches_failed: self.fetches_failed.load(Ordering::Relaxed),
        }
    }

    /// The keys there are, unless they are too old to be believed.
    fn usable(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let too_old = |keys: &KeySet| now >= keys.fetched.plus_seconds(self.source.max_age_seconds);
        self.keys.load_full().filter(|keys| !too_old(keys))
    }

    /// Fetches keys where that is due, or waits for whoever does already. The fetch goes on when the caller goes away.
    async fn refresh_if(self: &Arc<Self>, reason: Reason, now: Timestamp) {
        if reason == Reason::Need {
            if !self.is_due(reason, now) {
                return;
            }
            // While the issuer is not reached, keys that may still be believed do not wait for it.
            if self.attempts.lock().failed.is_some() && self.usable(now).is_some() {
                return self.begin(reason, now);
            }
        }
        let turn = async {
            let flight = Arc::clone(&self.flight).lock_owned().await;
            // Whoever had the turn before may have fetched what is needed.
            if self.is_due(reason, now) {
                // A fetch that panicked is one that failed: there are no keys.
                let _ = tokio::spawn(Arc::clone(self).fetch(reason, now, flight)).await;
            }
        };
        // Who waited in vain goes on with the keys there are.
        let _ = tokio::time::timeout(Duration::from_secs(WAIT_SECONDS_MAX), turn).await;
    }

    /// Begins to fetch keys where that is due and nobody does already.
    fn begin(self: &Arc<Self>, reason: Reason, now: Timestamp) {
        if self.is_due(reason, now)
            && let Ok(flight) = Arc::clone(&self.flight).try_lock_owned()
            && self.is_due(reason, now)
        {
            tokio::spawn(Arc::clone(self).fetch(reason, now, flight));
        }
    }

    fn is_due(&self, reason: Reason, now: Timestamp) -> bool {
        let passed = |since: Option<Timestamp>, seconds: i64| {
            // A clock that was set back must not keep keys for ever.
            since.is_none_or(|since| now >= since.plus_seconds(seconds) || now < since)
        };
        let attempts = self.attempts.lock();
        let may_ask = passed(attempts.failed, FAILURE_PAUSE_SECONDS);
        let fetched = self.keys.load().as_ref().map(|keys| keys.fetched);
        may_ask
            && match reason {
                Reason::Schedule => passed(fetched, self.source.refresh_seconds),
                Reason::Need => passed(fetched, self.fresh_seconds()),
                Reason::UnknownKey => passed(attempts.for_unknown_key, UNKNOWN_KEY_PAUSE_SECONDS),
            }
    }

    /// For how long keys count as the issuer's present ones: one fetch on schedule may be missed.
    fn fresh_seconds(&self) -> i64 {
        self.source.refresh_seconds.saturating_mul(2).min(self.source.max_age_seconds)
    }

    async fn fetch(
        self: Arc<Self>,
        reason: Reason,
        now: Timestamp,
        flight: tokio::sync::OwnedMutexGuard<()>,
    ) {
        if reason == Reason::UnknownKey {
            self.attempts.lock().for_unknown_key = Some(now);
        }
        self.fetches.fetch_add(1, Ordering::Relaxed);
        match fetch::keys(&self.source).await {
            Ok(published) => {
                let before = self.keys.load_full();
                let fresh_until = now.plus_seconds(self.fresh_seconds());
                let keys = KeySet::new(&published, now, fresh_until, before.as_deref());
                let failed_before = self.attempts.lock().failed.take();
                let is_news = before.is_none() || failed_before.is_some();
                self.report(&keys, is_news, before.as_deref());
                self.keys.store(Some(Arc::new(keys)));
            }
            Err(error) => {
                self.fetches_failed.fetch_add(1, Ordering::Relaxed);
                self.attempts.lock().failed = Some(now);
                let issuer = &self.name;
                tracing::warn!(issuer, "the keys of an issuer cannot be fetched: {}", chain(&error));
            }
        }
        drop(flight);
    }

    fn report(&self, fetched: &KeySet, is_news: bool, before: Option<&KeySet>) {
        let (issuer, keys) = (&self.name, fetched.len());
        if keys == 0 {
            tracing::warn!(issuer, "the issuer publishes no key that can be used (RSA or EC, with a kid)");
        } else if is_news {
            tracing::info!(issuer, keys, "the keys of an issuer were fetched");
        } else {
            tracing::debug!(issuer, keys, "the keys of an issuer were fetched again");
        }
        if before.is_none_or(|before| before.left_out() != fetched.left_out()) {
            self.report_left_out(fetched.left_out());
        }
    }

    /// Logs each key that is not used, and why, when that changes. Keys for encryption are no reason to warn.
    fn report_left_out(&self, left_out: &[LeftOut]) {
        let issuer = &self.name;
        for key in left_out.iter().take(LEFT_OUT_LINES_MAX) {
            let key_and_reason = key.to_string();
            if key.is_ordinary() {
                tracing::info!(issuer, "a key of an issuer is not used: {key_and_reason}");
            } else {
                tracing::warn!(issuer, "a key of an issuer is not used: {key_and_reason}");
            }
        }
        let more = left_out.len().saturating_sub(LEFT_OUT_LINES_MAX);
        if more > 0 {
            tracing::warn!(
                issuer,
                more,
                "more keys of an issuer are not used; `ipstats_issuer_keys_left_out` counts them"
            );
        }
    }
}

/// How many keys are left out for each reason.
fn reasons_of(left_out: &[LeftOut]) -> BTreeMap<&'static str, usize> {
    let mut reasons = BTreeMap::new();
    for key in left_out {
        *reasons.entry(key.why.name()).or_default() += 1;
    }
    reasons
}
