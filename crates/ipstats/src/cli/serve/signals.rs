//! The signals that a service obeys.

use super::shutdown::Progress;
use crate::http::App;
use std::io;
use std::process;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a process that a second signal ended: 128 and SIGINT's number, as shells show it.
const STOPPED_AT_ONCE: i32 = 130;

/// Longest wait for the last lines of the audit log when a second signal arrives.
const AUDIT_LOG_TIME_MAX: Duration = Duration::from_secs(1);

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Ends the process at once at the next SIGTERM or SIGINT, with what is not finished.
    pub(super) async fn end_at_next(mut self, app: Arc<App>, progress: Arc<Progress>) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        let unfinished = progress.unfinished(app.open_requests());
        tracing::warn!(
            "stopped at once by a second signal; not finished: {unfinished}. Acknowledged records are durable; send the \
             others again"
        );
        // The lines of answers that were sent.
        let _ = tokio::time::timeout(AUDIT_LOG_TIME_MAX, app.close_audit_log()).await;
        process::exit(STOPPED_AT_ONCE);
    }

    /// Waits for SIGTERM or SIGINT; SIGHUP calls `reload`.
    pub(super) async fn wait(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload(),
            }
        }
    }
}
