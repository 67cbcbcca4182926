//! Proof of a secret, of an application or of a user, without letting anyone wear the machine out.
//!
//! A hash takes tens of milliseconds and 19 MiB on purpose. So hashing runs on blocking threads, one for each core at
//! most, with a bounded queue, and all that twice: made-up names of users cannot keep applications out. A secret that was
//! right is remembered (as a keyed hash) so that a playbook that fetches a token for every call costs microseconds; and an
//! owner whose secret was wrong too often is held back.
//!
//! Secrets of applications are random: nobody guesses one, so that what is held back is work only. A remembered secret is
//! taken all the same, and others are looked at one at a time: who guesses does not lock out who knows. Client ids are no
//! secret: one that nobody has is refused without any work.
//!
//! Passwords of users can be guessed: there nothing is looked at for a while, and that and the work are the same for names
//! that nobody has, or they would tell which names there are.

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Right secrets remembered at once.
const REMEMBERED_MAX: usize = 1024;

/// Proofs that may run or wait at once, of applications and of users each: a second or so of work.
const WAITING_MAX: usize = 32;

/// Wrong secrets that an owner may show within [`FAILURE_SECONDS`] before it is held back.
const FAILURES_MAX: u32 = 10;

/// The span over which wrong secrets are counted.
const FAILURE_SECONDS: i64 = 60;

/// After how many seconds an application may try again whose one proof at a time is another's.
const ALONE_RETRY_SECONDS: u32 = 1;

/// Names of users that nobody has, whose failures are counted at once.
const STRANGERS_MAX: usize = 4096;

/// Checks secrets.
pub struct SecretProofs {
    remembered: Cache<[u8; 32], ()>,
    /// Keys the hashes of remembered secrets: what leaks from memory cannot be guessed against.
    memory_key: hmac::Key,
    of_applications: Queue,
    of_users: Queue,
    /// Where applications that are held back are proved one at a time. Bounded by the configuration.
    alone: Mutex<HashMap<ClientId, Arc<Semaphore>>>,
    /// One entry a configured owner: bounded by the configuration.
    failures: Mutex<HashMap<Owner, Failures>>,
    /// The same for users that do not exist. Apart, so that made-up names cannot displace real ones.
    strangers: Cache<[u8; 32], Failures>,
    /// Stands in for the hash of a user that does not exist, so that it takes as long.
    nobody: SecretHash,
}

/// Proofs that wait, and those that run.
struct Queue {
    waiting: Semaphore,
    running: Arc<Semaphore>,
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
            of_applications: Queue::new(cores),
            of_users: Queue::new(cores),
            alone: Mutex::default(),
            failures: Mutex::default(),
            strangers: Cache::new(STRANGERS_MAX),
            nobody: Secret::generate()?.hash()?,
        })
    }

    /// Whether `secret` is the one of `application`, of which there may be none by that id, or which may have none.
    pub async fn prove_application(
        &self,
        application: Option<&Application>,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<(), SecretRefused> {
        let known = application.and_then(|known| Some((known.client_id, known.secret_hash.as_ref()?)));
        let (client_id, hash) = known.ok_or(SecretRefused::Wrong)?;
        let memory = self.memory_of(hash, secret);
        if self.remembered.get(&memory).is_some() {
            return Ok(());
        }
        let owner = Owner::Application(client_id);
        let place = match self.check_failures(owner, now) {
            Ok(()) => None,
            Err(_) => Some(self.alone(client_id)?),
        };
        let is_right = self.of_applications.verify(hash.clone(), secret.clone(), place).await?;
        self.conclude(is_right, owner, memory, now)
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
        let memory = self.memory_of(&hash, password);
        if user.is_some() && self.remembered.get(&memory).is_some() {
            return Ok(());
        }
        // The hash that stands in is computed like any other: it takes as long, and proves nothing.
        let is_right = self.of_users.verify(hash, password.clone(), None).await? && user.is_some();
        self.conclude(is_right, owner, memory, now)
    }

    /// Remembers a right secret, and counts a wrong one.
    fn conclude(
        &self,
        is_right: bool,
        owner: Owner,
        memory: [u8; 32],
        now: Timestamp,
    ) -> Result<(), SecretRefused> {
        if is_right {
            self.remembered.insert(memory, ());
            return Ok(());
        }
        self.count_failure(owner, now);
        Err(SecretRefused::Wrong)
    }

    /// The one place of an application that is held back, if it is free.
    fn alone(&self, client_id: ClientId) -> Result<OwnedSemaphorePermit, SecretRefused> {
        let mut alone = self.alone.lock();
        let place = alone.entry(client_id).or_insert_with(|| Arc::new(Semaphore::new(1)));
        let retry_after_seconds = ALONE_RETRY_SECONDS;
        Arc::clone(place).try_acquire_owned().map_err(|_| SecretRefused::TooOften { retry_after_seconds })
    }

    fn memory_of(&self, hash: &SecretHash, secret: &Secret) -> [u8; 32] {
        // The hash names the secret's owner (its salt is random) and has no zero byte in it.
        let message = [hash.as_str(), "\0", secret.reveal()].concat();
        let tag = hmac::sign(&self.memory_key, message.as_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// Whether the owner is held back.
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

impl Queue {
    fn new(cores: usize) -> Self {
        Self { waiting: Semaphore::new(WAITING_MAX), running: Arc::new(Semaphore::new(cores)) }
    }

    /// Whether `secret` is the one of `hash`. `place` is given back when the work is done, even if nobody waits for it.
    async fn verify(
        &self,
        hash: SecretHash,
        secret: Secret,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<bool, SecretRefused> {
        let waiting = self.waiting.try_acquire().map_err(|_| SecretRefused::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| SecretRefused::Busy)?;
        let proof = tokio::task::spawn_blocking(move || {
            let right = hash.verify(&secret);
            drop((running, place));
            right
        });
        let right = proof.await.map_err(|_| SecretRefused::Busy)?;
        drop(waiting);
        Ok(right)
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
