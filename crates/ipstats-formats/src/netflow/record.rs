//! What the three versions say in their own fields, as one record: information elements of IANA's registry.

use crate::fields::time;
use crate::flow_rules::TcpFlags;
use crate::outcome::Malformed;
use ipstats_model::{CanonicalIp, Timestamp};
use netflow_parser::static_versions::v5;
use netflow_parser::variable_versions::field_types;
use netflow_parser::variable_versions::field_value::DurationValue;
use netflow_parser::variable_versions::ipfix::lookup::{
    IANAIPFixField, IPFixField, ReverseInformationElement, YafIPFixField,
};
use netflow_parser::{DataNumber, FieldValue, IpfixFieldPair, V9FieldPair};
use std::net::IpAddr;

/// A flow record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) source: Option<CanonicalIp>,
    pub(super) destination: Option<CanonicalIp>,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: Option<u16>,
    pub(super) source_mac: Option<[u8; 6]>,
    pub(super) protocol: Option<u8>,
    /// `icmpTypeIPv4`, `icmpTypeIPv6`, or the upper byte of `icmpTypeCodeIPv4` and `icmpTypeCodeIPv6`.
    pub(super) icmp_type: Option<u8>,
    /// Flags of all packets, of which any had them.
    pub(super) flags: Option<TcpFlags>,
    /// Flags of the first packet.
    pub(super) initial_flags: Option<TcpFlags>,
    /// Packets went both ways in this one record (RFC 5103).
    pub(super) is_biflow: bool,
    /// Packets of the other direction.
    pub(super) reverse_packets: Option<u64>,
    /// 1: the source is the initiator, 2: the destination is.
    pub(super) biflow_direction: Option<u64>,
    /// The exporter tracks connections, and its source is the initiator.
    pub(super) names_initiator: bool,
    pub(super) firewall_event: Option<FirewallEvent>,
    /// Read through [`start`](Self::start).
    pub(super) began: Start,
}

/// What a firewall did with a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirewallEvent {
    Denied,
    Other,
}

/// When the flow began, in the ways there are of saying it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// Seconds since 1970.
    seconds: Option<u64>,
    /// Milliseconds since the exporter was started.
    uptime_millis: Option<u32>,
    /// When the exporter was started, in milliseconds since 1970.
    started_millis: Option<u64>,
    /// Microseconds before the export.
    before_export_micros: Option<u64>,
}

/// The clock of an exporter, as a packet's header shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Seconds since 1970.
    pub(super) exported: u32,
    /// The rest of it, where the header says.
    pub(super) exported_nanos: u32,
    /// Milliseconds since the exporter was started, at the same moment.
    pub(super) uptime_millis: Option<u32>,
    /// When the exporter was started, in milliseconds since 1970, where it said so for all records.
    pub(super) started_millis: Option<u64>,
}

/// Seconds from 1900, where NTP starts to count, to 1970.
const NTP_TO_UNIX_SECONDS: u64 = 2_208_988_800;

impl Record {
    pub(super) fn of_v5(flow: &v5::FlowSet) -> Self {
        Self {
            source: Some(IpAddr::from(flow.src_addr).into()),
            destination: Some(IpAddr::from(flow.dst_addr).into()),
            source_port: Some(flow.src_port),
            destination_port: Some(flow.dst_port),
            protocol: Some(flow.protocol_number),
            flags: Some(TcpFlags::from_bits(u16::from(flow.tcp_flags))),
            began: Start { uptime_millis: Some(flow.first), ..Start::default() },
            ..Self::default()
        }
    }

    pub(super) fn of_v9(fields: &[V9FieldPair]) -> Self {
        let mut record = Self::default();
        for (field, value) in fields {
            record.take(u16::from(*field), value);
        }
        record
    }

    pub(super) fn of_ipfix(fields: &[IpfixFieldPair]) -> Self {
        let mut record = Self::default();
        for (field, value) in fields {
            match field {
                IPFixField::IANA(field) => record.take(element(*field), value),
                IPFixField::Yaf(YafIPFixField::InitialTCPFlags) => {
                    record.initial_flags = flags(value);
                }
                IPFixField::ReverseInformationElement(field) => record.take_reverse(*field, value),
                _ => {}
            }
        }
        record
    }

    /// When the exporter was started, in milliseconds since 1970, where the record says so.
    pub(super) const fn exporter_started(&self) -> Option<u64> {
        self.began.started_millis
    }

    /// When the flow began.
    pub(super) fn start(&self, clock: Clock) -> Option<Timestamp> {
        let Start { seconds, uptime_millis, started_millis, before_export_micros } = self.began;
        let exported = i64::from(clock.exported);
        let seconds = if let Some(seconds) = seconds {
            i64::try_from(seconds).ok()?
        } else if let (Some(first), Some(started)) = (uptime_millis, started_millis.or(clock.started_millis))
        {
            i64::try_from((started.checked_add(u64::from(first))?) / 1000).ok()?
        } else if let (Some(first), Some(now)) = (uptime_millis, clock.uptime_millis) {
            // Both wrap every 49 days. A flow that seems to begin after the export began with it.
            let ago = now.wrapping_sub(first);
            let ago = if ago > u32::MAX / 2 { 0 } else { i64::from(ago) };
            let exported_millis = exported * 1000 + i64::from(clock.exported_nanos / 1_000_000);
            (exported_millis - ago).div_euclid(1000)
        } else {
            exported - i64::try_from(before_export_micros?.div_ceil(1_000_000)).ok()?
        };
        time::from_seconds(seconds)
    }

    /// Why it is not known when the flow began. IPFIX counts milliseconds of uptime from a moment that only the exporter can tell;
    /// the time of the export stands for none of it.
    pub(super) const fn why_no_start(&self) -> Malformed {
        match self.began.uptime_millis {
            Some(_) => Malformed::ExporterStartUnknown,
            None => Malformed::Missing { field: "flow start" },
        }
    }

    /// Takes an information element of IANA's registry; NetFlow v9 has the same numbers.
    fn take(&mut self, element: u16, value: &FieldValue) {
        match element {
            4 => {
                self.protocol = match value {
                    FieldValue::ProtocolType(protocol) => Some(u8::from(*protocol)),
                    _ => None,
                }
            }
            6 => self.flags = flags(value),
            7 => self.source_port = number(value).and_then(|port| port.try_into().ok()),
            11 => self.destination_port = number(value).and_then(|port| port.try_into().ok()),
            8 | 27 => self.source = address(value).or(self.source),
            12 | 28 => self.destination = address(value).or(self.destination),
            32 | 139 => self.icmp_type = number(value).and_then(|code| (code >> 8).try_into().ok()),
            176 | 178 => self.icmp_type = number(value).and_then(|kind| kind.try_into().ok()),
            22 => self.began.uptime_millis = millis(value).and_then(|millis| millis.try_into().ok()),
            56 => self.source_mac = if let FieldValue::MacAddr(mac) = value { Some(*mac) } else { None },
            150 | 152 | 154 | 156 => self.began.seconds = seconds(value),
            158 => self.began.before_export_micros = number(value),
            160 => self.began.started_millis = millis(value),
            231 | 298 => self.names_initiator = true,
            233 => self.firewall_event = firewall_event(value),
            239 => self.biflow_direction = number(value),
            _ => {}
        }
    }

    fn take_reverse(&mut self, field: ReverseInformationElement, value: &FieldValue) {
        self.is_biflow = true;
        let counts = [
            ReverseInformationElement::ReversePacketDeltaCount,
            ReverseInformationElement::ReversePacketTotalCount,
        ];
        if counts.contains(&field) {
            self.reverse_packets = number(value);
        }
    }
}

/// The number of an information element that is read; 0, which is reserved, for all others.
fn element(field: IANAIPFixField) -> u16 {
    match field {
        IANAIPFixField::ProtocolIdentifier => 4,
        IANAIPFixField::TcpControlBits => 6,
        IANAIPFixField::SourceTransportPort => 7,
        IANAIPFixField::SourceIpv4address => 8,
        IANAIPFixField::DestinationTransportPort => 11,
        IANAIPFixField::DestinationIpv4address => 12,
        IANAIPFixField::FlowStartSysUpTime => 22,
        IANAIPFixField::IcmpTypeCodeIpv4 => 32,
        IANAIPFixField::IcmpTypeCodeIpv6 => 139,
        IANAIPFixField::IcmpTypeIpv4 => 176,
        IANAIPFixField::IcmpTypeIpv6 => 178,
        IANAIPFixField::SourceIpv6address => 27,
        IANAIPFixField::DestinationIpv6address => 28,
        IANAIPFixField::SourceMacaddress => 56,
        IANAIPFixField::FlowStartSeconds => 150,
        IANAIPFixField::FlowStartMilliseconds => 152,
        IANAIPFixField::FlowStartMicroseconds => 154,
        IANAIPFixField::FlowStartNanoseconds => 156,
        IANAIPFixField::FlowStartDeltaMicroseconds => 158,
        IANAIPFixField::SystemInitTimeMilliseconds => 160,
        IANAIPFixField::InitiatorOctets => 231,
        IANAIPFixField::InitiatorPackets => 298,
        IANAIPFixField::FirewallEvent => 233,
        IANAIPFixField::BiflowDirection => 239,
        _ => 0,
    }
}

fn flags(value: &FieldValue) -> Option<TcpFlags> {
    let bits = match value {
        FieldValue::TcpControlBits(bits, _) => u64::from(u16::from(*bits)),
        other => number(other)?,
    };
    bits.try_into().ok().map(TcpFlags::from_bits)
}

fn firewall_event(value: &FieldValue) -> Option<FirewallEvent> {
    match value {
        FieldValue::FirewallEvent(field_types::FirewallEvent::Ignore) => None,
        FieldValue::FirewallEvent(field_types::FirewallEvent::FlowDenied) => Some(FirewallEvent::Denied),
        FieldValue::FirewallEvent(_) => Some(FirewallEvent::Other),
        _ => None,
    }
}

fn address(value: &FieldValue) -> Option<CanonicalIp> {
    match value {
        FieldValue::Ip4Addr(ip) if !ip.is_unspecified() => Some(IpAddr::from(*ip).into()),
        FieldValue::Ip6Addr(ip) if !ip.is_unspecified() => Some(IpAddr::from(*ip).into()),
        _ => None,
    }
}

fn number(value: &FieldValue) -> Option<u64> {
    match value {
        FieldValue::DataNumber(DataNumber::U8(number)) => Some(u64::from(*number)),
        FieldValue::DataNumber(DataNumber::U16(number)) => Some(u64::from(*number)),
        FieldValue::DataNumber(DataNumber::U24(number) | DataNumber::U32(number)) => Some(u64::from(*number)),
        FieldValue::DataNumber(DataNumber::U64(number)) => Some(*number),
        _ => None,
    }
}

fn millis(value: &FieldValue) -> Option<u64> {
    match value {
        FieldValue::Duration(DurationValue::Millis { value, .. }) => Some(*value),
        other => number(other),
    }
}

/// Seconds since 1970.
fn seconds(value: &FieldValue) -> Option<u64> {
    let FieldValue::Duration(duration) = value else { return None };
    match duration {
        DurationValue::Seconds { value, .. } => Some(*value),
        DurationValue::Millis { value, .. } => Some(value / 1000),
        DurationValue::MicrosNtp { seconds, .. } | DurationValue::NanosNtp { seconds, .. } => {
            u64::from(*seconds).checked_sub(NTP_TO_UNIX_SECONDS)
        }
    }
}

/// A hardware address as it names a device.
pub(super) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
