//! Which heads there are: the active one, and the sealed one while it is being flushed.

use crate::contacts::IpHasher;
use crate::head::Head;
use parking_lot::RwLock;
use std::sync::Arc;

pub(crate) struct Heads {
    current: RwLock<HeadSet>,
    hasher: IpHasher,
}

/// The heads at one moment. Together with the tiles of its generation they hold everything acknowledged.
#[derive(Clone)]
pub(crate) struct HeadSet {
    pub(crate) active: Arc<Head>,
    pub(crate) sealed: Option<Arc<Head>>,
    /// The last flushed epoch: a number that changes when tiles replace a head.
    pub(crate) generation: u64,
}

impl Heads {
    /// The heads after an opening: the journal can hold a sealed epoch that was not flushed yet.
    pub(crate) fn new(active: Head, sealed: Option<Head>, generation: u64, hasher: IpHasher) -> Self {
        let set = HeadSet { active: Arc::new(active), sealed: sealed.map(Arc::new), generation };
        Self { current: RwLock::new(set), hasher }
    }

    pub(crate) const fn hasher(&self) -> &IpHasher {
        &self.hasher
    }

    pub(crate) fn current(&self) -> HeadSet {
        self.current.read().clone()
    }

    pub(crate) fn has_sealed(&self) -> bool {
        self.current.read().sealed.is_some()
    }

    pub(crate) fn active(&self) -> Arc<Head> {
        Arc::clone(&self.current.read().active)
    }

    /// The head of an epoch that has a ticket in flight: it is active or sealed.
    pub(crate) fn of_epoch(&self, epoch: u64) -> Arc<Head> {
        let current = self.current.read();
        match &current.sealed {
            Some(sealed) if sealed.epoch() == epoch => Arc::clone(sealed),
            _ => Arc::clone(&current.active),
        }
    }

    /// Puts a new head before the active one and returns the latter, sealed.
    pub(crate) fn seal(&self) -> Arc<Head> {
        let mut current = self.current.write();
        let next = Head::new(current.active.epoch() + 1, self.hasher.clone());
        let sealed = std::mem::replace(&mut current.active, Arc::new(next));
        current.sealed = Some(Arc::clone(&sealed));
        sealed
    }

    /// The tiles hold what the sealed head held.
    pub(crate) fn drop_sealed(&self) {
        let mut current = self.current.write();
        if let Some(sealed) = current.sealed.take() {
            current.generation = sealed.epoch();
        }
    }
}
