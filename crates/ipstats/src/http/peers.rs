//! Connections by the address they come from: one address has only a part of the places there are, so that idle
//! connections of one do not keep everybody out.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Connections of one address at once; one more is closed.
const CONNECTIONS_PER_PEER_MAX: usize = 256;

/// The part of an IPv6 address that is a network's; whoever has one address has all that differ in the rest.
const IPV6_NETWORK: u128 = u128::MAX << 64;

/// How many connections each address has.
#[derive(Default, Clone)]
pub(super) struct Peers(Arc<Mutex<HashMap<IpAddr, Held>>>);

#[derive(Default)]
struct Held {
    connections: usize,
    is_told: bool,
}

/// The place of one connection among those of its address; without an address, it is counted nowhere.
pub(super) struct PeerPlace {
    peers: Peers,
    network: Option<IpAddr>,
}

impl Peers {
    /// A place for one more connection of `peer`, where there is one. A trusted proxy speaks for many and has as many
    /// as it wants.
    pub(super) fn enter(&self, peer: IpAddr, is_proxy: bool) -> Option<PeerPlace> {
        let network = (!is_proxy).then(|| network(peer));
        if let Some(network) = network {
            let mut held = self.0.lock();
            let held = held.entry(network).or_default();
            if held.connections >= CONNECTIONS_PER_PEER_MAX {
                if !held.is_told {
                    held.is_told = true;
                    tracing::warn!(
                        %peer,
                        connections = CONNECTIONS_PER_PEER_MAX,
                        "more connections of this address are closed at once; if it is a proxy, list it in trusted_proxies"
                    );
                }
                return None;
            }
            held.connections += 1;
        }
        Some(PeerPlace { peers: self.clone(), network })
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        if let Entry::Occupied(mut held) = self.peers.0.lock().entry(network) {
            held.get_mut().connections -= 1;
            if held.get().connections == 0 {
                held.remove();
            }
        }
    }
}

/// What connections are counted by: an IPv4 address, or the /64 of an IPv6 address.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(peers: &Peers, peer: &str, is_proxy: bool, times: usize) -> Vec<PeerPlace> {
        (0..times).filter_map(|_| peers.enter(peer.parse().unwrap(), is_proxy)).collect()
    }

    #[test]
    fn idle_connections_of_one_address_keep_nobody_else_out() {
        let peers = Peers::default();
        let idle = enter(&peers, "192.0.2.1", false, 300);
        assert_eq!(idle.len(), 256);
        assert!(enter(&peers, "::ffff:192.0.2.1", false, 1).is_empty(), "the same address");
        assert_eq!(enter(&peers, "192.0.2.2", false, 1).len(), 1);
        assert_eq!(enter(&peers, "192.0.2.1", true, 300).len(), 300, "a trusted proxy");
        drop(idle);
        assert_eq!(enter(&peers, "192.0.2.1", false, 300).len(), 256);
        assert!(peers.0.lock().is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let peers = Peers::default();
        let places: Vec<_> =
            (0..300).flat_map(|host| enter(&peers, &format!("2001:db8::{host:x}"), false, 1)).collect();
        assert_eq!(places.len(), 256);
        assert_eq!(enter(&peers, "2001:db8:0:1::1", false, 1).len(), 1);
    }
}
