//! What is asked about each IP.

use ipstats_engine::{Engine, ReadError};
use ipstats_model::{CanonicalIp, IpStatistics, LookBack, Organization, Timestamp, Window};

/// One question, the same for every IP.
pub(super) struct Question<'a> {
    pub(super) engine: &'a Engine,
    pub(super) organization: Organization,
    pub(super) window: Window,
    pub(super) look_back: LookBack,
}

impl Question<'_> {
    pub(super) fn statistics(&self, ip: CanonicalIp) -> Result<IpStatistics, ReadError> {
        self.engine.statistics(self.organization, ip, self.window)
    }

    /// The first contact ever, shown as all times are: never after now.
    pub(super) fn first_ever(&self, ip: CanonicalIp) -> Result<Option<Timestamp>, ReadError> {
        let first_ever = self.engine.first_ever(self.organization, ip)?;
        Ok(first_ever.map(|time| self.window.shown(time)))
    }
}

/// A look-back for people: `24 h`, `7 d`.
pub(super) fn span(look_back: LookBack) -> String {
    match look_back.hours() {
        hours if hours > 24 && hours.is_multiple_of(24) => format!("{} days", hours / 24),
        1 => "hour".to_owned(),
        hours => format!("{hours} hours"),
    }
}
