//! The reverse proxies whose word counts about where a request came from.

use super::networks::NetworkOrAddress;
use super::reader::Section;
use super::values::InvalidValue;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The networks of trusted proxies and the one family of headers that they write. Headers of the other family are
/// ignored: a proxy that does not write them passes on whatever a client made up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Where trusted proxies are; none unless configured.
    pub networks: Vec<IpNet>,
    /// How they say whom they speak for.
    pub headers: ProxyHeaders,
}

/// A family of headers in which proxies say whom they speak for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyHeaders {
    /// `x-forwarded`: `X-Forwarded-For`, `-Host` and `-Proto`.
    #[default]
    XForwarded,
    /// `forwarded`: `Forwarded` (RFC 7239).
    Forwarded,
}

impl Proxies {
    /// Whether the host with this address is a trusted proxy.
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The keys `trusted_proxies` and `proxy_headers`.
pub(super) fn read(root: &mut Section<'_>) -> Proxies {
    let networks = root.read_list::<NetworkOrAddress>("trusted_proxies").unwrap_or_default();
    let headers = root.read("proxy_headers").unwrap_or_default();
    Proxies { networks: networks.into_iter().map(|network| network.0).collect(), headers }
}

impl FromStr for ProxyHeaders {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "x-forwarded" => Ok(Self::XForwarded),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(InvalidValue::new(text, "one of x-forwarded, forwarded")),
        }
    }
}

impl fmt::Display for ProxyHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XForwarded => "x-forwarded",
            Self::Forwarded => "forwarded",
        })
    }
}
