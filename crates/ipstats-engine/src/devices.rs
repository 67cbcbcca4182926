//! Device names and their 32-bit ids, per organization.
//!
//! Ids are handed out in ascending order and never again for another name. Memory is bounded: names live on disk, and a
//! cache of fixed size holds those in use.
//!
//! Architecture Invariant: an id becomes durable before, or in the same commit as, the first batch that uses it. A new
//! id is therefore listed as uncommitted before anybody can see it, and the journal's leader takes its batches first
//! and the list of uncommitted ids afterwards.

use crate::disk::{Disk, DiskError, NewDevice};
use hashbrown::HashMap;
use ipstats_model::{Batch, Organization};
use parking_lot::Mutex;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

/// Memory of one cached name besides its bytes: key, value and the cache's own bookkeeping, in bytes.
const CACHED_NAME_BYTES: u64 = 96;

/// Typical length of a device name, for the cache's first sizing.
const TYPICAL_NAME_BYTES: u64 = 24;

pub(crate) struct Devices {
    ids: Cache<Key, u32, NameWeight>,
    allocation: Mutex<Allocation>,
}

#[derive(Default)]
struct Allocation {
    /// The next free id of each organization seen by this process.
    next: HashMap<Organization, u32>,
    /// Ids that are not durable yet.
    uncommitted: HashMap<Key, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    organization: Organization,
    name: Box<str>,
}

#[derive(Hash)]
struct KeyRef<'a> {
    organization: Organization,
    name: &'a str,
}

#[derive(Clone)]
struct NameWeight;

/// Why a device has no id.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InternError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("organization {0} has 2^32 devices, as many as there are ids")]
    Full(Organization),
}

impl Devices {
    pub(crate) fn new(cache_bytes: u64) -> Self {
        let capacity = cache_bytes / (CACHED_NAME_BYTES + TYPICAL_NAME_BYTES);
        let ids =
            Cache::with_weighter(usize::try_from(capacity).unwrap_or(usize::MAX), cache_bytes, NameWeight);
        Self { ids, allocation: Mutex::default() }
    }

    /// The ids of a batch's devices, in the order of [`Batch::devices`]; new names get new ids.
    pub(crate) fn intern(
        &self,
        disk: &Disk,
        organization: Organization,
        batch: &Batch,
    ) -> Result<Vec<u32>, InternError> {
        batch
            .devices()
            .map(|name| match self.ids.get(&KeyRef { organization, name }) {
                Some(id) => Ok(id),
                None => self.find_or_allocate(disk, organization, name),
            })
            .collect()
    }

    /// The devices that must become durable with the next commit.
    pub(crate) fn uncommitted(&self) -> Vec<NewDevice> {
        let allocation = self.allocation.lock();
        let device = |(key, id): (&Key, &u32)| NewDevice {
            organization: key.organization,
            id: *id,
            name: key.name.clone(),
        };
        allocation.uncommitted.iter().map(device).collect()
    }

    /// These are durable now.
    pub(crate) fn committed(&self, devices: Vec<NewDevice>) {
        if devices.is_empty() {
            return;
        }
        let mut allocation = self.allocation.lock();
        for device in devices {
            allocation.uncommitted.remove(&Key { organization: device.organization, name: device.name });
        }
    }

    fn find_or_allocate(
        &self,
        disk: &Disk,
        organization: Organization,
        name: &str,
    ) -> Result<u32, InternError> {
        let mut allocation = self.allocation.lock();
        let known = match allocation.uncommitted.get(&KeyRef { organization, name }) {
            Some(id) => Some(*id),
            None => disk.device_id(organization, name)?,
        };
        let key = Key { organization, name: name.into() };
        let id = match known {
            Some(id) => id,
            None => allocation.allocate(disk, &key)?,
        };
        self.ids.insert(key, id);
        Ok(id)
    }
}

impl Allocation {
    fn allocate(&mut self, disk: &Disk, key: &Key) -> Result<u32, InternError> {
        let full = || InternError::Full(key.organization);
        let id = match self.next.get(&key.organization) {
            Some(next) => *next,
            None => match disk.last_device_id(key.organization)? {
                Some(last) => last.checked_add(1).ok_or_else(full)?,
                None => 0,
            },
        };
        self.next.insert(key.organization, id.checked_add(1).ok_or_else(full)?);
        self.uncommitted.insert(key.clone(), id);
        Ok(id)
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.organization == key.organization && *self.name == *key.name
    }
}

impl quick_cache::Weighter<Key, u32> for NameWeight {
    fn weight(&self, key: &Key, _id: &u32) -> u64 {
        key.name.len() as u64 + CACHED_NAME_BYTES
    }
}
