//! What an operator says about a source.

use crate::aliases::Aliases;
use crate::format::{Format, FormatChoice};
use crate::formats::mapped::FieldMap;
use crate::formats::zeek_tsv;
use crate::not_devices::NotDevices;
use ipnet::IpNet;
use ipstats_model::Organization;
use std::sync::Arc;

/// How the records of one source are read. The default is that of docs/sources.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The organization's own networks, for formats that show source IPs and do not say which end is internal.
    pub internal_networks: Vec<IpNet>,
    /// Who the device is where neither end is internal.
    pub originator: Originator,
    /// Put before a device that is named by its IP (`site/10.0.0.1`), so that one private address at two sites is
    /// two devices.
    pub site: Option<String>,
    /// Whether failed attempts count.
    pub count: CountRule,
    /// How a device is named that a format shows as a network endpoint.
    pub device_from: DeviceFrom,
    /// Who had which address when, for devices that a format shows by their address.
    pub aliases: Option<Arc<Aliases>>,
    /// Relays, whose connections are those of other devices.
    pub not_devices: NotDevices,
    /// The only tenant whose records count, for formats that name one.
    pub only_tenant: Option<Organization>,
    /// Columns of Zeek rows that arrive as text without a `#fields` line, in their order; empty where there are none.
    pub columns: Vec<String>,
    /// Which fields of records are read, for CSV and JSON of no known format: records are then read by it alone.
    pub map: Option<Arc<FieldMap>>,
    /// Bounds on what is read.
    pub limits: Limits,
}

/// Who the device is where neither end of a connection is internal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Originator {
    /// No device of the organization: not a connection.
    #[default]
    ByNetworks,
    /// The originator (`originator_is_device`): a sensor that sees only the organization's own, public, network.
    AlwaysDevice,
}

/// Which connections of a device count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CountRule {
    /// Those it initiated and that were established.
    #[default]
    Opened,
    /// Failed and half-open attempts of the device as well.
    Attempted,
}

/// How a device is named that a format shows as a network endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeviceFrom {
    /// By its IP address.
    #[default]
    Ip,
    /// By its MAC address where the record has one (Zeek `orig_l2_addr`), else by its IP address.
    Mac,
}

/// Bounds on what is read. Hitting one is a counted, named outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest record (line, CSV row, element of a JSON document), in bytes. A longer one is malformed and is
    /// skipped without being kept in memory.
    pub line_bytes_max: usize,
}

impl Settings {
    /// The columns that are needed to read rows and are not among [`columns`](Self::columns), where there are some.
    pub fn missing_columns(&self) -> Vec<&'static str> {
        if self.columns.is_empty() { Vec::new() } else { zeek_tsv::Columns::missing(&self.columns) }
    }

    /// Which formats records have that are read as `choice`: where fields are mapped, that of the map.
    pub(crate) fn choice(&self, choice: FormatChoice) -> FormatChoice {
        if self.map.is_some() { FormatChoice::Exactly(Format::Mapped) } else { choice }
    }
}

/// RFC 1918, RFC 6598, loopback and link-local of IPv4; loopback, RFC 4193 and link-local of IPv6.
const INTERNAL_NETWORKS: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            internal_networks: INTERNAL_NETWORKS.iter().filter_map(|network| network.parse().ok()).collect(),
            originator: Originator::default(),
            site: None,
            count: CountRule::default(),
            device_from: DeviceFrom::default(),
            aliases: None,
            not_devices: NotDevices::default(),
            only_tenant: None,
            columns: Vec::new(),
            map: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    /// 1 MiB: a thousand times a usual record, as long as the largest message of Event Hubs, and little enough for
    /// hundreds of streams at once.
    fn default() -> Self {
        Self { line_bytes_max: 1 << 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_network_is_read() {
        assert_eq!(Settings::default().internal_networks.len(), INTERNAL_NETWORKS.len());
    }
}
