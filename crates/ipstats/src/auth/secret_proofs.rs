//! Proof of a secret, of an application or of a user, without letting anyone wear the machine out.
//!
//! A hash takes tens of milliseconds and 19 MiB on purpose. So hashing runs on blocking threads, one for each core at
//! most, with a bounded queue; a secret that was right is remembered (as a keyed hash) so that a playbook that fetches
//! a token for every call costs microseconds; and an owner whose secret was wrong too often has to wait.
//!
//! Secrets of applications are random: nobody guesses one, so that a remembered one is taken even while the application
//! has to wait (who guesses does not lock out who knows). Passwords of users can be guessed: there the wait comes first,
//! and it comes for names that nobody has, too, or it would tell which names there are.

use crate::config::{Application, ClientId, User};
use crate::secret::{Secret, SecretError, SecretHash};
use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use ipstats_model::{Organization, Timestamp};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Right secrets remembered at once.
const REMEMBERED_MAX: usize = 1024;

/// Proofs that may run or wait at once: a second or so of work.
const WAITING_MAX: usize = 32;

/// Wrong secrets that an owner may show within [`FAILURE_SECONDS`] before it has to wait.
const FAILURES_MAX: u32 = 10;

/// The span over which wrong secrets are counted.
const FAILURE_SECONDS: i64 = 60;

/// Names of users that nobody has, whose failures are counted at once.
const STRANGERS_MAX: usize = 4096;

/// Checks secrets.
pub struct SecretProofs {
    remembered: Cache<[u8; 32], ()>,
    /// Keys the hashes of remembered secrets: what leaks from memory cannot be guessed against.
    memory_key: hmac::Key,
    waiting: Semaphore,
    running: Arc<Semaphore>,
    /// One entry a configured owner: bounded by the configuration.
    failures: Mutex<HashMap<Owner, Failures>>,
    /// The same for users that do not exist. Apart, so that made-up names cannot displace real ones.
    strangers: Cache<[u8; 32], Failures>,
    /// Stands in for the hash of an owner that does not exist, so that it takes as long.
    nobody: SecretHash,
}

/// Whose secret it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Application(ClientId),
    User(Uuid),
    /// A user that does not exist, by the hash of the name.
    Stranger([u8; 32]),
}

#[derive(Clone, Copy)]
struct Failures {
    since: Timestamp,
    count: u32,
}

/// Why a proof failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretRefused {
    /// No such owner, or another secret: which one is not told.
    #[error("the name is unknown or the secret is wrong")]
    Wrong,
    /// Wrong too often.
    #[error("the secret was wrong too often; try again in {retry_after_seconds} seconds")]
    TooOften {
        /// When the next try is looked at.
        retry_after_seconds: u32,
    },
    /// Too many proofs are waiting.
    #[error("too many secrets are being proved at once")]
    Busy,
}

impl SecretProofs {
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
            strangers: Cache::new(STRANGERS_MAX),
            nobody: Secret::generate()?.hash()?,
        })
    }

    /// Whether `secret` is the one of `application`, of which there may be none by that id.
    pub async fn prove_application(
        &self,
        application: Option<&Application>,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<(), SecretRefused> {
        let owner = application.map(|application| Owner::Application(application.client_id));
        let hash = application.and_then(|application| application.secret_hash.as_ref());
        let hash = hash.unwrap_or(&self.nobody).clone();
        if hash != self.nobody && self.remembered.get(&self.memory_of(&hash, secret)).is_some() {
            return Ok(());
        }
        // Client ids are no secret: that there is none may be found out.
        let Some(owner) = owner else { return self.prove(None, hash, secret, now).await };
        self.check_failures(owner, now)?;
        self.prove(Some(owner), hash, secret, now).await
    }

    /// Whether `password` is the one of `user`, who is called `name` in `organization`, if there is such a user.
    pub async fn prove_user(
        &self,
        user: Option<&User>,
        organization: Organization,
        name: &str,
        password: &Secret,
        now: Timestamp,
    ) -> Result<(), SecretRefused> {
        let owner = user.map_or_else(|| stranger(organization, name), |user| Owner::User(user.oid));
        let hash = user.map_or(&self.nobody, |user| &user.password_hash).clone();
        self.check_failures(owner, now)?;
        if user.is_some() && self.remembered.get(&self.memory_of(&hash, password)).is_some() {
            return Ok(());
        }
        self.prove(Some(owner), hash, password, now).await
    }

    async fn prove(
        &self,
        owner: Option<Owner>,
        hash: SecretHash,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<(), SecretRefused> {
        let key = self.memory_of(&hash, secret);
        let is_somebodys = hash != self.nobody;
        // The hash that stands in is computed like any other: it takes as long, and proves nothing.
        if self.verify(hash, secret.clone()).await? && is_somebodys {
            self.remembered.insert(key, ());
            return Ok(());
        }
        if let Some(owner) = owner {
            self.count_failure(owner, now);
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

    fn check_failures(&self, owner: Owner, now: Timestamp) -> Result<(), SecretRefused> {
        let failures = match owner {
            Owner::Stranger(name) => self.strangers.get(&name),
            known => self.failures.lock().get(&known).copied(),
        };
        let Some(failures) = failures.filter(|failures| failures.count >= FAILURES_MAX) else {
            return Ok(());
        };
        let until = failures.since.plus_seconds(FAILURE_SECONDS);
        match u32::try_from(until.second() - now.second()) {
            Ok(retry_after_seconds @ 1..) => Err(SecretRefused::TooOften { retry_after_seconds }),
            _ => Ok(()),
        }
    }

    /// Those that are proved at the same time are counted when they are done: a few more than the limit may pass.
    fn count_failure(&self, owner: Owner, now: Timestamp) {
        match owner {
            Owner::Stranger(name) => {
                let failures = self.strangers.get(&name).unwrap_or_else(|| Failures::none(now));
                self.strangers.insert(name, failures.and_another(now));
            }
            known => {
                let mut failures = self.failures.lock();
                let failures = failures.entry(known).or_insert_with(|| Failures::none(now));
                *failures = failures.and_another(now);
            }
        }
    }
}

impl Failures {
    fn none(now: Timestamp) -> Self {
        Self { since: now, count: 0 }
    }

    /// With one more; what lies behind the span does not count any more.
    fn and_another(self, now: Timestamp) -> Self {
        let counted = if now >= self.since.plus_seconds(FAILURE_SECONDS) { Self::none(now) } else { self };
        Self { count: counted.count.saturating_add(1), ..counted }
    }
}

fn stranger(organization: Organization, name: &str) -> Owner {
    let hash = digest::digest(&SHA256, format!("{organization}/{}", name.to_lowercase()).as_bytes());
    Owner::Stranger(hash.as_ref().first_chunk().copied().unwrap_or_default())
}
