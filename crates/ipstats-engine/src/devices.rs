//! Device names and their 32-bit ids, per organization.
//!
//! Ids are handed out in ascending order and never again for another name; the largest number is none (`state.rs`). Memory is bounded: names live on disk, and a
//! cache of fixed size holds those in use.
//!
//! Architecture Invariant: an id becomes durable before, or in the same commit as, the first batch that uses it. A new
//! id is therefore listed as uncommitted before anybody can see it, and the journal's leader takes its batches first
//! and the list of uncommitted ids afterwards.

use crate::disk::{Disk, DiskError, NewDevice};
use crate::names::{Lookup, Names};
use hashbrown::HashMap;
use ipstats_model::{Batch, Organization};
use parking_lot::{Mutex, RwLock};

pub(crate) struct Devices {
    names: RwLock<Names>,
    allocation: Mutex<Allocation>,
}

#[derive(Default)]
struct Allocation {
    /// The next free id of each organization seen by this process.
    next: HashMap<Organization, u32>,
    /// Ids that are not durable yet.
    uncommitted: HashMap<(Organization, Box<str>), u32>,
}

/// Why a device has no id.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InternError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("organization {0} has 2^32 devices, as many as there are ids")]
    Full(Organization),
}

impl Devices {
    pub(crate) fn new(names_bytes: u64) -> Self {
        let names = Names::new(usize::try_from(names_bytes).unwrap_or(usize::MAX));
        Self { names: RwLock::new(names), allocation: Mutex::default() }
    }

    /// The ids of a batch's devices, in the order of [`Batch::devices`]; new names get new ids.
    pub(crate) fn intern(
        &self,
        disk: &Disk,
        organization: Organization,
        batch: &Batch,
    ) -> Result<Vec<u32>, InternError> {
        let found: Vec<Lookup> = self.names.read().look_up(organization, batch.devices()).collect();
        let mut used_again = Vec::new();
        let mut ids = Vec::with_capacity(found.len());
        for (name, found) in batch.devices().zip(found) {
            let id = match found {
                Lookup::Young(id) => {
                    ids.push(id);
                    continue;
                }
                Lookup::Old(id) => id,
                Lookup::Missing => self.find_or_allocate(disk, organization, name)?,
            };
            used_again.push((name, id));
            ids.push(id);
        }
        if !used_again.is_empty() {
            let mut names = self.names.write();
            used_again.into_iter().for_each(|(name, id)| names.remember(organization, name, id));
        }
        Ok(ids)
    }

    /// The devices that must become durable with the next commit.
    pub(crate) fn uncommitted(&self) -> Vec<NewDevice> {
        let allocation = self.allocation.lock();
        let device = |((organization, name), id): (&(Organization, Box<str>), &u32)| NewDevice {
            organization: *organization,
            id: *id,
            name: name.clone(),
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
            allocation.uncommitted.remove(&(device.organization, device.name));
        }
    }

    fn find_or_allocate(
        &self,
        disk: &Disk,
        organization: Organization,
        name: &str,
    ) -> Result<u32, InternError> {
        let mut allocation = self.allocation.lock();
        let key = (organization, Box::from(name));
        if let Some(id) = allocation.uncommitted.get(&key) {
            return Ok(*id);
        }
        // Under the lock: nobody allocates the same name, and no commit of it slips in between.
        match disk.device_id(organization, name)? {
            Some(id) => Ok(id),
            None => allocation.allocate(disk, key),
        }
    }
}

impl Allocation {
    fn allocate(&mut self, disk: &Disk, key: (Organization, Box<str>)) -> Result<u32, InternError> {
        let (organization, _) = key;
        let full = || InternError::Full(organization);
        let id = match self.next.get(&organization) {
            Some(next) => *next,
            None => match disk.last_device_id(organization)? {
                Some(last) => last.checked_add(1).ok_or_else(full)?,
                None => 0,
            },
        };
        self.next.insert(organization, id.checked_add(1).ok_or_else(full)?);
        self.uncommitted.insert(key, id);
        Ok(id)
    }
}
