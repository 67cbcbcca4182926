//! Which sources run, with their accounts, for whoever looks at them from another thread.

use super::account::Account;
use crate::config::SourceEntry;
use parking_lot::RwLock;
use std::sync::Arc;

/// The sources that run, and their accounts. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<RwLock<Vec<Place>>>);

type Place = (SourceEntry, Arc<Account>);

impl Board {
    /// The sources and their accounts.
    pub fn accounts(&self) -> Vec<Place> {
        self.0.read().clone()
    }

    /// The account of the source that has the name and the organization of `entry`: it goes on when the rest of the source is
    /// configured anew.
    pub(super) fn account(&self, entry: &SourceEntry) -> Option<Arc<Account>> {
        let board = self.0.read();
        let (_, account) = board.iter().find(|(known, _)| is_same(known, entry))?;
        Some(Arc::clone(account))
    }

    /// Takes down what is none of `entries`.
    pub(super) fn keep(&self, entries: &[SourceEntry]) {
        self.0.write().retain(|(known, _)| entries.contains(known));
    }

    pub(super) fn put(&self, entry: &SourceEntry, account: Arc<Account>) {
        self.0.write().push((entry.clone(), account));
    }
}

fn is_same(one: &SourceEntry, other: &SourceEntry) -> bool {
    (&one.name, one.organization) == (&other.name, other.organization)
}
