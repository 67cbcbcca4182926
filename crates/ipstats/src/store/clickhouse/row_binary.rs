//! ClickHouse's `RowBinary`: values one after the other, little-endian, strings behind their length as LEB128.

use super::error::Failure;
use ipstats_model::{Admission, Batch, Organization, Recorded, Row, Timestamp, admission};

/// Bytes of a row beside its device's name: organization, IP, length of the name, time.
const ROW_BYTES: usize = 16 + 16 + 2 + 4;

/// Columns of [`rows`], in this order.
pub(super) const COLUMNS: &str = "organization, ip, device, time";

/// The rows of a batch that are within retention at `now`, and what became of all of them.
pub(super) fn rows(organization: Organization, batch: &Batch, now: Timestamp) -> (Vec<u8>, Recorded) {
    let devices: Vec<&str> = batch.devices().collect();
    let mut recorded = Recorded::default();
    let mut bytes = Vec::with_capacity(batch.len() * (ROW_BYTES + 16));
    for row in batch.rows() {
        match admission(row.at, now) {
            Admission::TooOld => recorded.too_old += 1,
            Admission::TooFarAhead => recorded.too_far_ahead += 1,
            Admission::Accepted => {
                recorded.counted += 1;
                push_row(&mut bytes, organization, &devices, row);
            }
        }
    }
    (bytes, recorded)
}

/// The rows of a batch, whatever their times.
pub(super) fn all_rows(organization: Organization, batch: &Batch) -> Vec<u8> {
    let devices: Vec<&str> = batch.devices().collect();
    let mut bytes = Vec::with_capacity(batch.len() * (ROW_BYTES + 16));
    batch.rows().iter().for_each(|row| push_row(&mut bytes, organization, &devices, row));
    bytes
}

fn push_row(bytes: &mut Vec<u8>, organization: Organization, devices: &[&str], row: &Row) {
    // Every number of a batch has a name, and what is admitted fits 32 bits.
    let device = devices.get(row.device as usize).copied().unwrap_or_default();
    bytes.extend_from_slice(organization.as_bytes());
    bytes.extend_from_slice(row.ip.as_bytes());
    push_string(bytes, device.as_bytes());
    let second = u32::try_from(row.at.second()).unwrap_or_default();
    bytes.extend_from_slice(&second.to_le_bytes());
}

/// A string behind its length.
pub(super) fn push_string(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    loop {
        let [low, ..] = length.to_le_bytes();
        length >>= 7;
        if length == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 0x80);
    }
    bytes.extend_from_slice(text);
}

/// Reads values of an answer; what is cut off or too long is unreadable.
#[derive(Debug, Clone)]
pub(super) struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    pub(super) const fn new(answer: &'a [u8]) -> Self {
        Self(answer)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn u8(&mut self) -> Result<u8, Failure> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Failure> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Failure> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Failure> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Failure> {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.u8()?;
            if shift > 28 {
                return Err(Failure::Unreadable);
            }
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Failure::Unreadable)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self) -> Result<String, Failure> {
        // Others may have inserted names that are no UTF-8.
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Failure::Unreadable)?;
        self.0 = rest;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_length_come_back() {
        for length in [0, 1, 127, 128, 256, 16_383, 16_384, 40_000] {
            let (text, mut bytes) = (vec![7; length], Vec::new());
            push_string(&mut bytes, &text);
            let mut values = Values::new(&bytes);
            assert_eq!(values.bytes().unwrap(), text);
            assert!(values.is_empty());
            let cut = bytes.len() - 1;
            assert!(Values::new(&bytes[..cut]).bytes().is_err());
        }
        assert!(Values::new(&[0xff; 20]).bytes().is_err(), "a length that no string has");
    }

    #[test]
    fn a_row_is_what_the_format_says_and_old_rows_are_left_out() {
        let now: Timestamp = "2018-06-01T12:00:00Z".parse().unwrap();
        let mut batch = Batch::new();
        batch.push("old", "1.2.3.4".parse().unwrap(), now.plus_seconds(-31 * 86_400)).unwrap();
        batch.push("ahead", "1.2.3.4".parse().unwrap(), now.plus_seconds(301)).unwrap();
        batch.push("pc", "1.2.3.4".parse().unwrap(), now).unwrap();
        let (bytes, recorded) = rows(Organization::from_bytes([9; 16]), &batch, now);
        assert_eq!(recorded, Recorded { counted: 1, too_old: 1, too_far_ahead: 1 });
        let mut expected = vec![9; 16];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4, 2, b'p', b'c']);
        expected.extend(1_527_854_400_u32.to_le_bytes());
        assert_eq!(bytes, expected);
    }
}
