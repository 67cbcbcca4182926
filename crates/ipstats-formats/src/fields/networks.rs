//! Which addresses are internal.

use ipnet::IpNet;
use ipstats_model::CanonicalIp;

/// A list of networks, compiled for asking about canonical addresses: IPv4 networks are held in their mapped form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    /// (network, mask) over the 128 bits of the IPv6 form.
    masks: Vec<(u128, u128)>,
}

impl Networks {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        let masks = networks.iter().map(|network| {
            let (address, host_bits) = match network {
                IpNet::V4(v4) => (CanonicalIp::from(v4.network()), 32 - u32::from(v4.prefix_len())),
                IpNet::V6(v6) => (CanonicalIp::from(v6.network()), 128 - u32::from(v6.prefix_len())),
            };
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            (u128::from_be_bytes(*address.as_bytes()) & mask, mask)
        });
        Self { masks: masks.collect() }
    }

    pub(crate) fn contain(&self, ip: CanonicalIp) -> bool {
        let ip = u128::from_be_bytes(*ip.as_bytes());
        self.masks.iter().any(|(network, mask)| ip & mask == *network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn the_default_networks_are_private_and_local_ones() {
        let networks = Networks::new(&Settings::default().internal_networks);
        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(networks.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "9.255.255.255",
            "11.0.0.0",
            "172.32.0.0",
            "192.169.0.0",
            "100.128.0.0",
            "8.8.8.8",
            "::2",
            "fec0::1",
            "2001:db8::1",
        ] {
            assert!(!networks.contain(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn networks_of_any_length_hold_their_addresses() {
        let all = Networks::new(&["0.0.0.0/0".parse().unwrap()]);
        assert!(all.contain("8.8.8.8".parse().unwrap()));
        assert!(!all.contain("2001:db8::1".parse().unwrap()));
        let everything = Networks::new(&["::/0".parse().unwrap()]);
        assert!(everything.contain("2001:db8::1".parse().unwrap()));
        let host = Networks::new(&["203.0.113.7/32".parse().unwrap()]);
        assert!(host.contain("203.0.113.7".parse().unwrap()));
        assert!(!host.contain("203.0.113.6".parse().unwrap()));
    }
}
