//! What becomes known of a request on its way through extractors and handlers, for the audit log and the log.

use crate::audit::Actor;
use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::request::Parts;
use ipstats_model::{CanonicalIp, LookBack};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::Arc;

/// The trail of one request: `watch` hands it on, to handlers behind a route as an extension, and reads it when there is an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail(Arc<Mutex<Known>>);

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Who asks.
    pub(super) actor: Option<Actor>,
    /// What they ask.
    pub(super) question: Option<(CanonicalIp, LookBack)>,
}

impl Trail {
    /// The trail of a request.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Notes who asks.
    pub(super) fn note_actor(&self, actor: Actor) {
        self.0.lock().actor = Some(actor);
    }

    /// Notes what they ask.
    pub(super) fn note_question(&self, ip: CanonicalIp, look_back: LookBack) {
        self.0.lock().question = Some((ip, look_back));
    }

    /// What is known by now.
    pub(super) fn take(&self) -> Known {
        std::mem::take(&mut *self.0.lock())
    }
}

impl<S: Sync> FromRequestParts<S> for Trail {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}
