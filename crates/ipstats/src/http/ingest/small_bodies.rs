//! Memory for small bodies, which are read before they wait for a thread.
//!
//! A body that is in memory does not depend on its sender any more: its work is short, so it may wait in a queue. The
//! queue is bounded by the bytes of its bodies. An organization may hold as many bytes as are free, so a flood of one
//! takes half of them, and the next one still finds room.

use ipstats_model::Organization;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Longest body that is small, in bytes. A longer one is read while it is recorded.
pub(super) const SMALL_BODY_BYTES_MAX: usize = 64 * 1024;

/// All small bodies at once, in bytes.
const BODIES_BYTES_MAX: usize = 32 << 20;

/// What a request takes beside its body, in bytes.
const REQUEST_BYTES: usize = 2048;

/// The memory of all small bodies.
#[derive(Debug, Default)]
pub(in crate::http) struct SmallBodies(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    by_organization: HashMap<Organization, usize>,
}

/// Memory for one body; freed when it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    held: Arc<Mutex<Held>>,
    organization: Organization,
    bytes: usize,
}

impl SmallBodies {
    /// Room for a request of `organization`; none where it holds as much as is free.
    pub(super) fn reserve(&self, organization: Organization) -> Option<Reservation> {
        let mut reservation = Reservation { held: Arc::clone(&self.0), organization, bytes: 0 };
        reservation.grow(REQUEST_BYTES).then_some(reservation)
    }
}

impl Reservation {
    /// Reserves more bytes; whether there was room.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let mut held = self.held.lock();
        let own = held.by_organization.get(&self.organization).copied().unwrap_or_default();
        if own + bytes > BODIES_BYTES_MAX - held.bytes {
            return false;
        }
        held.bytes += bytes;
        *held.by_organization.entry(self.organization).or_default() += bytes;
        self.bytes += bytes;
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        held.bytes -= self.bytes;
        if let Entry::Occupied(mut own) = held.by_organization.entry(self.organization) {
            *own.get_mut() -= self.bytes;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_leaves_room_for_others() {
        let bodies = SmallBodies::default();
        let fill = |organization| {
            let organization = Organization::from_bytes([organization; 16]);
            std::iter::from_fn(|| bodies.reserve(organization)).collect::<Vec<_>>()
        };
        let (flood, other) = (fill(1), fill(2));
        let places = BODIES_BYTES_MAX / REQUEST_BYTES;
        assert_eq!([flood.len(), other.len()], [places / 2, places / 4]);
        drop((flood, other));
        let held = bodies.0.lock();
        assert_eq!((held.bytes, held.by_organization.len()), (0, 0));
    }

    #[test]
    fn reservation_is_bounded_by_free_bytes() {
        let bodies = SmallBodies::default();
        let mut one = bodies.reserve(Organization::from_bytes([1; 16])).unwrap();
        assert!(one.grow(BODIES_BYTES_MAX / 2 - 2 * REQUEST_BYTES));
        assert!(!one.grow(BODIES_BYTES_MAX / 2));
    }
}
