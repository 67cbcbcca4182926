//! The head: what has been recorded since the last seal, in memory, ready to be asked and to be flushed.
//!
//! Shards by the hash of the IP, each under its own lock; a batch comes sorted by shard, so each lock is taken once a
//! batch. A slot keeps contacts as they came and folds them into an [`IpState`] when they outgrow it, so that a hot
//! IP costs memory for its distinct devices and minutes and not for its traffic.
//!
//! Architecture Invariant: a sealed head is never written again. The flusher waits until the last writer of its epoch is
//! done ([`crate::journal`]) before it reads it.

use crate::contacts::{ContactBatch, HashedIp, IpHasher};
use crate::state::{Contact, IpState};
use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable};
use ipstats_model::{CanonicalIp, Organization};
use parking_lot::{RwLock, RwLockReadGuard};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SHARDS: usize = 64;

/// A slot's contacts are folded when there are this many, and as many as a quarter of its folded state.
const FOLD_CONTACTS_MIN: usize = 512;

/// What the allocator adds to a block, in bytes.
const BLOCK_BYTES: usize = 16;

pub(crate) struct Head {
    epoch: u64,
    shards: Box<[RwLock<Shard>]>,
    hasher: IpHasher,
    memory_bytes: AtomicUsize,
    last_sequence: AtomicU64,
}

#[derive(Default)]
struct Shard {
    organizations: HashMap<Organization, HashTable<Slot>>,
}

/// One IP of one organization.
#[derive(Clone)]
pub(crate) struct Slot {
    ip: CanonicalIp,
    contacts: SmallVec<[Contact; 2]>,
    folded: Option<Arc<IpState>>,
}

/// A sealed head, held still for the flusher.
pub(crate) struct SealedView<'a> {
    shards: Vec<RwLockReadGuard<'a, Shard>>,
}

impl Head {
    pub(crate) fn new(epoch: u64, hasher: IpHasher) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { epoch, shards, hasher, memory_bytes: AtomicUsize::new(0), last_sequence: AtomicU64::new(0) }
    }

    /// The number of this head; the journal's batches carry it.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The journal's last batch of this head, set when the head is sealed.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Ordering::Acquire)
    }

    pub(crate) fn set_last_sequence(&self, sequence: u64) {
        self.last_sequence.store(sequence, Ordering::Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.memory_bytes() == 0
    }

    /// Memory of everything in it, in bytes (estimated).
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Adds the contacts of a batch.
    pub(crate) fn apply(&self, batch: &ContactBatch) {
        let mut groups = batch.groups().map(|(ip, contacts)| (self.hasher.hashed(ip), contacts)).peekable();
        while let Some((first, _)) = groups.peek() {
            let number = first.shard(SHARDS);
            let Some(shard) = self.shards.get(number) else { return };
            let mut shard = shard.write();
            let slots = shard.organizations.entry(batch.organization).or_default();
            let table_before = slots.allocation_size().cast_signed();
            let mut grown_bytes = 0;
            while let Some((ip, contacts)) = groups.next_if(|(ip, _)| ip.shard(SHARDS) == number) {
                grown_bytes += self.add(slots, ip, contacts);
            }
            grown_bytes += slots.allocation_size().cast_signed() - table_before;
            // A fold can shrink a slot: the sum is kept in wrapping arithmetic and never goes below zero.
            self.memory_bytes.fetch_add(grown_bytes.cast_unsigned(), Ordering::Relaxed);
        }
    }

    /// The part of an IP's state that this head holds: a folded state and the one of the contacts since.
    pub(crate) fn parts(&self, organization: Organization, ip: CanonicalIp) -> [Option<Arc<IpState>>; 2] {
        let ip = self.hasher.hashed(ip);
        let Some(shard) = self.shards.get(ip.shard(SHARDS)) else { return [None, None] };
        parts_in(shard.read(), organization, ip, usize::MAX).unwrap_or_default()
    }

    /// The same where it takes no time: nobody is writing there, and no more than `contacts_max` contacts are to be
    /// folded.
    pub(crate) fn parts_at_hand(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        contacts_max: usize,
    ) -> Option<[Option<Arc<IpState>>; 2]> {
        let ip = self.hasher.hashed(ip);
        let shard = self.shards.get(ip.shard(SHARDS))?.try_read()?;
        parts_in(shard, organization, ip, contacts_max)
    }

    /// The numbers of the shards, for [`slots_of`](Self::slots_of).
    pub(crate) fn shards(&self) -> std::ops::Range<usize> {
        0..self.shards.len()
    }

    /// Everything in a shard, as it is now.
    pub(crate) fn slots_of(&self, shard: usize) -> Vec<(Organization, Slot)> {
        let Some(shard) = self.shards.get(shard) else { return Vec::new() };
        let shard = shard.read();
        let of = |(organization, slots): (&Organization, &HashTable<Slot>)| {
            let organization = *organization;
            slots.iter().map(move |slot| (organization, slot.clone())).collect::<Vec<_>>()
        };
        let mut slots: Vec<_> = shard.organizations.iter().flat_map(of).collect();
        drop(shard);
        slots.sort_unstable_by_key(|(organization, _)| *organization);
        slots
    }

    /// The head for the flusher. Readers go on; a writer would wait, and there is none any more.
    pub(crate) fn sealed_view(&self) -> SealedView<'_> {
        SealedView { shards: self.shards.iter().map(RwLock::read).collect() }
    }

    /// Adds contacts to their slot and tells by how many bytes that grew.
    fn add(&self, slots: &mut HashTable<Slot>, ip: HashedIp, contacts: &[Contact]) -> isize {
        let rehash = |slot: &Slot| self.hasher.hashed(slot.ip).hash;
        match slots.entry(ip.hash, |slot| slot.ip == ip.ip, rehash) {
            Entry::Occupied(mut slot) => slot.get_mut().extend(contacts),
            Entry::Vacant(free) => {
                let mut slot = Slot { ip: ip.ip, contacts: SmallVec::new(), folded: None };
                slot.extend(contacts);
                free.insert(slot).get().memory_bytes().cast_signed()
            }
        }
    }
}

/// What a shard holds of an IP; nothing where more than `contacts_max` contacts are to be folded.
fn parts_in(
    shard: RwLockReadGuard<'_, Shard>,
    organization: Organization,
    ip: HashedIp,
    contacts_max: usize,
) -> Option<[Option<Arc<IpState>>; 2]> {
    let slots = shard.organizations.get(&organization);
    let Some(slot) = slots.and_then(|slots| slots.find(ip.hash, |slot| slot.ip == ip.ip)) else {
        return Some([None, None]);
    };
    if slot.contacts.len() > contacts_max {
        return None;
    }
    let (folded, mut contacts) = (slot.folded.clone(), SmallVec::<[Contact; 2]>::from_slice(&slot.contacts));
    drop(shard);
    let fresh = (!contacts.is_empty()).then(|| Arc::new(IpState::from_contacts(&mut contacts)));
    Some([folded, fresh])
}

impl Slot {
    pub(crate) const fn ip(&self) -> CanonicalIp {
        self.ip
    }

    /// Adds contacts and tells by how many bytes that grew the slot.
    fn extend(&mut self, contacts: &[Contact]) -> isize {
        let before = self.memory_bytes().cast_signed();
        self.contacts.extend_from_slice(contacts);
        self.fold_if_grown();
        self.memory_bytes().cast_signed() - before
    }

    /// All that the slot holds.
    pub(crate) fn state(&self) -> IpState {
        let fresh = IpState::from_contacts(&mut SmallVec::<[Contact; 2]>::from_slice(&self.contacts));
        match &self.folded {
            Some(folded) => folded.join(&fresh),
            None => fresh,
        }
    }

    fn fold_if_grown(&mut self) {
        let folded_size =
            self.folded.as_ref().map_or(0, |state| state.device_count() + state.minutes().len());
        if self.contacts.len() >= FOLD_CONTACTS_MIN.max(folded_size / 4) {
            self.folded = Some(Arc::new(self.state()));
            self.contacts = SmallVec::new();
        }
    }

    /// Memory outside of the hash table, in bytes.
    fn memory_bytes(&self) -> usize {
        let contacts = if self.contacts.spilled() {
            self.contacts.capacity() * size_of::<Contact>() + BLOCK_BYTES
        } else {
            0
        };
        contacts + self.folded.as_ref().map_or(0, |state| state.memory_bytes() + 4 * BLOCK_BYTES)
    }
}

impl SealedView<'_> {
    /// The organizations with anything in this head, ascending.
    pub(crate) fn organizations(&self) -> Vec<Organization> {
        let mut organizations: Vec<_> =
            self.shards.iter().flat_map(|shard| shard.organizations.keys().copied()).collect();
        organizations.sort_unstable();
        organizations.dedup();
        organizations
    }

    /// The slots of an organization, by ascending IP.
    pub(crate) fn slots(&self, organization: Organization) -> Vec<&Slot> {
        let tables = self.shards.iter().filter_map(|shard| shard.organizations.get(&organization));
        let mut slots: Vec<(CanonicalIp, &Slot)> =
            tables.flat_map(HashTable::iter).map(|slot| (slot.ip, slot)).collect();
        slots.sort_unstable_by_key(|(ip, _)| *ip);
        slots.into_iter().map(|(_, slot)| slot).collect()
    }
}
