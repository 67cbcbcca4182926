//! Device names in memory: name → id, bounded.
//!
//! Two generations of plain hash tables. A name that is used goes into the young one; when that is full it becomes the
//! old one, and what nobody used since the last time is forgotten (and found on disk when it is needed again). A batch
//! looks up all its names under one shared lock, so that the cache misses of independent look-ups overlap.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use ipstats_model::Organization;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::mem;

/// What the allocator adds to a block, in bytes.
const BLOCK_BYTES: usize = 16;

pub(crate) struct Names {
    young: Generation,
    old: Generation,
    /// Most memory of one generation, in bytes.
    generation_bytes_max: usize,
    hasher: RandomState,
}

#[derive(Default)]
struct Generation {
    organizations: HashMap<Organization, HashTable<Entry>>,
    bytes: usize,
}

struct Entry {
    id: u32,
    /// Names of up to 24 bytes lie in the table itself.
    name: SmallVec<[u8; 24]>,
}

/// Where a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    Young(u32),
    /// Found, and forgotten soon unless it is remembered again.
    Old(u32),
    Missing,
}

impl Names {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (young, old) = (Generation::default(), Generation::default());
        Self { young, old, generation_bytes_max: bytes_max / 2, hasher: RandomState::default() }
    }

    /// Looks names of one organization up, in order.
    pub(crate) fn look_up<'a>(
        &self,
        organization: Organization,
        names: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = Lookup> {
        let [young, old] =
            [&self.young, &self.old].map(|generation| generation.organizations.get(&organization));
        names.map(move |name| {
            let hash = self.hasher.hash_one(name);
            let find = |table: &HashTable<Entry>| {
                table.find(hash, |entry| entry.name.as_slice() == name.as_bytes()).map(|entry| entry.id)
            };
            match young.and_then(find) {
                Some(id) => Lookup::Young(id),
                None => old.and_then(find).map_or(Lookup::Missing, Lookup::Old),
            }
        })
    }

    /// Remembers a name as used just now.
    pub(crate) fn remember(&mut self, organization: Organization, name: &str, id: u32) {
        let hash = self.hasher.hash_one(name);
        let table = self.young.organizations.entry(organization).or_default();
        if table.find(hash, |entry| entry.name.as_slice() == name.as_bytes()).is_some() {
            return;
        }
        let entry = Entry { id, name: SmallVec::from_slice(name.as_bytes()) };
        let spilled = if entry.name.spilled() { name.len() + BLOCK_BYTES } else { 0 };
        let before = table.allocation_size();
        table.insert_unique(hash, entry, |entry| {
            // Names are UTF-8 because they come from `str`; they are hashed as such.
            self.hasher.hash_one(std::str::from_utf8(&entry.name).unwrap_or_default())
        });
        self.young.bytes += table.allocation_size() - before + spilled;
        if self.young.bytes >= self.generation_bytes_max {
            self.old = mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(names: &Names, name: &str) -> Lookup {
        names.look_up(Organization::from_bytes([1; 16]), [name].into_iter()).next().unwrap()
    }

    #[test]
    fn names_in_use_stay_and_memory_is_bounded() {
        let organization = Organization::from_bytes([1; 16]);
        let bytes_max = 32 << 10;
        let mut names = Names::new(bytes_max);
        names.remember(organization, "kept", 7);
        for id in 100..1000 {
            names.remember(organization, &format!("device-{id}"), id);
            if let Lookup::Old(id) = look_up(&names, "kept") {
                names.remember(organization, "kept", id);
            }
            assert!(names.young.bytes <= bytes_max && names.old.bytes <= bytes_max);
        }
        assert!(matches!(look_up(&names, "kept"), Lookup::Young(7) | Lookup::Old(7)));
        assert_eq!(look_up(&names, "device-100"), Lookup::Missing);
        assert_eq!(look_up(&names, "device-999"), Lookup::Young(999));
    }

    #[test]
    fn organizations_do_not_share_names() {
        let mut names = Names::new(1 << 20);
        names.remember(Organization::from_bytes([2; 16]), "a", 1);
        assert_eq!(look_up(&names, "a"), Lookup::Missing);
        let long = "x".repeat(256);
        names.remember(Organization::from_bytes([1; 16]), &long, 2);
        assert_eq!(look_up(&names, &long), Lookup::Young(2));
    }
}
