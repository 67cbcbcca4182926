//! The devices of a tile, in one of two orders, whichever is shorter.
//!
//! By id: the ids as an ascending list, and for each device which minute was its last. By minute: how many devices have
//! their last contact in each minute, where that is not one, and the ids in that order. An IP that few devices contact
//! has mostly one device a minute; saying which minute belongs to which id would tell an order twice.

use super::bits::{BitReader, BitWriter, read_ascending, write_ascending};
use super::{Order, TileError};
use crate::state::{DeviceState, IpState};

/// By minute is used while at most one minute in this many has not exactly one device.
const MINUTES_PER_EXCEPTION: usize = 8;

/// Most devices that a tile is believed to have: a damaged count must not allocate without bounds.
const DEVICES_MAX: usize = 1 << 25;

/// The order that takes the fewest bits.
pub(super) fn shortest_order(state: &IpState) -> Order {
    let minutes = state.minutes().len();
    let allowed = minutes / MINUTES_PER_EXCEPTION;
    if state.device_count() == 0 && minutes > 0 {
        return Order::NoDevices;
    }
    // With more devices than minutes there are more exceptions than allowed; do not count them.
    if state.device_count() > minutes + allowed {
        return Order::ById;
    }
    match exceptions(&last_counts(state)).count() {
        0 => Order::OneAMinute,
        count if count <= allowed => Order::ByMinute,
        _ => Order::ById,
    }
}

/// The devices of a state, and a minute for each.
pub(super) fn write(bits: &mut BitWriter, state: &IpState, order: Order) {
    let ids: Vec<u32> = state.devices().map(|device| device.id).collect();
    let Some((largest, others)) = ids.split_last() else { return };
    bits.write_sized(*largest);
    if order != Order::ById {
        write_by_minute(bits, state, *largest, order);
        return;
    }
    bits.write_gamma(length(ids.len()));
    if !others.is_empty() {
        write_ascending(bits, others, 0, largest - 1);
    }
    for device in state.devices() {
        bits.write_below(length(position(state.minutes(), device.last)), state.minutes().len() as u64);
    }
}

/// What [`write`] wrote, by ascending id, each with one active day.
pub(super) fn read(
    bits: &mut BitReader<'_>,
    minutes: &[u32],
    order: Order,
) -> Result<Vec<DeviceState>, TileError> {
    if order == Order::NoDevices {
        return Ok(Vec::new());
    }
    let largest = bits.read_sized();
    let counts = match order {
        Order::OneAMinute => vec![1; minutes.len()],
        Order::ByMinute => read_last_counts(bits, minutes.len())?,
        Order::ById | Order::NoDevices => return read_by_id(bits, minutes, largest),
    };
    read_by_minute(bits, minutes, &counts, largest)
}

fn read_by_id(
    bits: &mut BitReader<'_>,
    minutes: &[u32],
    largest: u32,
) -> Result<Vec<DeviceState>, TileError> {
    let count = bits.read_gamma() as usize;
    if count > DEVICES_MAX || count as u64 > u64::from(largest) + 1 {
        return Err(TileError::Damaged("more devices than ids"));
    }
    let mut ids = vec![0; count - 1];
    if !ids.is_empty() {
        read_ascending(bits, &mut ids, 0, largest - 1).ok_or(TileError::Damaged("more devices than ids"))?;
    }
    ids.push(largest);
    let device = |id| {
        let position = bits.read_below(minutes.len() as u64) as usize;
        let second = minutes.get(position).ok_or(TileError::Damaged("device without a minute"))?;
        Ok(DeviceState { id, last: second / 60, days: 1 })
    };
    ids.into_iter().map(device).collect()
}

/// A day mask: how many days besides the last one in unary, then how far back they lie.
pub(super) fn write_days(bits: &mut BitWriter, days: u32) {
    let earlier: Vec<u32> = (1..32).filter(|back| days >> back & 1 == 1).collect();
    bits.write_unary(length(earlier.len()));
    write_ascending(bits, &earlier, 1, 31);
}

pub(super) fn read_days(bits: &mut BitReader<'_>) -> Result<u32, TileError> {
    let mut earlier = [0; 31];
    let count = bits.read_unary(31) as usize;
    let earlier = earlier.get_mut(..count).unwrap_or_default();
    read_ascending(bits, earlier, 1, 31).ok_or(TileError::Damaged("more days than a month"))?;
    Ok(earlier.iter().fold(1, |days, back| days | 1 << back))
}

/// The largest id is known already: its place is written, and the ids at the other places.
fn write_by_minute(bits: &mut BitWriter, state: &IpState, largest: u32, order: Order) {
    if order == Order::ByMinute {
        write_last_counts(bits, &last_counts(state));
    }
    let mut devices: Vec<DeviceState> = state.devices().collect();
    devices.sort_by_key(|device| device.last);
    let place = devices.iter().position(|device| device.id == largest).unwrap_or(0);
    bits.write_below(length(place), devices.len() as u64);
    let others = devices.iter().filter(|device| device.id != largest);
    others.for_each(|device| bits.write_below(device.id, u64::from(largest)));
}

fn read_by_minute(
    bits: &mut BitReader<'_>,
    minutes: &[u32],
    counts: &[u32],
    largest: u32,
) -> Result<Vec<DeviceState>, TileError> {
    let total = counts.iter().map(|count| *count as usize).sum::<usize>();
    // Below the largest, ids 0 and 1 can take no bit, every other one takes at least one.
    let most = DEVICES_MAX.min(bits.remaining_bits() + 2);
    if total == 0 || total > most || total as u64 > u64::from(largest) + 1 {
        return Err(TileError::Damaged("more devices than bits or ids"));
    }
    let place = bits.read_below(total as u64) as usize;
    let lasts = minutes.iter().zip(counts).flat_map(|(second, count)| (0..*count).map(move |_| second / 60));
    let device = |(position, last)| {
        let id = if position == place { largest } else { bits.read_below(u64::from(largest)) };
        DeviceState { id, last, days: 1 }
    };
    let mut devices: Vec<DeviceState> = lasts.enumerate().map(device).collect();
    devices.sort_unstable_by_key(|device| device.id);
    Ok(devices)
}

fn write_last_counts(bits: &mut BitWriter, counts: &[u32]) {
    let places: Vec<u32> = exceptions(counts).map(|(place, _)| place).collect();
    bits.write_gamma(length(places.len()) + 1);
    write_ascending(bits, &places, 0, length(counts.len()) - 1);
    exceptions(counts).for_each(|(_, count)| bits.write_gamma(count + 1));
}

fn read_last_counts(bits: &mut BitReader<'_>, minutes: usize) -> Result<Vec<u32>, TileError> {
    let exceptions = bits.read_gamma() as usize - 1;
    if exceptions > minutes {
        return Err(TileError::Damaged("more exceptions than minutes"));
    }
    let mut places = vec![0; exceptions];
    read_ascending(bits, &mut places, 0, length(minutes) - 1).ok_or(TileError::Damaged("exceptions"))?;
    let mut counts = vec![1; minutes];
    for place in places {
        if let Some(count) = counts.get_mut(place as usize) {
            *count = bits.read_gamma() - 1;
        }
    }
    Ok(counts)
}

/// How many devices have their last contact in each minute.
fn last_counts(state: &IpState) -> Vec<u32> {
    let mut counts = vec![0; state.minutes().len()];
    for device in state.devices() {
        if let Some(count) = counts.get_mut(position(state.minutes(), device.last)) {
            *count += 1;
        }
    }
    counts
}

/// The minutes in which not exactly one device was last, and how many were.
fn exceptions(counts: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    (0..).zip(counts.iter().copied()).filter(|(_, count)| *count != 1)
}

/// Which of the active minutes a device's last minute is: it always is one of them.
fn position(minutes: &[u32], last: u32) -> usize {
    minutes.partition_point(|second| second / 60 < last)
}

/// A tile has at most 2^32 devices and minutes: ids and minutes have 32 bits.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
