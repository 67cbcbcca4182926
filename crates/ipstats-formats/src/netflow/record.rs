//! A flow record of any version: what its fields show of a connection.

use super::cursor::{Cursor, number};
use super::element::Element;
use super::start::{FlowTimes, Moment, Unit};
use crate::flow_rules::TcpFlags;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::Rejected;
use ipstats_model::CanonicalIp;
use std::net::IpAddr;

/// A flow record. Where a template has an element more than once, the first value counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: Option<u16>,
    pub(super) source_mac: Option<[u8; 6]>,
    pub(super) protocol: Option<u8>,
    pub(super) icmp_type: Option<u8>,
    /// Flags of all packets, of which any had them.
    pub(super) flags: Option<TcpFlags>,
    /// Flags of the first packet.
    pub(super) first_flags: Option<TcpFlags>,
    /// Flags of all packets but the first.
    pub(super) further_flags: Option<TcpFlags>,
    /// Packets or octets of one direction are counted.
    pub(super) has_one_way_count: bool,
    /// Packets of both directions are in this one record (RFC 5103).
    pub(super) is_biflow: bool,
    /// Packets, or octets, of the reverse direction.
    pub(super) reverse_count: Option<u64>,
    /// 1: the source is the initiator, 2: the destination is.
    pub(super) biflow_direction: Option<u64>,
    /// The exporter tracks connections, and its source is the initiator.
    pub(super) names_initiator: bool,
    pub(super) responder_packets: Option<u64>,
    pub(super) firewall_event: Option<FirewallEvent>,
    /// A translation of addresses was made or ended.
    pub(super) nat_event: Option<u64>,
    pub(super) times: FlowTimes,
}

/// An address of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Address {
    #[default]
    Absent,
    /// `0.0.0.0` or `::`.
    Unspecified,
    /// A field of another length than addresses have, in bytes.
    Invalid(usize),
    Ip(CanonicalIp),
}

/// What a firewall did with a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirewallEvent {
    Denied,
    Other,
}

/// Length of a flow of version 5, in bytes.
pub(super) const V5_FLOW_BYTES: usize = 48;

impl Record {
    /// Reads a flow of version 5.
    pub(super) fn from_v5(flow: &[u8; V5_FLOW_BYTES]) -> Self {
        let mut record = Self::default();
        let mut rest = Cursor::new(flow);
        // Elements with their lengths, in the order of the format.
        for (element, length) in [
            (Element::SourceAddress, 4),
            (Element::DestinationAddress, 4),
            // The next hop, two interfaces.
            (Element::Skipped, 8),
            (Element::OneWayCount, 4),
            (Element::OneWayCount, 4),
            (Element::StartUptime, 4),
            (Element::EndUptime, 4),
            (Element::SourcePort, 2),
            (Element::DestinationPort, 2),
            (Element::Skipped, 1),
            (Element::TcpFlags, 1),
            (Element::Protocol, 1),
        ] {
            record.take(element, rest.take(length).unwrap_or_default());
        }
        record
    }

    /// Takes an element of the record.
    pub(super) fn take(&mut self, element: Element, bytes: &[u8]) {
        match element {
            Element::Skipped => {}
            Element::SourceAddress => self.source.take(bytes),
            Element::DestinationAddress => self.destination.take(bytes),
            Element::SourcePort => keep_first(&mut self.source_port, narrow(bytes)),
            Element::DestinationPort => keep_first(&mut self.destination_port, narrow(bytes)),
            Element::SourceMac => keep_first(&mut self.source_mac, mac(bytes)),
            Element::Protocol => keep_first(&mut self.protocol, narrow(bytes)),
            Element::TcpFlags => keep_first(&mut self.flags, flags(bytes)),
            Element::FirstTcpFlags => keep_first(&mut self.first_flags, flags(bytes)),
            Element::FurtherTcpFlags => keep_first(&mut self.further_flags, flags(bytes)),
            Element::IcmpTypeAndCode => {
                let kind = narrow(bytes).map(|type_and_code: u16| type_and_code.to_be_bytes()[0]);
                keep_first(&mut self.icmp_type, kind);
            }
            Element::IcmpType => keep_first(&mut self.icmp_type, narrow(bytes)),
            Element::OneWayCount => self.has_one_way_count = true,
            Element::InitiatorCount => self.names_initiator = true,
            Element::ResponderPackets => {
                self.names_initiator = true;
                keep_first(&mut self.responder_packets, number(bytes));
            }
            Element::FirewallEvent => keep_first(&mut self.firewall_event, firewall_event(bytes)),
            Element::NatEvent => keep_first(&mut self.nat_event, number(bytes)),
            Element::BiflowDirection => keep_first(&mut self.biflow_direction, number(bytes)),
            Element::ReverseCount => {
                self.is_biflow = true;
                keep_first(&mut self.reverse_count, number(bytes));
            }
            Element::Reverse => self.is_biflow = true,
            _ => self.take_time(element, bytes),
        }
    }

    fn take_time(&mut self, element: Element, bytes: &[u8]) {
        let (moment, unit) = match element {
            Element::StartSeconds => (Moment::Start, Unit::Seconds),
            Element::StartMilliseconds => (Moment::Start, Unit::Milliseconds),
            Element::StartNtp => (Moment::Start, Unit::Ntp),
            Element::EndSeconds => (Moment::End, Unit::Seconds),
            Element::EndMilliseconds => (Moment::End, Unit::Milliseconds),
            Element::EndNtp => (Moment::End, Unit::Ntp),
            Element::ObservedSeconds => (Moment::Observed, Unit::Seconds),
            Element::ObservedMilliseconds => (Moment::Observed, Unit::Milliseconds),
            Element::ObservedNtp => (Moment::Observed, Unit::Ntp),
            Element::StartUptime => return self.times.take_start_uptime(bytes),
            Element::EndUptime => return self.times.take_end_uptime(bytes),
            Element::StartDeltaMicroseconds => return self.times.take_start_delta(bytes),
            Element::ExporterStart => return self.times.take_exporter_start(bytes),
            _ => return,
        };
        self.times.take(moment, unit, bytes);
    }

    /// Source and destination, or what the record is without them.
    pub(super) fn addresses(&self) -> Result<(CanonicalIp, CanonicalIp), Rejected> {
        let invalid = |field, bytes| Malformed::Invalid {
            field,
            value: format!("{bytes} bytes long"),
            expected: "an address of 4 or 16 bytes",
        };
        match (self.source, self.destination) {
            (Address::Ip(source), Address::Ip(destination)) => Ok((source, destination)),
            (Address::Invalid(bytes), _) => Err(invalid("the source address", bytes).into()),
            (_, Address::Invalid(bytes)) => Err(invalid("the destination address", bytes).into()),
            (Address::Ip(_), Address::Unspecified) => Err(NotAConnection::NoRemoteIp.into()),
            _ => Err(NotAConnection::OtherEvent.into()),
        }
    }
}

impl Address {
    /// Takes a field. Templates can have one for IPv4 and one for IPv6, of which the exporter fills one.
    fn take(&mut self, bytes: &[u8]) {
        if matches!(self, Self::Ip(_)) || bytes.is_empty() {
            return;
        }
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        match v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)) {
            Ok(ip) if ip.is_unspecified() => *self = Self::Unspecified,
            Ok(ip) => *self = Self::Ip(ip.into()),
            Err(_) if *self == Self::Absent => *self = Self::Invalid(bytes.len()),
            Err(_) => {}
        }
    }
}

fn keep_first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

/// A number that fits its type, whatever the length of its field.
fn narrow<T: TryFrom<u64>>(bytes: &[u8]) -> Option<T> {
    number(bytes).and_then(|number| number.try_into().ok())
}

fn mac(bytes: &[u8]) -> Option<[u8; 6]> {
    bytes.try_into().ok().filter(|mac| *mac != [0; 6])
}

fn flags(bytes: &[u8]) -> Option<TcpFlags> {
    narrow(bytes).map(TcpFlags::from_bits)
}

fn firewall_event(bytes: &[u8]) -> Option<FirewallEvent> {
    match number(bytes) {
        Some(3) => Some(FirewallEvent::Denied),
        // Created, deleted, alert, update.
        Some(1 | 2 | 4 | 5) => Some(FirewallEvent::Other),
        _ => None,
    }
}

/// A hardware address as it names a device.
pub(super) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
