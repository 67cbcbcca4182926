//! A normalized batch: the contacts of one organization grouped by IP, with device ids instead of names. It is what the
//! journal keeps and what a head applies.
//!
//! Payload, version 1 (persisted, never renumber): version byte, organization (16 bytes), then varints (LEB128): number
//! of groups, earliest second; per group: `contacts << 1 | is IPv4`, 4 or 16 address bytes, and per contact the device id
//! and the seconds after the earliest. A CRC-32 of all that, little-endian, ends it.

use crate::state::Contact;
use foldhash::fast::FixedState;
use ipstats_model::{CanonicalIp, Organization};
use std::hash::BuildHasher;
use std::net::Ipv4Addr;

const VERSION: u8 = 1;

/// Contacts of one organization, grouped by IP and sorted by the IP's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContactBatch {
    pub(crate) organization: Organization,
    groups: Vec<Group>,
    contacts: Vec<Contact>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    ip: CanonicalIp,
    /// Where the group's contacts end.
    end: usize,
}

/// An address with its hash, computed once a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashedIp {
    pub(crate) ip: CanonicalIp,
    pub(crate) hash: u64,
}

/// The payload is damaged or of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("journal batch is damaged")]
pub(crate) struct DamagedBatch;

/// Hashes addresses with a seed of this process, so that nobody outside can choose addresses that collide.
#[derive(Debug, Clone)]
pub(crate) struct IpHasher(FixedState);

impl IpHasher {
    pub(crate) fn new() -> Self {
        // `RandomState` is the standard library's source of randomness that needs no dependency.
        Self(FixedState::with_seed(std::hash::RandomState::new().hash_one(0_u8)))
    }

    pub(crate) fn hashed(&self, ip: CanonicalIp) -> HashedIp {
        HashedIp { ip, hash: self.0.hash_one(ip) }
    }
}

impl HashedIp {
    /// Sort key: addresses of one shard lie together.
    pub(crate) const fn order(self) -> u64 {
        // hashbrown takes a table's position from the low bits and its tags from the top seven; shards take others.
        self.hash.rotate_right(38)
    }

    /// Which of `shards` (a power of two, at most 64).
    pub(crate) const fn shard(self, shards: usize) -> usize {
        (self.order() >> 58) as usize & (shards - 1)
    }
}

impl ContactBatch {
    /// Groups `rows` (address and contact) by address.
    pub(crate) fn new(
        organization: Organization,
        rows: &[(CanonicalIp, Contact)],
        hasher: &IpHasher,
    ) -> Self {
        let mut order: Vec<(u64, u32)> =
            rows.iter().zip(0_u32..).map(|((ip, _), row)| (hasher.hashed(*ip).order(), row)).collect();
        order.sort_unstable();
        let mut batch = Self { organization, groups: Vec::new(), contacts: Vec::with_capacity(rows.len()) };
        for (_, row) in order {
            if let Some((ip, contact)) = rows.get(row as usize) {
                batch.push(*ip, *contact);
            }
        }
        batch
    }

    /// The groups: address and its contacts.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (CanonicalIp, &[Contact])> {
        let mut start = 0;
        self.groups.iter().map(move |group| {
            let contacts = self.contacts.get(start..group.end).unwrap_or_default();
            start = group.end;
            (group.ip, contacts)
        })
    }

    /// The newest contact, in seconds since the epoch; 0 for none.
    pub(crate) fn newest(&self) -> u32 {
        self.contacts.iter().map(|contact| contact.second()).max().unwrap_or(0)
    }

    fn push(&mut self, ip: CanonicalIp, contact: Contact) {
        self.contacts.push(contact);
        let end = self.contacts.len();
        match self.groups.last_mut() {
            Some(group) if group.ip == ip => group.end = end,
            _ => self.groups.push(Group { ip, end }),
        }
    }

    /// The batch as the journal keeps it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(32 + self.groups.len() * 6 + self.contacts.len() * 6);
        payload.push(VERSION);
        payload.extend_from_slice(self.organization.as_bytes());
        let earliest = self.contacts.iter().map(|contact| contact.second()).min().unwrap_or(0);
        push_varint(&mut payload, self.groups.len() as u64);
        push_varint(&mut payload, u64::from(earliest));
        for (ip, contacts) in self.groups() {
            let length = (contacts.len() as u64) << 1;
            if let Some(four) = ip.ipv4_bytes() {
                push_varint(&mut payload, length | 1);
                payload.extend_from_slice(&four);
            } else {
                push_varint(&mut payload, length);
                payload.extend_from_slice(ip.as_bytes());
            }
            for contact in contacts {
                push_varint(&mut payload, u64::from(contact.device()));
                push_varint(&mut payload, u64::from(contact.second() - earliest));
            }
        }
        let checksum = crc32fast::hash(&payload);
        payload.extend_from_slice(&checksum.to_le_bytes());
        payload
    }

    /// The batch that [`encode`](Self::encode) wrote.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DamagedBatch> {
        Self::read(payload).ok_or(DamagedBatch)
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let (body, checksum) = payload.split_last_chunk::<4>()?;
        if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (version, mut rest) = body.split_first()?;
        if *version != VERSION {
            return None;
        }
        let organization = Organization::from_bytes(*take::<16>(&mut rest)?);
        let groups = usize::try_from(take_varint(&mut rest)?).ok()?;
        let earliest = take_u32(&mut rest)?;
        let mut batch = Self {
            organization,
            groups: Vec::with_capacity(groups.min(rest.len())),
            contacts: Vec::with_capacity(rest.len() / 4),
        };
        for _ in 0..groups {
            let length = take_varint(&mut rest)?;
            let ip = if length & 1 == 1 {
                CanonicalIp::from(Ipv4Addr::from(*take::<4>(&mut rest)?))
            } else {
                CanonicalIp::from_bytes(*take::<16>(&mut rest)?)
            };
            for _ in 0..length >> 1 {
                let device = take_u32(&mut rest)?;
                let second = earliest.checked_add(take_u32(&mut rest)?)?;
                batch.push(ip, Contact::new(device, second));
            }
        }
        rest.is_empty().then_some(batch)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(take_varint(bytes)?).ok()
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (chunk, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = Vec<(CanonicalIp, Contact)>> {
        let ip = prop_oneof![
            any::<[u8; 4]>().prop_map(|four| CanonicalIp::from(Ipv4Addr::from(four))),
            (0_u8..5).prop_map(|last| CanonicalIp::from_bytes([last; 16])),
        ];
        let contact = (any::<u32>(), any::<u32>()).prop_map(|(device, second)| Contact::new(device, second));
        proptest::collection::vec((ip, contact), 0..100)
    }

    proptest! {
        #[test]
        fn payloads_round_trip_and_keep_every_contact(rows in rows()) {
            let organization = Organization::from_bytes([7; 16]);
            let batch = ContactBatch::new(organization, &rows, &IpHasher::new());
            prop_assert_eq!(ContactBatch::decode(&batch.encode()), Ok(batch.clone()));
            let mut kept: Vec<_> =
                batch.groups().flat_map(|(ip, contacts)| contacts.iter().map(move |contact| (ip, *contact))).collect();
            let mut given = rows;
            kept.sort_unstable();
            given.sort_unstable();
            prop_assert_eq!(kept, given);
        }

        #[test]
        fn damaged_payloads_are_refused(rows in rows(), at: proptest::sample::Index, flip in 1_u8..) {
            let batch = ContactBatch::new(Organization::from_bytes([7; 16]), &rows, &IpHasher::new());
            let mut payload = batch.encode();
            *at.get_mut(&mut payload) ^= flip;
            prop_assert_eq!(ContactBatch::decode(&payload), Err(DamagedBatch));
            prop_assert_eq!(ContactBatch::decode(&payload[..at.index(payload.len())]), Err(DamagedBatch));
        }
    }
}
