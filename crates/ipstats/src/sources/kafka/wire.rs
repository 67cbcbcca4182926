//! The primitive types of Kafka's protocol, read and written.
//!
//! Only the types of the versions that [`messages`](super::messages) uses: fixed-width numbers, strings and arrays with
//! their length in front, and the variable-length numbers of record batches. Reading never panics and never allocates
//! what a length claims.

/// The bytes end before a value does, or a length is impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it ends early or has an impossible length")]
pub(super) struct Truncated;

/// Reads values from the front of bytes.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn i8(&mut self) -> Result<i8, Truncated> {
        Ok(i8::from_be_bytes(self.array_of()?))
    }

    pub(super) fn i16(&mut self) -> Result<i16, Truncated> {
        Ok(i16::from_be_bytes(self.array_of()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, Truncated> {
        Ok(i32::from_be_bytes(self.array_of()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Truncated> {
        Ok(u32::from_be_bytes(self.array_of()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, Truncated> {
        Ok(i64::from_be_bytes(self.array_of()?))
    }

    /// A string or null. Bytes that are not UTF-8 are replaced.
    pub(super) fn nullable_string(&mut self) -> Result<Option<String>, Truncated> {
        match self.i16()? {
            -1 => Ok(None),
            length => {
                let bytes = self.bytes(usize::try_from(length).map_err(|_| Truncated)?)?;
                Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
    }

    pub(super) fn string(&mut self) -> Result<String, Truncated> {
        Ok(self.nullable_string()?.unwrap_or_default())
    }

    /// Bytes with their length in front; null is empty.
    pub(super) fn nullable_bytes(&mut self) -> Result<&'a [u8], Truncated> {
        match self.i32()? {
            -1 => Ok(&[]),
            length => self.bytes(usize::try_from(length).map_err(|_| Truncated)?),
        }
    }

    /// An array with its length in front; null is empty.
    pub(super) fn array<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Truncated>,
    ) -> Result<Vec<T>, Truncated> {
        let count = self.i32()?;
        // Grows as items are read: the count alone allocates nothing.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A zigzag number of variable length, at most ten bytes.
    pub(super) fn varint(&mut self) -> Result<i64, Truncated> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array_of()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(Truncated)
    }

    /// Bytes with a variable-length number in front; −1 is null.
    pub(super) fn varint_bytes(&mut self) -> Result<Option<&'a [u8]>, Truncated> {
        match self.varint()? {
            -1 => Ok(None),
            length => self.bytes(usize::try_from(length).map_err(|_| Truncated)?).map(Some),
        }
    }
}

/// Appends values to a request.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    /// A string; the configuration bounds its length far below 32 KiB.
    pub(super) fn string(&mut self, text: &str) {
        self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.0.extend(text.as_bytes().iter().take(i16::MAX as usize));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend(bytes);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_reads_every_width() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0xac, 0x02], 150),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
            (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MAX),
        ] {
            assert_eq!(Reader::new(bytes).varint(), Ok(value), "{bytes:?}");
        }
        assert_eq!(Reader::new(&[0x80; 11]).varint(), Err(Truncated));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(Truncated));
    }

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0]).nullable_bytes(), Err(Truncated));
        assert_eq!(Reader::new(&[0x80, 0, 0, 0]).nullable_bytes(), Err(Truncated));
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0]).array(Reader::i32), Err(Truncated));
    }
}
