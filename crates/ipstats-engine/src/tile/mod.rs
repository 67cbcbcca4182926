//! A tile: the state of one (organization, IP) as bytes on disk. The layout is described in docs/file-format.md.
//!
//! Persisted: a change of layout is a new version in its first bits, and the old versions stay readable.
//!
//! A store holds many IPs with few contacts and few with many, so the plain case (each device once, each minute one device)
//! costs one bit, and lists are written within a fraction of a bit of their entropy. A tile has no checksum of its own:
//! every block of the LSM tree has one of 128 bits, verified on each read, and a byte a tile would be a tenth of a small
//! one. What is read is checked for consistency all the same: damaged bytes give an error or a valid state, never a panic.

mod bits;
mod devices;
mod minutes;

use crate::state::IpState;
use bits::{BitReader, BitWriter};

/// Layout version 1, in the two bits behind the first, which is 0 unless the tile is plain. 3 is kept for "more follows".
const VERSION_1: u32 = 0;

/// The bytes are no tile of a version this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TileError {
    #[error("tile has layout {0}, this program reads layout 0")]
    Version(u32),
    #[error("tile is damaged: {0}")]
    Damaged(&'static str),
}

/// The shape of a state, which decides what of it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, written as one bit each")]
struct Shape {
    /// Nothing is left but the first contact ever.
    first_ever_only: bool,
    /// Every device has contacts on its last day only: there are no day masks.
    one_day: bool,
    /// The first contact ever is the first contact of the oldest minute.
    first_ever_is_oldest: bool,
    /// The last contact is the first contact of the newest minute.
    last_is_newest: bool,
    order: Order,
}

/// How devices are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Each minute is the last one of exactly one device, and devices are listed in that order.
    OneAMinute,
    /// By last minute; where not exactly one device has a minute as its last, that is said.
    ByMinute,
    /// By id, each with its last minute.
    ById,
    /// There are minutes and no devices: those are in other tiles, or come later.
    NoDevices,
}

/// The most frequent shape, written as one bit.
const PLAIN: Shape = Shape {
    first_ever_only: false,
    one_day: true,
    first_ever_is_oldest: true,
    last_is_newest: true,
    order: Order::OneAMinute,
};

/// The bytes of `state`. A state without minutes has no devices, and is reduced to its first contact ever.
pub(crate) fn encode(state: &IpState) -> Vec<u8> {
    let shape = Shape::of(state);
    let mut bits = BitWriter::new();
    shape.write(&mut bits);
    if shape.first_ever_only {
        bits.write(state.first_ever(), 32);
        return bits.finish();
    }
    minutes::write(&mut bits, state.minutes());
    if !shape.last_is_newest {
        minutes::write_second(&mut bits, state.last());
    }
    if !shape.first_ever_is_oldest {
        bits.write(state.first_ever(), 32);
    }
    devices::write(&mut bits, state, shape.order);
    if !shape.one_day {
        state.devices().for_each(|device| devices::write_days(&mut bits, device.days));
    }
    bits.finish()
}

/// The state that [`encode`] wrote.
pub(crate) fn decode(tile: &[u8]) -> Result<IpState, TileError> {
    let mut bits = BitReader::new(tile);
    let shape = Shape::read(&mut bits)?;
    let state = if shape.first_ever_only {
        IpState::from_parts([], vec![], 0, bits.read(32))
    } else {
        let minutes = minutes::read(&mut bits)?;
        let newest = minutes.last().copied().unwrap_or(0);
        let oldest = minutes.first().copied().unwrap_or(0);
        let last =
            if shape.last_is_newest { newest } else { minutes::read_second_in(newest / 60, &mut bits)? };
        let first_ever = if shape.first_ever_is_oldest { oldest } else { bits.read(32) };
        let mut devices = devices::read(&mut bits, &minutes, shape.order)?;
        if !shape.one_day {
            for device in &mut devices {
                device.days = devices::read_days(&mut bits)?;
            }
        }
        IpState::from_parts(devices, minutes, last, first_ever)
    };
    match state {
        Some(state) if !bits.overrun() => Ok(state),
        Some(_) => Err(TileError::Damaged("it ends too early")),
        None => Err(TileError::Damaged("its lists are out of order")),
    }
}

/// The newest minute of a tile, since the epoch, without decoding the rest; [`None`] when nothing is left but the first
/// contact ever.
pub(crate) fn newest_minute(tile: &[u8]) -> Result<Option<u32>, TileError> {
    let mut bits = BitReader::new(tile);
    let shape = Shape::read(&mut bits)?;
    Ok((!shape.first_ever_only).then(|| minutes::read_newest(&mut bits) / 60))
}

impl Shape {
    fn of(state: &IpState) -> Self {
        let (oldest, newest) = (state.minutes().first(), state.minutes().last());
        Self {
            first_ever_only: state.minutes().is_empty(),
            one_day: state.devices().all(|device| device.days == 1),
            first_ever_is_oldest: oldest == Some(&state.first_ever()),
            last_is_newest: newest == Some(&state.last()),
            order: devices::shortest_order(state),
        }
    }

    fn write(self, bits: &mut BitWriter) {
        bits.write(u32::from(self == PLAIN), 1);
        if self != PLAIN {
            bits.write(VERSION_1, 2);
            let flags = [self.first_ever_only, self.one_day, self.first_ever_is_oldest, self.last_is_newest];
            flags.into_iter().for_each(|flag| bits.write(u32::from(flag), 1));
            bits.write(self.order.number(), 2);
        }
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, TileError> {
        if bits.read(1) == 1 {
            return Ok(PLAIN);
        }
        match bits.read(2) {
            VERSION_1 => {}
            version => return Err(TileError::Version(version)),
        }
        let mut flag = || bits.read(1) == 1;
        Ok(Self {
            first_ever_only: flag(),
            one_day: flag(),
            first_ever_is_oldest: flag(),
            last_is_newest: flag(),
            order: Order::from_number(bits.read(2))?,
        })
    }
}

impl Order {
    /// Persisted, never renumber.
    const fn number(self) -> u32 {
        match self {
            Self::OneAMinute => 0,
            Self::ByMinute => 1,
            Self::ById => 2,
            Self::NoDevices => 3,
        }
    }

    fn from_number(number: u32) -> Result<Self, TileError> {
        let orders = [Self::OneAMinute, Self::ByMinute, Self::ById, Self::NoDevices];
        orders.into_iter().find(|order| order.number() == number).ok_or(TileError::Damaged("unknown order"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Contact, tests::contacts};
    use proptest::prelude::*;

    fn state(contacts: &[(u32, u32)]) -> IpState {
        let mut contacts: Vec<_> =
            contacts.iter().map(|(device, second)| Contact::new(*device, *second)).collect();
        IpState::from_contacts(&mut contacts)
    }

    proptest! {
        #[test]
        fn every_state_round_trips(contacts in contacts(), horizon in proptest::option::of(20_000_u32..20_045)) {
            let mut state = IpState::from_contacts(&mut contacts.clone());
            if let Some(day) = horizon {
                state.prune(day * 1440);
            }
            let tile = encode(&state);
            prop_assert_eq!(newest_minute(&tile), Ok(state.minutes().last().map(|second| second / 60)));
            prop_assert_eq!(decode(&tile), Ok(state));
        }

        #[test]
        fn wide_states_round_trip(pairs in proptest::collection::vec((any::<u32>(), any::<u32>()), 1..400)) {
            let state = state(&pairs);
            prop_assert_eq!(decode(&encode(&state)), Ok(state));
        }

        #[test]
        fn distinct_devices_and_minutes_round_trip(count in 1_u32..500, step in 1_u32..90, stride in 1_u32..200) {
            let pairs: Vec<_> = (0..count).map(|n| (n * stride % 1009, 1_700_000_000 + n * step)).collect();
            let state = state(&pairs);
            prop_assert_eq!(decode(&encode(&state)), Ok(state));
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_but_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first &= 0b1111_1000;
                let _ = decode(&bytes);
            }
        }

        #[test]
        fn a_flipped_bit_never_panics(contacts in contacts(), at: proptest::sample::Index, bit in 0_u32..8) {
            let mut tile = encode(&IpState::from_contacts(&mut contacts.clone()));
            *at.get_mut(&mut tile) ^= 1_u8 << bit;
            let _ = decode(&tile);
        }
    }

    #[test]
    fn a_single_contact_takes_seven_bytes() {
        assert_eq!(encode(&state(&[(99_999, 1_700_000_000)])).len(), 7);
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(decode(&[0b10]), Err(TileError::Version(1)));
    }

    /// Golden tiles of version 1: these must never change.
    #[test]
    fn version_1_stays_readable() {
        let goldens = [
            (vec![(99_999, 1_700_000_000)], "03c44f95c14f43"),
            (vec![(3, 1_700_000_000), (9, 1_700_000_061), (12, 1_700_000_299)], "bd223f5556009861079f03"),
            (
                vec![(3, 1_700_000_000), (3, 1_700_090_000), (9, 1_700_000_061), (12, 1_700_000_119)],
                "60092454551977e1ffff67d875d0be5318",
            ),
        ];
        for (contacts, golden) in goldens {
            let tile = encode(&state(&contacts));
            let hex: Vec<String> = tile.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex.concat(), golden);
            assert_eq!(decode(&tile), Ok(state(&contacts)));
        }
    }
}
