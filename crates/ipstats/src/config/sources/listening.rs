//! Sources of `kind = "syslog"` and `kind = "netflow"`: where they listen, and who may send.
//!
//! Neither protocol proves who sends, and whatever is taken in counts as the organization's. So senders are named
//! unless only this machine can reach the address, and an address that the whole world may reach is taken only when told.

use super::Kind;
use crate::config::networks::NetworkOrAddress;
use crate::config::reader::Section;
use ipnet::IpNet;
use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Where a source listens, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    /// Networks whose records are taken; those of others are refused.
    pub from: Vec<IpNet>,
    /// Whether the address may be one that the whole world can reach.
    pub insecure_listen: bool,
}

/// A protocol and an address: `udp://10.0.0.5:514`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// How it is sent.
    pub transport: Transport,
    /// Where to.
    pub address: SocketAddr,
}

/// How records travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `udp`: datagrams, which may be lost.
    Udp,
    /// `tcp`: connections.
    Tcp,
}

/// Who may send where nobody is named.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// The text is no [`Endpoint`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address to listen on; write udp://10.0.0.5:514 or tcp://[2001:db8::5]:514")]
pub struct NoEndpoint(String);

/// Reads where a source of `kind` listens. An address that another source has is a problem.
pub(super) fn read(
    section: &mut Section<'_>,
    kind: Kind,
    taken: &mut HashSet<Endpoint>,
) -> Option<Listening> {
    let endpoints = section.read_list::<Endpoint>("listen");
    if endpoints.as_ref().map_or(!section.has("listen"), Vec::is_empty) {
        section.problem("listen", "name at least one address, such as \"udp://10.0.0.5:514\"");
    }
    let from = section.read_list::<NetworkOrAddress>("from");
    let from: Option<Vec<_>> = from.map(|from| from.into_iter().map(|network| network.0).collect());
    let insecure_listen = section.read_flag("insecure_listen").unwrap_or(false);
    let endpoints = endpoints?;
    for endpoint in &endpoints {
        if let Some(problem) = problem(*endpoint, kind, insecure_listen) {
            section.problem("listen", problem);
        } else if endpoint.address.port() != 0 && !taken.insert(*endpoint) {
            section.problem(
                "listen",
                format_args!("{endpoint} stands twice: each address belongs to one source"),
            );
        }
    }
    let is_local = endpoints.iter().all(|endpoint| endpoint.address.ip().is_loopback());
    if from.as_ref().map_or(!is_local && !section.has("from"), Vec::is_empty) {
        section.problem(
            "from",
            "name the networks of the senders, such as [\"10.0.0.0/8\"]: what others send is refused",
        );
    }
    let from = from.unwrap_or_else(|| LOOPBACK.iter().filter_map(|network| network.parse().ok()).collect());
    Some(Listening { endpoints, from, insecure_listen })
}

/// Why a source of `kind` may not listen there.
fn problem(Endpoint { transport, address }: Endpoint, kind: Kind, insecure_listen: bool) -> Option<String> {
    if matches!(kind, Kind::Netflow) && transport != Transport::Udp {
        return Some(format!("{transport}://{address}: NetFlow and IPFIX are received by udp"));
    }
    if insecure_listen || is_private(address.ip()) {
        return None;
    }
    Some(format!(
        "{transport}://{address} may be reached by the whole world, and nobody proves who they are: listen on an address of \
         your own network, or say insecure_listen = true where a firewall keeps others out"
    ))
}

/// Whether only this machine or its own networks reach an address.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

impl FromStr for Endpoint {
    type Err = NoEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no_endpoint = || NoEndpoint(text.to_owned());
        let (scheme, address) = text.split_once("://").ok_or_else(no_endpoint)?;
        let transport = match scheme {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            _ => return Err(no_endpoint()),
        };
        Ok(Self { transport, address: address.parse().map_err(|_| no_endpoint())? })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport, self.address)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}
