//! Whether connections can be accepted; where the process has no descriptors left they cannot, and wait with the system.

use std::io;
use std::time::Duration;

/// Time until it is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Says it when connections cannot be accepted any more, and when they can again; not once a try.
pub(super) struct Acceptance {
    /// Where they come in, for the log.
    at: &'static str,
    is_pausing: bool,
}

impl Acceptance {
    pub(super) const fn at(at: &'static str) -> Self {
        Self { at, is_pausing: false }
    }

    /// A connection was not accepted: waits before the next try.
    pub(super) async fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_pausing, true) {
            tracing::warn!(%error, at = self.at, "no connection can be accepted; those that wait are tried again");
        }
        tokio::time::sleep(PAUSE).await;
    }

    /// A connection was accepted.
    pub(super) fn succeeded(&mut self) {
        if std::mem::take(&mut self.is_pausing) {
            tracing::warn!(at = self.at, "connections are accepted again");
        }
    }
}
