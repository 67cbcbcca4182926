//! What records show about the cause of an outcome that most of them share: the sensor's fault, or another log.

/// What is kept of the records that are not connections, beside their reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Failed or midstream records of Zeek in whose history packets have wrong checksums. Zeek ignores such packets.
    pub wrong_checksums: u64,
    /// The name of a log of Zeek that is not conn.log; of several the least.
    pub other_log: Option<LogName>,
}

/// The name of a log, such as `dns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogName {
    /// Visible ASCII, filled up with spaces.
    bytes: [u8; LogName::BYTES_MAX],
}

impl Hints {
    /// Adds the hints of other records.
    pub fn merge(&mut self, other: Self) {
        self.wrong_checksums += other.wrong_checksums;
        self.other_log = self.other_log.into_iter().chain(other.other_log).min();
    }
}

impl LogName {
    /// Longest name that is kept, in bytes.
    pub const BYTES_MAX: usize = 24;

    /// The name; nothing if it is too long or not visible ASCII.
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [b' '; Self::BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())).then_some(Self { bytes })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes.trim_ascii_end()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_names_are_short_and_visible() {
        assert_eq!(LogName::new("dns").unwrap().as_str(), "dns");
        for wrong in ["", "a b", "dn\u{1b}s", "é", &"x".repeat(25)] {
            assert_eq!(LogName::new(wrong), None, "{wrong}");
        }
    }
}
