//! What is kept of those who send logs under ingest keys: the account of their records, and what is remembered of their log.

use crate::config::IngestSource;
use crate::ingest::{Bringer, LogMemory};
use crate::sources::Account;
use ipstats_formats::Halves;
use ipstats_model::Organization;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;

/// Senders by organization and name of their key: they stay the same when the key itself is replaced.
#[derive(Debug, Default)]
pub(in crate::http) struct Senders {
    known: RwLock<HashMap<(Organization, String), SenderState>>,
    /// Of all their logs; outlives a reload.
    halves: Halves,
}

/// What is kept of one sender.
#[derive(Debug, Clone)]
pub(in crate::http) struct SenderState {
    pub(in crate::http) account: Arc<Account>,
    pub(in crate::http) log: Arc<Mutex<LogMemory>>,
}

impl Senders {
    /// Keeps what is known of `sources`, begins with those that are new and forgets all others.
    pub(in crate::http) fn of_all(&self, sources: &[IngestSource]) {
        let mut known = self.known.write();
        let mut kept = HashMap::with_capacity(sources.len());
        for source in sources {
            let name = name(source);
            let state = known.remove(&name).unwrap_or_else(|| self.begin(source));
            kept.insert(name, state);
        }
        *known = kept;
    }

    /// What is kept of the sender with the key of `source`. Of one that is no longer configured, nobody sees the account.
    pub(in crate::http) fn of(&self, source: &IngestSource) -> SenderState {
        let known = self.known.read().get(&name(source)).cloned();
        known.unwrap_or_else(|| self.begin(source))
    }

    fn begin(&self, source: &IngestSource) -> SenderState {
        let log = LogMemory::new(&self.halves, Bringer::Key, source.organization, &source.name);
        SenderState { account: Arc::default(), log: Arc::new(Mutex::new(log)) }
    }
}

fn name(source: &IngestSource) -> (Organization, String) {
    (source.organization, source.name.clone())
}
