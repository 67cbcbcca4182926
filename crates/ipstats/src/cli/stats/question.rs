//! What is asked about each IP.

use crate::store::{Store, StoreError};
use ipstats_model::{CanonicalIp, IpStatistics, LookBack, Organization, Timestamp, Window};

/// One question, the same for every IP.
pub(super) struct Question<'a> {
    pub(super) store: &'a Store,
    pub(super) organization: Organization,
    pub(super) window: Window,
    pub(super) look_back: LookBack,
}

impl Question<'_> {
    pub(super) fn statistics(&self, ip: CanonicalIp) -> Result<IpStatistics, StoreError> {
        self.store.statistics_here(self.organization, ip, self.window)
    }

    /// The first contact ever, shown as all times are: never after now.
    pub(super) fn first_ever(&self, ip: CanonicalIp) -> Result<Option<Timestamp>, StoreError> {
        let first_ever = self.store.first_ever_here(self.organization, ip)?;
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
