//! What a store holds, in pieces that any other store can take.

use crate::{Batch, CanonicalIp, Organization, Timestamp};

/// Most entries of a piece: contacts, moments and first contacts together.
const ENTRIES_MAX: usize = 200_000;

/// Most bytes of device names in a piece.
const NAME_BYTES_MAX: usize = 8 << 20;

/// A part of what a store holds about one organization.
///
/// Each entry is a fact that is joined with what the other store knows: pieces may come in any order, twice, and next to
/// new records. All pieces of a store together give the other one the same answers. Nothing in them is refused for its age:
/// what has expired was left out by the store that made them.
#[derive(Debug)]
pub struct Piece {
    /// Whose they are.
    pub organization: Organization,
    /// Devices, and times that say in which minute their last contact was, on which days they had one, and when the last
    /// contact of all was. Each time is that of a contact, if not always of that device to the second.
    pub contacts: Batch,
    /// Further times of contacts, by whomever: the first one of its minute.
    pub moments: Vec<(CanonicalIp, Timestamp)>,
    /// First contacts ever that have expired themselves.
    pub first_contacts: Vec<(CanonicalIp, Timestamp)>,
    name_bytes: usize,
}

impl Piece {
    /// An empty piece.
    pub fn new(organization: Organization) -> Self {
        Self {
            organization,
            contacts: Batch::new(),
            moments: Vec::new(),
            first_contacts: Vec::new(),
            name_bytes: 0,
        }
    }

    /// Adds a contact of a device. A name that no device can have is left out, and that is said.
    #[must_use]
    pub fn add_contact(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> bool {
        let names = self.contacts.devices().len();
        let is_added = self.contacts.push(device, ip, at).is_ok();
        if self.contacts.devices().len() > names {
            self.name_bytes += device.len();
        }
        is_added
    }

    /// The newest of all its times; none where it is empty.
    pub fn newest(&self) -> Option<Timestamp> {
        let contacts = self.contacts.rows().iter().map(|row| row.at);
        let others = self.moments.iter().chain(&self.first_contacts).map(|(_, at)| *at);
        contacts.chain(others).max()
    }

    /// Whether that many entries, of one piece or of several, are enough to be passed on.
    pub const fn is_enough(entries: usize) -> bool {
        entries >= ENTRIES_MAX
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.contacts.len() + self.moments.len() + self.first_contacts.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is large enough to be passed on.
    pub fn is_full(&self) -> bool {
        Self::is_enough(self.len()) || self.name_bytes >= NAME_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_full_by_entries_or_by_names() {
        let (ip, at) = ("10.0.0.1".parse().unwrap(), Timestamp::from_second(60));
        let mut piece = Piece::new(Organization::from_bytes([1; 16]));
        assert!(piece.is_empty());
        piece.moments.resize(ENTRIES_MAX - 1, (ip, at));
        assert!(!piece.is_full());
        assert!(piece.add_contact("pc", ip, at) && piece.is_full());
        assert_eq!(piece.newest(), Some(at));
        piece.first_contacts.push((ip, Timestamp::LATEST));
        assert_eq!(piece.newest(), Some(Timestamp::LATEST));

        let mut piece = Piece::new(Organization::from_bytes([1; 16]));
        assert!(!piece.add_contact("", ip, at));
        for number in 0..NAME_BYTES_MAX / 256 {
            assert!(!piece.is_full(), "{number}");
            for _ in 0..2 {
                assert!(piece.add_contact(&format!("{number:0256}"), ip, at));
            }
        }
        assert!(piece.is_full());
    }
}
