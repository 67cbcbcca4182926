//! Devices whose names were lost with a part of the journal: found by the ids that tiles hold.

use crate::disk::{Disk, Level, NewDevice};
use crate::error::StoreError;
use crate::tiles;
use std::collections::BTreeSet;
use strum::VariantArray as _;

/// The devices that occur in tiles and have no name, with names that say so. Reads every tile: for the rare opening after
/// a damaged disk.
pub(crate) fn devices(disk: &Disk) -> Result<Vec<NewDevice>, StoreError> {
    let mut seen = BTreeSet::new();
    for level in Level::VARIANTS.iter().rev().copied() {
        for entry in disk.tiles(level) {
            let (organization, ip, bytes) = entry?;
            let state = tiles::decode(&bytes, level, organization, ip)?;
            seen.extend(state.devices().map(|device| (organization, device.id)));
        }
    }
    let mut lost = Vec::new();
    for (organization, id) in seen {
        if disk.device_name(organization, id)?.is_none() {
            lost.push(NewDevice { organization, id, name: format!("lost-device-{id}").into() });
        }
    }
    Ok(lost)
}
