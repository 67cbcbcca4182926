//! Quotas of several replicas, counted together in Redis or Valkey.
//!
//! One script on the server (`decide.lua`) decides about a call, all limits of its caller at once, by the server's own clock:
//! the same sliding spans as in this process, however many replicas ask. A decision takes a bounded time. Where the server
//! does not answer in that time, or is away, each replica admits its part of the limits by itself and asks the server
//! no more until it answers again, so that no call waits for it twice.
//!
//! What a replica admitted it also counts for itself: when the server goes away, its part of the limits begins with that. The
//! server learns nothing of what was admitted while it was away.

mod question;
mod server;

use self::question::{Limits, Ruling};
use self::server::Server;
use super::{CallKey, Decision, LocalLimiter, NoRoom};
use crate::config::{RateLimit, SharedLimits};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Quotas that are kept outside of this process.
pub struct SharedLimiter {
    settings: SharedLimits,
    limits: ArcSwap<Limits>,
    server: Server,
    /// What this replica admitted, held against its part of the limits.
    own: LocalLimiter,
}

impl SharedLimiter {
    pub(super) fn new(limits: &[RateLimit], settings: &SharedLimits) -> Self {
        Self {
            own: LocalLimiter::new(&settings.share(limits)),
            limits: ArcSwap::from_pointee(Limits::new(limits)),
            server: Server::new(settings.clone()),
            settings: settings.clone(),
        }
    }

    pub(super) async fn decide(&self, key: CallKey<'_>, now: Duration) -> Result<Decision, NoRoom> {
        let limits = self.limits.load_full();
        if limits.in_force.is_empty() {
            return Ok(Decision::Admitted);
        }
        if !self.server.is_there() {
            return self.own.decide(key, now);
        }
        // As many callers as in a single process: nobody fills the server with made-up ones.
        self.own.know(key, now)?;
        let asked = Instant::now();
        let ruling = self.server.decide(&limits, key).await;
        // The server looked at its clock before now: whoever waits from now on waits long enough.
        let now = now + asked.elapsed();
        let Some(ruling) = ruling else { return self.own.decide(key, now) };
        match ruling {
            Ruling::Admitted => {
                self.own.note(key, now);
                Ok(Decision::Admitted)
            }
            Ruling::Refused { limit, wait } => {
                let pause = self.own.pause(key, now);
                Ok(Decision::Refused { limit, free_at: now + wait, pause })
            }
        }
    }

    pub(super) fn set_limits(&self, limits: &[RateLimit]) {
        let before = self.limits.load();
        if before.in_force != limits {
            self.own.set_limits(&self.settings.share(limits));
            self.limits.store(Arc::new(before.followed_by(limits)));
        }
    }

    pub(super) fn callers(&self) -> usize {
        self.own.callers()
    }

    pub(super) fn is_shared_now(&self) -> bool {
        self.server.is_there()
    }

    pub(super) async fn reach(&self) {
        self.server.look().await;
    }

    pub(super) async fn keep(&self) {
        self.server.keep().await;
    }
}
