//! Connections on their way from a parser to a store.

use crate::ip::CanonicalIp;
use crate::limits::DEVICE_NAME_BYTES_MAX;
use crate::time::Timestamp;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Connections of one organization, each naming its device by a number local to the batch.
///
/// A batch names each device once, so a store looks a name up once per batch and not once per connection.
#[derive(Debug, Default)]
pub struct Batch {
    rows: Vec<Row>,
    /// All device names, one after the other.
    names: String,
    /// Where the name of each local device number ends in `names`.
    name_ends: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

/// One connection of a [`Batch`]: the device with the local number `device` opened a connection to `ip` at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Local device number: an index into [`Batch::devices`].
    pub device: u32,
    /// The remote address.
    pub ip: CanonicalIp,
    /// When the connection was opened.
    pub at: Timestamp,
}

/// What became of the connections of a batch that a store acknowledged.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Durable and answerable.
    pub counted: u64,
    /// Left out: older than the retained 30 days.
    pub too_old: u64,
    /// Left out: more than 5 minutes ahead of the clock.
    pub too_far_ahead: u64,
}

impl std::ops::AddAssign for Recorded {
    fn add_assign(&mut self, more: Self) {
        self.counted += more.counted;
        self.too_old += more.too_old;
        self.too_far_ahead += more.too_far_ahead;
    }
}

/// The text cannot name a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceNameError {
    /// There is no name.
    #[error("device name is empty")]
    Empty,
    /// The name is longer than [`DEVICE_NAME_BYTES_MAX`].
    #[error("device name has {bytes} bytes; at most {DEVICE_NAME_BYTES_MAX} are accepted")]
    TooLong {
        /// Length of the name in bytes.
        bytes: usize,
    },
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connection: `device` opened a connection to `ip` at `at`.
    pub fn push(&mut self, device: &str, ip: CanonicalIp, at: Timestamp) -> Result<(), DeviceNameError> {
        let device = self.number_of(device)?;
        self.rows.push(Row { device, ip, at });
        Ok(())
    }

    /// The connections, in the order they were added.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The distinct device names; the position of a name is its local number.
    pub fn devices(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.name_ends.len()).map(|number| name(&self.names, &self.name_ends, number))
    }

    /// Number of connections.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.names.clear();
        self.name_ends.clear();
        self.numbers.clear();
    }

    fn number_of(&mut self, device: &str) -> Result<u32, DeviceNameError> {
        let Self { names, name_ends, numbers, hasher, .. } = self;
        let hash = hasher.hash_one(device);
        if let Some(number) = numbers.find(hash, |number| name(names, name_ends, *number as usize) == device)
        {
            return Ok(*number);
        }
        match device.len() {
            0 => return Err(DeviceNameError::Empty),
            bytes if bytes > DEVICE_NAME_BYTES_MAX => return Err(DeviceNameError::TooLong { bytes }),
            _ => {}
        }
        // A batch with 2^32 devices would not fit in memory: the number always fits.
        let number = u32::try_from(name_ends.len()).unwrap_or(u32::MAX);
        names.push_str(device);
        name_ends.push(names.len());
        numbers
            .insert_unique(hash, number, |number| hasher.hash_one(name(names, name_ends, *number as usize)));
        Ok(number)
    }
}

fn name<'a>(names: &'a str, ends: &[usize], number: usize) -> &'a str {
    let start = number.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    ends.get(number).and_then(|end| names.get(start..*end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_once() {
        let ip = "10.0.0.1".parse().unwrap();
        let at = Timestamp::from_second(60);
        let mut batch = Batch::new();
        for _ in 0..2 {
            batch.push("a", ip, at).unwrap();
            batch.push("bc", ip, at).unwrap();
            batch.push("a", ip, at).unwrap();
            assert_eq!(batch.devices().collect::<Vec<_>>(), ["a", "bc"]);
            assert_eq!(batch.rows().iter().map(|row| row.device).collect::<Vec<_>>(), [0, 1, 0]);
            batch.clear();
            assert!(batch.is_empty());
        }
    }

    #[test]
    fn a_name_has_a_length() {
        let ip = "10.0.0.1".parse().unwrap();
        let at = Timestamp::from_second(60);
        let mut batch = Batch::new();
        assert_eq!(batch.push("", ip, at), Err(DeviceNameError::Empty));
        assert_eq!(batch.push(&"x".repeat(257), ip, at), Err(DeviceNameError::TooLong { bytes: 257 }));
        assert_eq!(batch.push(&"x".repeat(256), ip, at), Ok(()));
        assert_eq!(batch.len(), 1);
    }
}
