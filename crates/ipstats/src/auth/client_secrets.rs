//! Proof of a client secret, without letting anyone wear the machine out.
//!
//! A hash takes tens of milliseconds and 19 MiB on purpose. So hashing runs on blocking threads, one for each core at
//! most, with a bounded queue; a secret that was right is remembered (as a keyed hash) so that a playbook that fetches
//! a token for every call costs microseconds; and an application whose secret was wrong too often has to wait, except
//! with a remembered secret: who guesses does not lock out who knows.

use crate::config::{Application, ClientId};
use crate::secret::{Secret, SecretError, SecretHash};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use ipstats_model::Timestamp;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use tokio::sync::Semaphore;

/// Right secrets remembered at once.
const REMEMBERED_MAX: usize = 1024;

/// Proofs that may run or wait at once: a second or so of work.
const WAITING_MAX: usize = 32;

/// Wrong secrets that an application may show within [`FAILURE_SECONDS`] before it has to wait.
const FAILURES_MAX: u32 = 10;

/// The span over which wrong secrets are counted.
const FAILURE_SECONDS: i64 = 60;

/// Checks secrets of applications.
pub struct ClientSecrets {
    remembered: Cache<[u8; 32], ()>,
    /// Keys the hashes of remembered secrets: what leaks from memory cannot be guessed against.
    memory_key: hmac::Key,
    waiting: Semaphore,
    running: Arc<Semaphore>,
    failures: Mutex<HashMap<ClientId, Failures>>,
    /// Stands in for the hash of an application that does not exist, so that it takes as long.
    nobody: SecretHash,
}

#[derive(Clone, Copy)]
struct Failures {
    since: Timestamp,
    count: u32,
}

/// Why a proof failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretRefused {
    /// No such application, or another secret: which one is not told.
    #[error("the client id is unknown or the client secret is wrong")]
    Wrong,
    /// Wrong too often.
    #[error("the client secret was wrong too often; try again in {retry_after_seconds} seconds")]
    TooOften {
        /// When the next try is looked at.
        retry_after_seconds: u32,
    },
    /// Too many proofs are waiting.
    #[error("too many clients are proving their secrets at once")]
    Busy,
}

impl ClientSecrets {
    /// Nothing remembered, no failures.
    pub fn new() -> Result<Self, SecretError> {
        let memory_key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| SecretError::no_randomness())?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            remembered: Cache::new(REMEMBERED_MAX),
            memory_key,
            waiting: Semaphore::new(WAITING_MAX),
            running: Arc::new(Semaphore::new(cores)),
            failures: Mutex::default(),
            nobody: Secret::generate()?.hash()?,
        })
    }

    /// Whether `secret` is the one of `application`, of which there may be none by that id.
    pub async fn prove(
        &self,
        application: Option<&Application>,
        secret: Secret,
        now: Timestamp,
    ) -> Result<(), SecretRefused> {
        let hash = application.map_or(&self.nobody, |application| &application.secret_hash).clone();
        let key = self.memory_of(&hash, &secret);
        if self.remembered.get(&key).is_some() {
            return Ok(());
        }
        if let Some(application) = application {
            self.check_failures(application.client_id, now)?;
        }
        if self.verify(hash, secret).await? && application.is_some() {
            self.remembered.insert(key, ());
            return Ok(());
        }
        if let Some(application) = application {
            self.count_failure(application.client_id, now);
        }
        Err(SecretRefused::Wrong)
    }

    async fn verify(&self, hash: SecretHash, secret: Secret) -> Result<bool, SecretRefused> {
        let waiting = self.waiting.try_acquire().map_err(|_| SecretRefused::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| SecretRefused::Busy)?;
        let proof = tokio::task::spawn_blocking(move || {
            let right = hash.verify(&secret);
            drop(running);
            right
        });
        let right = proof.await.map_err(|_| SecretRefused::Busy)?;
        drop(waiting);
        Ok(right)
    }

    fn memory_of(&self, hash: &SecretHash, secret: &Secret) -> [u8; 32] {
        // The hash names the secret's owner (its salt is random) and has no zero byte in it.
        let message = [hash.as_str(), "\0", secret.reveal()].concat();
        let tag = hmac::sign(&self.memory_key, message.as_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    fn check_failures(&self, client: ClientId, now: Timestamp) -> Result<(), SecretRefused> {
        let failures = self.failures.lock();
        let Some(failures) = failures.get(&client).filter(|failures| failures.count >= FAILURES_MAX) else {
            return Ok(());
        };
        let until = failures.since.plus_seconds(FAILURE_SECONDS);
        match u32::try_from(until.second() - now.second()) {
            Ok(retry_after_seconds @ 1..) => Err(SecretRefused::TooOften { retry_after_seconds }),
            _ => Ok(()),
        }
    }

    fn count_failure(&self, client: ClientId, now: Timestamp) {
        let mut failures = self.failures.lock();
        // One entry a configured application: the map is bounded by the configuration.
        let failures = failures.entry(client).or_insert(Failures { since: now, count: 0 });
        if now >= failures.since.plus_seconds(FAILURE_SECONDS) {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }
}
