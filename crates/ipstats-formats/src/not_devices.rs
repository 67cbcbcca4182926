//! Relays: NAT gateways, proxies and load balancers, which pass on the connections of devices and are not devices.

use crate::fields::networks::Networks;
use crate::fields::scalar;
use ipnet::IpNet;
use ipstats_model::CanonicalIp;
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One relay, or a network of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NotDevice {
    /// By address.
    Network(IpNet),
    /// By the name that a log has for it: an interface id, an instance id, a host name. Case does not matter.
    Name(String),
}

/// The text names no relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address, a network such as 10.0.9.0/24, an interface id or a name")]
pub struct NotDeviceError {
    text: String,
}

/// All relays of a source, compiled for asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotDevices {
    /// As they were given.
    entries: Vec<NotDevice>,
    networks: Networks,
    /// In lower case.
    names: HashSet<String>,
}

impl NotDevices {
    /// Compiles a list of relays.
    pub fn new(entries: impl IntoIterator<Item = NotDevice>) -> Self {
        let mut known = HashSet::new();
        let entries: Vec<NotDevice> =
            entries.into_iter().filter(|entry| known.insert(entry.clone())).collect();
        let (mut networks, mut names) = (Vec::new(), HashSet::new());
        for entry in &entries {
            match entry {
                NotDevice::Network(network) => networks.push(*network),
                NotDevice::Name(name) => drop(names.insert(name.to_ascii_lowercase())),
            }
        }
        Self { entries, networks: Networks::new(&networks), names }
    }

    /// The relays, in the order they were given.
    pub fn entries(&self) -> &[NotDevice] {
        &self.entries
    }

    /// Whether a device of this name is a relay. The name may be an address.
    pub(crate) fn contain_name(&self, name: &str) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let is_named = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.names.contains(&name.to_ascii_lowercase())
        } else {
            self.names.contains(name)
        };
        is_named || scalar::ip(name.as_bytes()).is_some_and(|ip| self.contain_ip(ip))
    }

    /// Whether a device with this address is a relay.
    pub(crate) fn contain_ip(&self, ip: CanonicalIp) -> bool {
        self.networks.contain(ip)
    }
}

impl FromStr for NotDevice {
    type Err = NotDeviceError;

    /// Reads an address, a network, or else a name. A name has a letter.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        if let Ok(network) = text.parse::<IpNet>().or_else(|_| address()) {
            return Ok(Self::Network(network));
        }
        let prefix = text.split_once('/').map(|(address, _)| address);
        let is_network = prefix.is_some_and(|address| address.parse::<IpAddr>().is_ok());
        if is_network || !text.chars().any(char::is_alphabetic) {
            return Err(NotDeviceError { text: text.to_owned() });
        }
        Ok(Self::Name(text.to_owned()))
    }
}

impl fmt::Display for NotDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                network.addr().fmt(f)
            }
            Self::Network(network) => network.fmt(f),
            Self::Name(name) => f.pad(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relays(entries: &[&str]) -> NotDevices {
        NotDevices::new(entries.iter().map(|entry| entry.parse().unwrap()))
    }

    #[test]
    fn relay_is_known_by_address_network_and_name() {
        let relays = relays(&["10.0.0.220", "10.9.0.0/16", "2001:db8::1", "eni-2222", "Proxy.corp.example"]);
        for name in
            ["10.0.0.220", "10.9.3.4", "::ffff:10.9.3.4", "2001:db8::1", "ENI-2222", "proxy.CORP.example"]
        {
            assert!(relays.contain_name(name), "{name}");
        }
        for name in ["10.0.0.221", "10.8.0.1", "2001:db8::2", "eni-22222", "proxy", ""] {
            assert!(!relays.contain_name(name), "{name}");
        }
        assert!(!NotDevices::default().contain_name("10.0.0.220"));
    }

    #[test]
    fn mistyped_networks_are_refused() {
        for wrong in ["", "10.0.0.0/33", "10.0.0.256", "2001:db8::/129", "10.0.0", "-"] {
            let error = wrong.parse::<NotDevice>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{wrong:?} is not an address")), "{error}");
        }
    }

    #[test]
    fn entries_are_shown_as_given() {
        let given = ["10.0.0.220", "10.9.0.0/16", "2001:db8::1", "eni-2222"];
        assert_eq!(relays(&given).entries().iter().map(ToString::to_string).collect::<Vec<_>>(), given);
    }
}
