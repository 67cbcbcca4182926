//! Bits in and out, least significant first, and the integer codes a tile is made of.

/// Appends bits to a byte vector.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

/// Takes bits from a byte slice. Past its end it reads zeros, and [`overrun`](Self::overrun) says so.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl BitWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends the low `width` bits of `value`, at most 32.
    pub(crate) fn write(&mut self, value: u32, width: u32) {
        debug_assert!(width <= 32 && u64::from(value) >> width == 0, "{value} does not fit {width} bits");
        self.pending |= u64::from(value) << self.pending_bits;
        self.pending_bits += width;
        while self.pending_bits >= 32 {
            #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
            self.bytes.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.pending_bits -= 32;
        }
    }

    /// `value` zeros and a one.
    pub(crate) fn write_unary(&mut self, mut value: u32) {
        while value >= 32 {
            self.write(0, 32);
            value -= 32;
        }
        self.write(0, value);
        self.write(1, 1);
    }

    /// Elias gamma code of `value`, at least 1: its length in unary, then its bits below the highest.
    pub(crate) fn write_gamma(&mut self, value: u32) {
        debug_assert!(value >= 1);
        let width = value.ilog2();
        self.write_unary(width);
        self.write(value & !(1 << width), width);
    }

    /// Truncated binary code of `value` below `size`: `log2(size)` bits, rounded down for the smaller values.
    pub(crate) fn write_below(&mut self, value: u32, size: u64) {
        debug_assert!(u64::from(value) < size);
        let (width, short) = truncated_binary(size);
        let value = u64::from(value);
        if value < short {
            self.write_wide(value, width);
        } else {
            self.write_wide((value + short) >> 1, width);
            self.write_wide((value + short) & 1, 1);
        }
    }

    /// Five bits for the width, then the bits below the highest, which is set; 0 and 1 take five and six bits.
    pub(crate) fn write_sized(&mut self, value: u32) {
        let below_highest = value.checked_ilog2().unwrap_or(0);
        self.write(below_highest, 5);
        if below_highest == 0 {
            self.write(value, 1);
        } else {
            self.write(value & !(1 << below_highest), below_highest);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the codes here are at most 32 bits wide")]
    fn write_wide(&mut self, value: u64, width: u32) {
        self.write(value as u32, width);
    }

    /// The bytes, the last one padded with zeros.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let rest = self.pending.to_le_bytes();
        let used = self.pending_bits.div_ceil(8) as usize;
        self.bytes.extend(rest.into_iter().take(used));
        self.bytes
    }
}

impl<'a> BitReader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Whether more bits were taken than there are.
    pub(crate) const fn overrun(&self) -> bool {
        self.position > self.bytes.len().saturating_mul(8)
    }

    /// Bits not yet taken.
    pub(crate) const fn remaining_bits(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.position)
    }

    /// At least the next 57 bits, zeros past the end.
    fn peek(&self) -> u64 {
        let start = self.position / 8;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let word = if let Some(eight) = rest.first_chunk::<8>() {
            u64::from_le_bytes(*eight)
        } else {
            let mut eight = [0_u8; 8];
            eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            u64::from_le_bytes(eight)
        };
        word >> (self.position % 8)
    }

    /// The next `width` bits, at most 32.
    #[expect(clippy::cast_possible_truncation, reason = "masked to at most 32 bits")]
    pub(crate) fn read(&mut self, width: u32) -> u32 {
        let value = self.peek() & ((1_u64 << width) - 1);
        self.position = self.position.saturating_add(width as usize);
        value as u32
    }

    /// The number of zeros before the next one, at most `max`; more than that is an overrun.
    pub(crate) fn read_unary(&mut self, max: u32) -> u32 {
        let mut zeros = 0;
        loop {
            let run = self.peek().trailing_zeros();
            if run < 57 {
                self.position = self.position.saturating_add(run as usize + 1);
                zeros += run;
                if zeros > max {
                    self.position = usize::MAX;
                }
                return zeros.min(max);
            }
            zeros = zeros.saturating_add(56);
            self.position = self.position.saturating_add(56);
            if zeros > max || self.overrun() {
                self.position = usize::MAX;
                return max;
            }
        }
    }

    pub(crate) fn read_gamma(&mut self) -> u32 {
        let width = self.read_unary(31);
        1 << width | self.read(width)
    }

    pub(crate) fn read_below(&mut self, size: u64) -> u32 {
        let (width, short) = truncated_binary(size);
        let high = u64::from(self.read(width));
        if high < short {
            return u32::try_from(high).unwrap_or(u32::MAX);
        }
        let value = (high << 1 | u64::from(self.read(1))) - short;
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    pub(crate) fn read_sized(&mut self) -> u32 {
        match self.read(5) {
            0 => self.read(1),
            below_highest => 1 << below_highest | self.read(below_highest),
        }
    }
}

/// Width of the shorter codes of values below `size`, and how many values have one.
fn truncated_binary(size: u64) -> (u32, u64) {
    let width = size.checked_ilog2().unwrap_or(0);
    (width, (2 << width) - size)
}

/// Binary interpolative code of a strictly ascending list within `low..=high`: the middle value first, in as many bits
/// as its place leaves open, then both halves (A. Moffat, L. Stuiver, "Binary Interpolative Coding for Effective Index
/// Compression", 2000). Random lists take hardly more than their entropy, and runs take nothing.
pub(crate) fn write_ascending(bits: &mut BitWriter, values: &[u32], low: u32, high: u32) {
    let middle = values.len() / 2;
    let Some((left, [value, right @ ..])) = values.split_at_checked(middle) else { return };
    let (first, size) = open_places(values.len(), middle, low, high).unwrap_or((low, 1));
    bits.write_below(value - first, size);
    if !left.is_empty() {
        write_ascending(bits, left, low, value - 1);
    }
    if !right.is_empty() {
        write_ascending(bits, right, value + 1, high);
    }
}

/// Reads a list that [`write_ascending`] wrote into `values`; [`None`] when it does not fit `low..=high`.
pub(crate) fn read_ascending(
    bits: &mut BitReader<'_>,
    values: &mut [u32],
    low: u32,
    high: u32,
) -> Option<()> {
    let (length, middle) = (values.len(), values.len() / 2);
    let Some((left, [value, right @ ..])) = values.split_at_mut_checked(middle) else { return Some(()) };
    let (first, size) = open_places(length, middle, low, high)?;
    *value = first + bits.read_below(size);
    if !left.is_empty() {
        read_ascending(bits, left, low, value.checked_sub(1)?)?;
    }
    if !right.is_empty() {
        read_ascending(bits, right, value.checked_add(1)?, high)?;
    }
    Some(())
}

/// The smallest value that the one at `position` of `length` can have within `low..=high`, and how many it can have.
fn open_places(length: usize, position: usize, low: u32, high: u32) -> Option<(u32, u64)> {
    let size = u64::from(high.checked_sub(low)?) + 1;
    let free = size.checked_sub(length as u64)?;
    Some((low.checked_add(u32::try_from(position).ok()?)?, free + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_round_trip(values in proptest::collection::vec((any::<u32>(), 0_u32..=32), 0..50)) {
            let mut writer = BitWriter::new();
            for (value, width) in &values {
                let value = u32::try_from(u64::from(*value) & ((1 << width) - 1)).unwrap();
                writer.write(value, *width);
                writer.write_gamma(value.max(1));
                writer.write_sized(value);
                writer.write_unary(value % 200);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for (value, width) in &values {
                let value = u32::try_from(u64::from(*value) & ((1 << width) - 1)).unwrap();
                prop_assert_eq!(reader.read(*width), value);
                prop_assert_eq!(reader.read_gamma(), value.max(1));
                prop_assert_eq!(reader.read_sized(), value);
                prop_assert_eq!(reader.read_unary(200), value % 200);
            }
            prop_assert!(!reader.overrun());
            prop_assert!(reader.remaining_bits() < 8);
        }

        #[test]
        fn truncated_binary_round_trips(size in 1_u64..=1 << 32, value: u64) {
            let value = u32::try_from(value % size).unwrap();
            for value in [value, 0, u32::try_from(size - 1).unwrap()] {
                let mut writer = BitWriter::new();
                writer.write_below(value, size);
                let bytes = writer.finish();
                prop_assert_eq!(BitReader::new(&bytes).read_below(size), value);
            }
        }

        #[test]
        fn ascending_lists_round_trip(values in proptest::collection::btree_set(5_u32..1000, 0..600), extra in 0_u32..9) {
            let values: Vec<u32> = values.into_iter().collect();
            let high = values.last().copied().unwrap_or(5) + extra;
            let mut writer = BitWriter::new();
            write_ascending(&mut writer, &values, 5, high);
            let bytes = writer.finish();
            let mut read = vec![0; values.len()];
            prop_assert_eq!(read_ascending(&mut BitReader::new(&bytes), &mut read, 5, high), Some(()));
            prop_assert_eq!(read, values);
        }
    }
}
