//! Networks in CIDR notation (RFC 4632, RFC 4291 §2.3).

use super::values::InvalidValue;
use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;

/// A network or a single address: who may send, or speaks for others.
pub(super) struct NetworkOrAddress(pub(super) IpNet);

/// A network. An address without a prefix is most likely one of which it was forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Network(pub IpNet);

/// The text is no [`Network`].
#[derive(Debug, thiserror::Error)]
pub enum NoNetwork {
    /// It is an address.
    #[error("\"{0}\" has no prefix length: write {network} for the one address, or a network such as 10.0.0.0/8", network = IpNet::from(*.0))]
    Address(IpAddr),
    /// It is something else.
    #[error("{0:?} is no network such as 10.0.0.0/8 or fd00::/8")]
    Text(String),
}

impl FromStr for NetworkOrAddress {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let expected = "a network such as 10.0.0.0/8, or an address";
        text.parse::<IpNet>().or_else(|_| address()).map(Self).map_err(|_| InvalidValue::new(text, expected))
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| match text.parse() {
            Ok(address) => NoNetwork::Address(address),
            Err(_) => NoNetwork::Text(text.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_prefix_is_named_and_senders_need_none() {
        let network = |text: &str| text.parse::<Network>().map(|network| network.0.to_string());
        assert_eq!(network("10.0.0.0/8").unwrap(), "10.0.0.0/8");
        for (wrong, way_out) in [
            ("10.0.0.0", "\"10.0.0.0\" has no prefix length: write 10.0.0.0/32"),
            ("fd00::", "\"fd00::\" has no prefix length: write fd00::/128"),
            ("10.0.0.0/33", "\"10.0.0.0/33\" is no network such as 10.0.0.0/8"),
            ("intern", "\"intern\" is no network"),
        ] {
            let error = network(wrong).unwrap_err().to_string();
            assert!(error.starts_with(way_out), "{error}");
        }
        let sender = |text: &str| text.parse::<NetworkOrAddress>().map(|network| network.0.to_string());
        assert_eq!(sender("10.0.0.5").unwrap(), "10.0.0.5/32");
        assert_eq!(sender("fd00::/8").unwrap(), "fd00::/8");
        assert!(sender("10.0.0.0/33").unwrap_err().to_string().contains("or an address"));
    }
}
