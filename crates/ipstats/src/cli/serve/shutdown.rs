//! How far a shutdown is.

use std::sync::atomic::{AtomicU8, Ordering};
use strum::FromRepr;

/// The steps of a shutdown, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRepr)]
#[repr(u8)]
pub(super) enum Step {
    /// Sources record what they have read.
    Sources,
    /// Requests are answered.
    Requests,
    /// The store and the audit log are closed.
    Store,
}

/// The step that a shutdown is at.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    pub(super) fn set(&self, step: Step) {
        self.0.store(step as u8, Ordering::Relaxed);
    }

    /// What is not finished, for people.
    pub(super) fn unfinished(&self, open_requests: usize) -> String {
        let step = Step::from_repr(self.0.load(Ordering::Relaxed)).unwrap_or(Step::Store);
        let sources = (step == Step::Sources).then(|| "the last batches of sources".to_owned());
        let requests = match open_requests {
            0 => None,
            1 => Some("1 request".to_owned()),
            several => Some(format!("{several} requests")),
        };
        let parts = [sources, requests, Some("closing the store".to_owned())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_steps_are_named() {
        let progress = Progress::default();
        assert_eq!(progress.unfinished(1), "the last batches of sources, 1 request, closing the store");
        progress.set(Step::Requests);
        assert_eq!(progress.unfinished(2), "2 requests, closing the store");
        progress.set(Step::Store);
        assert_eq!(progress.unfinished(0), "closing the store");
    }
}
