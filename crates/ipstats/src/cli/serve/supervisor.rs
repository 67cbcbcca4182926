//! What systemd is told (sd_notify(3), `Type=notify-reload`). Without systemd nobody is told anything.

use sd_notify::NotifyState;

/// Requests are answered.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again by `work`.
pub(super) fn reloading(work: impl FnOnce()) {
    // systemd tells this reload from the one before by the time.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the system has no monotonic clock"),
    }
    work();
    ready();
}

/// What was begun is finished, nothing more.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told how the service is");
    }
}
