//! What became of the records that came in under each ingest key.

use crate::config::IngestSource;
use crate::sources::Account;
use ipstats_model::Organization;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// Accounts by organization and name of the key: an account goes on when the key itself is replaced.
#[derive(Debug, Default)]
pub(in crate::http) struct Accounts(RwLock<HashMap<(Organization, String), Arc<Account>>>);

impl Accounts {
    /// Keeps the accounts of `sources`, opens those that are missing and drops all others.
    pub(in crate::http) fn of_all(&self, sources: &[IngestSource]) {
        let mut accounts = self.0.write();
        let mut kept = HashMap::with_capacity(sources.len());
        for source in sources {
            let name = name(source);
            kept.insert(name.clone(), accounts.remove(&name).unwrap_or_default());
        }
        *accounts = kept;
    }

    /// The account of `source`. One that is no longer configured gets one that nobody sees.
    pub(in crate::http) fn of(&self, source: &IngestSource) -> Arc<Account> {
        self.0.read().get(&name(source)).cloned().unwrap_or_default()
    }
}

fn name(source: &IngestSource) -> (Organization, String) {
    (source.organization, source.name.clone())
}
