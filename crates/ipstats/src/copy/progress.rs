//! How far a copy is.

use ipstats_model::{Organization, Piece};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was written so far; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    contacts: AtomicU64,
    moments: AtomicU64,
    first_contacts: AtomicU64,
    organizations: Mutex<BTreeSet<Organization>>,
}

/// [`Progress`] at one moment. An IP that the store has in parts, such as the head and a tile, may count twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Organizations with anything.
    pub organizations: usize,
    /// Times of devices: one for each day on which a device contacted an IP, and few more.
    pub contacts: u64,
    /// Further minutes in which an IP was contacted.
    pub moments: u64,
    /// First contacts that have expired themselves.
    pub first_contacts: u64,
}

impl Progress {
    pub(super) fn add(&self, piece: &Piece) {
        let count = |counter: &AtomicU64, number: usize| counter.fetch_add(number as u64, Ordering::Relaxed);
        count(&self.contacts, piece.contacts.len());
        count(&self.moments, piece.moments.len());
        count(&self.first_contacts, piece.first_contacts.len());
        self.organizations.lock().insert(piece.organization);
    }

    /// What was written so far.
    pub fn tally(&self) -> Tally {
        Tally {
            organizations: self.organizations.lock().len(),
            contacts: self.contacts.load(Ordering::Relaxed),
            moments: self.moments.load(Ordering::Relaxed),
            first_contacts: self.first_contacts.load(Ordering::Relaxed),
        }
    }
}
