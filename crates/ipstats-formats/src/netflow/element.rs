//! Information elements that are read, and their numbers.

/// An information element of IANA's registry (of which NetFlow v9 has the first numbers), or of an enterprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// Any other: its bytes are skipped.
    Skipped,
    SourceAddress,
    DestinationAddress,
    SourcePort,
    DestinationPort,
    SourceMac,
    Protocol,
    TcpFlags,
    /// Flags of the first packet, and of all that followed it (YAF).
    FirstTcpFlags,
    FurtherTcpFlags,
    IcmpTypeAndCode,
    IcmpType,
    /// Octets or packets of one direction.
    OneWayCount,
    /// Octets or packets of the initiator, or octets of the responder: the exporter tracks connections, and its source is the
    /// initiator (Cisco ASA).
    InitiatorCount,
    ResponderPackets,
    FirewallEvent,
    NatEvent,
    BiflowDirection,
    /// Octets or packets of the reverse direction (RFC 5103).
    ReverseCount,
    /// Any other element of the reverse direction.
    Reverse,
    StartSeconds,
    StartMilliseconds,
    StartNtp,
    StartUptime,
    StartDeltaMicroseconds,
    EndSeconds,
    EndMilliseconds,
    EndNtp,
    EndUptime,
    ObservedSeconds,
    ObservedMilliseconds,
    ObservedNtp,
    ExporterStart,
}

/// Private enterprise number of the reverse direction (RFC 5103).
const REVERSE: u32 = 29_305;

/// Private enterprise number of CERT, whose exporter is YAF.
const CERT: u32 = 6871;

impl Element {
    /// The element `number` of IANA's registry.
    pub(super) const fn of_iana(number: u16) -> Self {
        match number {
            8 | 27 => Self::SourceAddress,
            12 | 28 => Self::DestinationAddress,
            7 | 180 | 182 => Self::SourcePort,
            11 | 181 | 183 => Self::DestinationPort,
            56 => Self::SourceMac,
            4 => Self::Protocol,
            6 => Self::TcpFlags,
            32 | 139 => Self::IcmpTypeAndCode,
            176 | 178 => Self::IcmpType,
            1 | 2 => Self::OneWayCount,
            231 | 232 | 298 => Self::InitiatorCount,
            299 => Self::ResponderPackets,
            233 => Self::FirewallEvent,
            230 => Self::NatEvent,
            239 => Self::BiflowDirection,
            150 => Self::StartSeconds,
            152 => Self::StartMilliseconds,
            154 | 156 => Self::StartNtp,
            22 => Self::StartUptime,
            158 => Self::StartDeltaMicroseconds,
            151 => Self::EndSeconds,
            153 => Self::EndMilliseconds,
            155 | 157 => Self::EndNtp,
            21 => Self::EndUptime,
            322 => Self::ObservedSeconds,
            323 => Self::ObservedMilliseconds,
            324 | 325 => Self::ObservedNtp,
            160 => Self::ExporterStart,
            _ => Self::Skipped,
        }
    }

    /// The field type `number` of NetFlow v9: IANA's numbers, and what the first versions of the Cisco ASA had in their place.
    pub(super) const fn of_v9(number: u16) -> Self {
        match number {
            40_005 => Self::FirewallEvent,
            _ => Self::of_iana(number),
        }
    }

    /// The element `number` of an enterprise.
    pub(super) const fn of_enterprise(enterprise: u32, number: u16) -> Self {
        match (enterprise, number) {
            (REVERSE, 1 | 2 | 85 | 86) => Self::ReverseCount,
            (REVERSE, _) => Self::Reverse,
            (CERT, 14) => Self::FirstTcpFlags,
            (CERT, 15) => Self::FurtherTcpFlags,
            _ => Self::Skipped,
        }
    }
}
