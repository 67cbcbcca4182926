//! Bytes in network order.

/// Reads from the front of bytes. What cannot be read is left where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes that were not read.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
}

/// Whether bytes are all 0, as padding is.
pub(super) fn are_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// An unsigned number of 1 to 8 bytes: exporters leave out leading zeros (RFC 7011, 6.2).
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    match bytes {
        [] | [_, _, _, _, _, _, _, _, _, ..] => None,
        _ => Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_has_1_to_8_bytes() {
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[0x12]), Some(0x12));
        assert_eq!(number(&[0x12, 0x34, 0x56]), Some(0x12_3456));
        assert_eq!(number(&[0xff; 8]), Some(u64::MAX));
        assert_eq!(number(&[0; 9]), None);
    }

    #[test]
    fn failed_read_leaves_bytes() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        assert_eq!((cursor.u32(), cursor.take(4)), (None, None));
        assert_eq!((cursor.u16(), cursor.rest()), (Some(0x0102), &[3][..]));
        assert_eq!((cursor.u16(), cursor.u8(), cursor.u8()), (None, Some(3), None));
    }
}
