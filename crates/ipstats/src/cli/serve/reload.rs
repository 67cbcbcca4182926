//! Going on with another configuration: all of it, or none.

use super::warn_of_expiry;
use crate::config::{Config, ConfigError, Flags};
use crate::http::{App, Identity, Tls};
use crate::sources::Sources;
use anyhow::ensure;
use std::cell::RefCell;

/// What follows the configuration while the service runs.
pub(super) struct Reload<'a> {
    pub(super) app: &'a App,
    pub(super) tls: Option<&'a Tls>,
    pub(super) sources: &'a RefCell<Sources>,
    /// Of the command; without them the configuration was not read from anywhere.
    pub(super) flags: Option<&'a Flags>,
    /// What the service was started with.
    pub(super) started: &'a Config,
}

impl Reload<'_> {
    /// Goes on with the configuration and the certificate as they are now, if both are usable.
    pub(super) fn run(&self) {
        let Some(flags) = self.flags else { return };
        match self.try_run(flags) {
            Ok(config) => {
                tracing::info!("the configuration was read again");
                for warning in &config.warnings {
                    tracing::warn!("{warning}");
                }
                for setting in self.started.restart_needed_for(&config) {
                    tracing::warn!(setting, "this setting was changed; it takes a restart");
                }
            }
            Err(error) => report(&error),
        }
    }

    fn try_run(&self, flags: &Flags) -> anyhow::Result<Config> {
        let config = Config::load(flags)?;
        // The folder of a first start may be another one now; nobody means to lock everybody out.
        ensure!(!config.organizations.is_empty(), "no [[organizations]] are declared any more");
        let identity = config.tls.as_ref().map(Identity::load).transpose()?;
        self.sources.borrow().check_addresses(&config.sources)?;
        let sources = self.sources.borrow().prepare(&config.sources)?;
        // Nothing was changed up to here. The audit log is opened first, because that may fail; nothing else does.
        self.app.reload(&config)?;
        if let Some((tls, identity)) = self.tls.zip(identity) {
            tls.replace(identity);
            warn_of_expiry(tls);
        }
        self.sources.borrow_mut().change(sources);
        Ok(config)
    }
}

/// One event a problem, each with its place.
fn report(error: &anyhow::Error) {
    if let Some(ConfigError { problems }) = error.downcast_ref() {
        tracing::error!("the configuration stays as it was: it is not usable");
        problems.iter().for_each(|problem| tracing::error!("{problem}"));
    } else {
        tracing::error!("the configuration stays as it was: {error:#}");
    }
}
