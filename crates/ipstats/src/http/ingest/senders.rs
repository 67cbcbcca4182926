//! Statistics of the records that each ingest key sent.

use crate::config::IngestSource;
use crate::sources::Account;
use ipstats_model::Organization;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// Statistics by organization and name of the key: they survive a replacement of the key itself.
#[derive(Debug, Default)]
pub(in crate::http) struct Senders {
    known: RwLock<HashMap<(Organization, String), Arc<Account>>>,
}

impl Senders {
    /// Keeps the statistics of `sources`, adds the new ones and drops all others.
    pub(in crate::http) fn of_all(&self, sources: &[IngestSource]) {
        let mut known = self.known.write();
        let mut kept = HashMap::with_capacity(sources.len());
        for source in sources {
            let name = name(source);
            let statistics = known.remove(&name).unwrap_or_default();
            kept.insert(name, statistics);
        }
        *known = kept;
    }

    /// The statistics of the key of `source`. Those of a key that is no longer configured are not shown.
    pub(in crate::http) fn of(&self, source: &IngestSource) -> Arc<Account> {
        self.known.read().get(&name(source)).cloned().unwrap_or_default()
    }
}

fn name(source: &IngestSource) -> (Organization, String) {
    (source.organization, source.name.clone())
}
