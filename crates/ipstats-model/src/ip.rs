//! The canonical form of an IP address: one address, one key, one spelling.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IP address with IPv4-mapped IPv6 (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2) folded to IPv4.
///
/// Kept as the 16 bytes of the IPv6 form, IPv4 mapped, so that order, hash and key are those of the bytes.
/// Shown as dotted quad or RFC 5952.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalIp([u8; 16]);

/// The text is not an IP address: CIDR, ports, zone ids, host names, and octal, hexadecimal or short IPv4 are not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("IP address {text} is invalid.")]
pub struct InvalidIpAddress {
    text: String,
}

/// An address as text in a buffer of its own, for callers that write millions of them.
#[derive(Clone, Copy)]
pub struct IpText {
    bytes: [u8; 39],
    length: u8,
}

const MAPPED_PREFIX: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

impl CanonicalIp {
    /// The address with these 16 bytes (IPv6 form, network order).
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes of the IPv6 form, network order; IPv4 as `::ffff:a.b.c.d`.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The IPv4 bytes, where it is one.
    pub fn ipv4_bytes(&self) -> Option<[u8; 4]> {
        match self.0.split_first_chunk::<12>() {
            Some((prefix, rest)) if *prefix == MAPPED_PREFIX => rest.try_into().ok(),
            _ => None,
        }
    }

    /// The address as the standard library has it.
    pub fn to_ip_addr(self) -> IpAddr {
        match self.ipv4_bytes() {
            Some(bytes) => IpAddr::V4(Ipv4Addr::from(bytes)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }

    /// Reads an address from ASCII text: the same grammar as [`FromStr`], without an error to allocate.
    pub fn parse_ascii(text: &[u8]) -> Option<Self> {
        if let Some(bytes) = parse_ipv4(text) {
            return Some(Self::from(Ipv4Addr::from(bytes)));
        }
        if !text.contains(&b':') {
            return None;
        }
        std::str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok().map(Self::from)
    }

    /// The text of the address, without an allocation.
    pub fn text(&self) -> IpText {
        let mut text = IpText { bytes: [0; 39], length: 0 };
        match self.ipv4_bytes() {
            Some(bytes) => {
                for (position, byte) in bytes.into_iter().enumerate() {
                    if position > 0 {
                        text.push(b'.');
                    }
                    text.push_decimal(byte);
                }
            }
            // `Display` of the standard library is RFC 5952; a canonical IPv6 address has at most 39 characters.
            None => {
                let _ = fmt::Write::write_fmt(&mut text, format_args!("{}", Ipv6Addr::from(self.0)));
            }
        }
        text
    }
}

/// Dotted quad as in [`Ipv4Addr`]'s parser: four decimal octets, no leading zeros, nothing else.
fn parse_ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        *octet = match parts.next()? {
            [a @ b'0'..=b'9'] => a - b'0',
            [a @ b'1'..=b'9', b @ b'0'..=b'9'] => (a - b'0') * 10 + (b - b'0'),
            [a @ b'1'..=b'2', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                ((a - b'0') * 100).checked_add((b - b'0') * 10 + (c - b'0'))?
            }
            _ => return None,
        };
    }
    parts.next().is_none().then_some(octets)
}

impl IpText {
    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.length)) {
            *slot = byte;
            self.length += 1;
        }
    }

    fn push_decimal(&mut self, value: u8) {
        if value >= 100 {
            self.push(b'0' + value / 100);
        }
        if value >= 10 {
            self.push(b'0' + value / 10 % 10);
        }
        self.push(b'0' + value % 10);
    }
}

impl fmt::Write for IpText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        part.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

impl From<Ipv4Addr> for CanonicalIp {
    fn from(address: Ipv4Addr) -> Self {
        Self(address.to_ipv6_mapped().octets())
    }
}

impl From<Ipv6Addr> for CanonicalIp {
    fn from(address: Ipv6Addr) -> Self {
        Self(address.octets())
    }
}

impl From<IpAddr> for CanonicalIp {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => address.into(),
        }
    }
}

impl FromStr for CanonicalIp {
    type Err = InvalidIpAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_ascii(text.as_bytes()).ok_or_else(|| InvalidIpAddress { text: text.to_owned() })
    }
}

impl fmt::Display for CanonicalIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl fmt::Debug for CanonicalIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_an_address_is_one_address() {
        for (text, shown) in [
            ("10.209.67.177", "10.209.67.177"),
            ("::ffff:10.209.67.177", "10.209.67.177"),
            ("::FFFF:0AD1:43b1", "10.209.67.177"),
            ("ff02:0:0:0:0:0:0:fb", "ff02::fb"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("::", "::"),
            ("0.0.0.0", "0.0.0.0"),
            ("::1.2.3.4", "::102:304"),
        ] {
            assert_eq!(text.parse::<CanonicalIp>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in [
            "",
            " 1.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "010.0.0.1",
            "0x7f.1.1.1",
            "127.1",
            "2130706433",
            "1.2.3.4/32",
            "1.2.3.4:80",
            "fe80::1%eth0",
            "[::1]",
            "::1::",
            "localhost",
            "1..2.3",
            "1.2.3.",
            "٣.1.1.1",
        ] {
            assert!(text.parse::<CanonicalIp>().is_err(), "{text}");
        }
        assert_eq!("127.1".parse::<CanonicalIp>().unwrap_err().to_string(), "IP address 127.1 is invalid.");
    }

    proptest! {
        #[test]
        fn the_fast_parser_agrees_with_the_standard_library(text in "[0-9]{1,4}(\\.[0-9]{1,4}){2,4}|[0-9a-f:.]{2,40}") {
            let expected = text.parse::<IpAddr>().ok().map(CanonicalIp::from);
            prop_assert_eq!(CanonicalIp::parse_ascii(text.as_bytes()), expected);
        }

        #[test]
        fn text_round_trips(bytes: [u8; 16], four: [u8; 4]) {
            for ip in [CanonicalIp::from_bytes(bytes), CanonicalIp::from(Ipv4Addr::from(four))] {
                prop_assert_eq!(ip.to_string(), ip.to_ip_addr().to_string());
                prop_assert_eq!(ip.to_string().parse::<CanonicalIp>(), Ok(ip));
            }
        }
    }
}
