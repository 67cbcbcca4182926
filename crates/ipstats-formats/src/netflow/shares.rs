//! How many exporters one address may have.
//!
//! Why: an exporter is an address with its port and observation domain, and those that were silent longest are forgotten
//! when there are too many. An address that sends from ever new ports would push out those of all others. So it has a share, and beyond
//! that its own are forgotten.
//!
//! Invariant: bounded in addresses and in exporters of each.

use netflow_parser::ScopingInfo;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// Exporters of one address.
const PER_ADDRESS_MAX: usize = 64;

/// Addresses whose exporters are known. All send again and again: whom this forgets is soon known.
const ADDRESSES_MAX: usize = 4096;

/// Whoever sends templates of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Exporter {
    pub(super) address: SocketAddr,
    pub(super) version: Version,
    /// Observation domain of IPFIX, source id of v9.
    pub(super) domain: u32,
}

/// A version that has templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Version {
    V9,
    Ipfix,
}

/// The exporters of each address.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// The one that sent last at the end.
    exporters: HashMap<IpAddr, VecDeque<Exporter>>,
}

impl Exporter {
    /// Who sends `datagram` from `address`, if that is of a version with templates.
    pub(super) fn of(address: SocketAddr, datagram: &[u8]) -> Option<Self> {
        let (version, domain) = match netflow_parser::extract_scoping_info(datagram) {
            ScopingInfo::V9 { source_id } => (Version::V9, source_id),
            ScopingInfo::IPFix { observation_domain_id } => (Version::Ipfix, observation_domain_id),
            _ => return None,
        };
        Some(Self { address, version, domain })
    }
}

impl Shares {
    /// `exporter` sends: which other one of its address is to be forgotten for it.
    pub(super) fn sends(&mut self, exporter: Exporter) -> Option<Exporter> {
        let ip = exporter.address.ip();
        if self.exporters.len() >= ADDRESSES_MAX && !self.exporters.contains_key(&ip) {
            self.exporters.clear();
        }
        let own = self.exporters.entry(ip).or_default();
        // Most addresses have one.
        match own.iter().rposition(|known| *known == exporter) {
            Some(place) => drop(own.remove(place)),
            None if own.len() == PER_ADDRESS_MAX => {
                let silent = own.pop_front();
                own.push_back(exporter);
                return silent;
            }
            None => {}
        }
        own.push_back(exporter);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exporter(address: &str, domain: u32) -> Exporter {
        Exporter { address: address.parse().unwrap(), version: Version::V9, domain }
    }

    #[test]
    fn beyond_its_share_the_one_of_an_address_that_was_silent_longest_is_forgotten() {
        let mut shares = Shares::default();
        let other = exporter("192.0.2.2:2055", 0);
        assert_eq!(shares.sends(other), None);
        for domain in 0..64 {
            assert_eq!(shares.sends(exporter("192.0.2.1:2055", domain)), None);
        }
        assert_eq!(shares.sends(exporter("192.0.2.1:2055", 0)), None, "it is known");
        assert_eq!(shares.sends(exporter("192.0.2.1:9", 0)), Some(exporter("192.0.2.1:2055", 1)));
        assert_eq!(shares.sends(other), None);
        assert_eq!(shares.exporters.values().map(VecDeque::len).sum::<usize>(), 65);
    }

    #[test]
    fn addresses_are_bounded() {
        let mut shares = Shares::default();
        for number in 0..10_000_u32 {
            let address = SocketAddr::new(IpAddr::from(number.to_be_bytes()), 2055);
            assert_eq!(shares.sends(Exporter { address, version: Version::Ipfix, domain: 0 }), None);
        }
        assert!(shares.exporters.len() <= ADDRESSES_MAX);
    }
}
