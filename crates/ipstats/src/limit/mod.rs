//! How often a caller may call.
//!
//! Each (organization, application, operation) has its own quota. Several limits hold at once, each over a sliding span:
//! in no span, wherever it begins, are more calls admitted than the limit says. A refused call is not counted, and with
//! the refusal comes the moment from which a call is admitted if nobody else calls meanwhile.
//!
//! Time is a parameter: the time since some fixed point, which only goes forward. Memory is bounded whatever the number
//! of callers: only callers whose calls have all left their spans are forgotten, and while there is no room a new caller
//! is turned away (fails closed) and those who are known go on. No organization takes all of that room, whatever number of
//! applications it makes up.
//!
//! A refusal costs little but not nothing, and a caller who goes on calling as fast as it is refused takes its share of the
//! machine from others. So refusals beyond a burst are to be held back a little: a loop of calls then runs at the pace
//! of its refusals, and others do not notice it.
//!
//! [`Limiter`] is asked asynchronously because replicas of the service may count calls together, outside of this process.

mod call_log;
mod local;
mod patience;
mod shared;

pub use local::LocalLimiter;
pub use shared::SharedLimiter;

use crate::config::{RateLimit, SharedLimits};
use crate::operation::Operation;
use ipstats_model::Organization;
use std::time::Duration;

/// Decides who may call now.
pub enum Limiter {
    /// Quotas are kept in this process.
    Local(LocalLimiter),
    /// Quotas are kept where replicas count calls together.
    Shared(Box<SharedLimiter>),
}

/// Whose quota it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallKey<'a> {
    /// The organization whose data is read.
    pub organization: Organization,
    /// The application that asks.
    pub application: &'a str,
    /// What it asks for.
    pub operation: Operation,
}

/// Whether a call is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is, and was counted.
    Admitted,
    /// It is not, and was not counted.
    Refused {
        /// The limit that holds it back longest.
        limit: RateLimit,
        /// When a call is admitted if nobody else calls meanwhile.
        free_at: Duration,
        /// How long the refusal should be held back: nothing for who heeds refusals, more for who goes on calling.
        pause: Duration,
    },
}

/// No quota can be kept for this caller: nothing is known about what it called, so nothing is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{callers} callers are active already and there is no room to count the calls of another of this organization"
)]
pub struct NoRoom {
    /// Callers whose calls are counted.
    pub callers: usize,
    /// When the first of them may be forgotten, if it does not call again.
    pub free_at: Duration,
}

impl Limiter {
    /// Quotas in this process, or where `shared` says; no limits admit everything.
    pub fn new(limits: &[RateLimit], shared: Option<&SharedLimits>) -> Self {
        match shared {
            None => Self::Local(LocalLimiter::new(limits)),
            Some(shared) => Self::Shared(Box::new(SharedLimiter::new(limits, shared))),
        }
    }

    /// Decides about a call at `now`, and counts it where it is admitted.
    pub async fn decide(&self, key: CallKey<'_>, now: Duration) -> Result<Decision, NoRoom> {
        match self {
            Self::Local(limiter) => limiter.decide(key, now),
            // In a box, so that requests are no larger where nothing is shared.
            Self::Shared(limiter) => Box::pin(limiter.decide(key, now)).await,
        }
    }

    /// Goes on with other limits. Calls that were counted stay counted.
    pub fn set_limits(&self, limits: &[RateLimit]) {
        match self {
            Self::Local(limiter) => limiter.set_limits(limits),
            Self::Shared(limiter) => limiter.set_limits(limits),
        }
    }

    /// Callers whose calls are counted.
    pub fn callers(&self) -> usize {
        match self {
            Self::Local(limiter) => limiter.callers(),
            Self::Shared(limiter) => limiter.callers(),
        }
    }

    /// Whether calls are counted together with the other replicas now; nothing where they never are.
    pub fn is_shared_now(&self) -> Option<bool> {
        match self {
            Self::Local(_) => None,
            Self::Shared(limiter) => Some(limiter.is_shared_now()),
        }
    }

    /// Tries once to reach what quotas are kept in. Takes a few seconds at most.
    pub async fn reach(&self) {
        match self {
            Self::Local(_) => {}
            Self::Shared(limiter) => limiter.reach().await,
        }
    }

    /// Keeps reaching it, for as long as it is polled.
    pub async fn keep(&self) {
        match self {
            Self::Local(_) => {}
            Self::Shared(limiter) => limiter.keep().await,
        }
    }
}

/// Seconds from `now` to `free_at`, rounded up; at least 1, so that no client comes again at once.
pub fn retry_after_seconds(free_at: Duration, now: Duration) -> u32 {
    let wait = free_at.saturating_sub(now);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}
