//! Who opened the connection that a flow record shows: one rule for ports and TCP flags, one rule for ICMP.
//!
//! Flow logs (NetFlow, IPFIX, VPC flow logs, Suricata's `netflow`) show packets, mostly of one direction, and seldom name the end
//! that opened the connection. Each of these formats fills [`FlowEvidence`] and asks for the [`Opener`].
//!
//! TCP and UDP, in this order:
//!
//! 1. flags of the opening: a SYN without an ACK opened, a SYN with an ACK answered;
//! 2. flags of all packets of one direction: a SYN without any ACK opened, and got no answer. A SYN with an ACK proves nothing,
//!    because both ends of an established connection send both;
//! 3. ports: see [`PortClass`].
//!
//! Flags that are absent or 0 prove nothing: many exporters do not fill them. TCP with flags but no SYN is midstream.
//!
//! ICMP: an echo request opens, and is an attempt where the record shows that it got no answer. No other type is a connection.
//!
//! All other protocols have no ports and no flags: the record does not show which end opened.

use crate::outcome::NotAConnection;
use crate::reader::Progress;

/// Protocol numbers of IANA.
pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP_V6: u8 = 58;

/// What one flow record shows of the opening of a connection. What it does not show is `None` or the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlowEvidence {
    /// Protocol number of IANA. Where a record has none, two ports that are not 0 show that it is TCP or UDP.
    pub(crate) protocol: Option<u8>,
    /// Port 0 is not a port: exporters write it for fragments and for protocols without ports.
    pub(crate) source_port: Option<u16>,
    pub(crate) destination_port: Option<u16>,
    /// Flags that set ACK only where the source answered a SYN: those of the first packet (`initialTCPFlags`), and Amazon's
    /// `tcp-flags`, which leaves out every other ACK.
    pub(crate) opening_flags: Option<TcpFlags>,
    /// Flags of all packets that went from source to destination (NetFlow, IPFIX, Suricata's `netflow`). Not those of both
    /// directions together, which prove nothing.
    pub(crate) cumulative_flags: Option<TcpFlags>,
    pub(crate) icmp_type: Option<u8>,
    pub(crate) answer: Answer,
}

/// The flag bits of a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpFlags(u16);

/// Whether the destination sent packets back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answer {
    Seen,
    NotSeen,
    /// The record is of one direction only.
    #[default]
    NotShown,
}

/// The end that opened a connection, and how far the connection got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opener {
    Source(Progress),
    Destination(Progress),
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Destination,
}

/// Which kind of port a number is. A well-known port serves any other kind; a registered port serves a higher registered one and
/// an ephemeral one; all other pairs prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortClass {
    /// Below 1024 (RFC 6335: system ports). Clients do not get one.
    WellKnown,
    /// Below 32768. Services register here; clients of old systems and behind address translation get a port here too.
    Registered,
    /// Where Linux (from 32768), and Windows, macOS and the BSDs (from 49152) take the ports of clients. RFC 6335 registers services
    /// up to 49151; two ports from here on do not distinguish a client from a service.
    Ephemeral,
}

impl FlowEvidence {
    /// Decides which end opened the connection.
    pub(crate) fn opener(&self) -> Result<Opener, NotAConnection> {
        match self.protocol {
            Some(TCP) => self.tcp_opener(),
            Some(UDP) => self.opener_by_ports(self.progress()),
            Some(protocol @ (ICMP | ICMP_V6)) => {
                icmp_progress(protocol, self.icmp_type, self.answer).map(Opener::Source)
            }
            // An ICMP type fills one port column at most.
            None if self.ports().is_some() => self.tcp_opener(),
            None | Some(_) => Err(NotAConnection::DirectionUnknown),
        }
    }

    /// How far the connection got, whichever end opened it.
    pub(crate) fn progress(&self) -> Progress {
        if self.answer == Answer::NotSeen {
            return Progress::Attempted;
        }
        match (self.tcp_flags(self.opening_flags), self.tcp_flags(self.cumulative_flags)) {
            (_, Some(flags)) if flags.has_syn() && !flags.has_ack() => Progress::Attempted,
            (Some(flags), _) | (None, Some(flags)) if !flags.has_syn() => Progress::StartNotSeen,
            _ => Progress::Opened,
        }
    }

    fn tcp_opener(&self) -> Result<Opener, NotAConnection> {
        let progress = self.progress();
        match (self.tcp_flags(self.opening_flags), self.tcp_flags(self.cumulative_flags)) {
            (Some(flags), _) if flags.has_syn() && flags.has_ack() => Ok(Opener::Destination(progress)),
            (Some(flags), _) if flags.has_syn() => Ok(Opener::Source(progress)),
            // A server does not answer with a SYN alone.
            (_, Some(flags)) if flags.has_syn() && !flags.has_ack() => Ok(Opener::Source(progress)),
            _ => self.opener_by_ports(progress).map_err(|reason| match progress {
                Progress::StartNotSeen => NotAConnection::StartNotSeen,
                Progress::Opened | Progress::Attempted => reason,
            }),
        }
    }

    /// Flags that prove something: not 0, and not of another protocol.
    fn tcp_flags(&self, flags: Option<TcpFlags>) -> Option<TcpFlags> {
        flags.filter(|flags| matches!(self.protocol, Some(TCP) | None) && !flags.are_empty())
    }

    fn opener_by_ports(&self, progress: Progress) -> Result<Opener, NotAConnection> {
        let serving = self.ports().and_then(|(source, destination)| serving_end(source, destination));
        match serving {
            Some(End::Destination) => Ok(Opener::Source(progress)),
            Some(End::Source) => Ok(Opener::Destination(progress)),
            None => Err(NotAConnection::DirectionUnknown),
        }
    }

    /// Source and destination port, where both are ports.
    fn ports(&self) -> Option<(u16, u16)> {
        let source = self.source_port.filter(|port| *port != 0)?;
        let destination = self.destination_port.filter(|port| *port != 0)?;
        Some((source, destination))
    }
}

/// Decides how far an ICMP exchange got, if it is one that counts: `protocol` is [`ICMP`] or [`ICMP_V6`], `icmp_type` that of the first
/// packet of the source. A log that does not show the answer counts requests, as it counts UDP.
pub(crate) const fn icmp_progress(
    protocol: u8,
    icmp_type: Option<u8>,
    answer: Answer,
) -> Result<Progress, NotAConnection> {
    const ECHO_REQUEST: u8 = 8;
    const ECHO_REQUEST_V6: u8 = 128;
    match (protocol, icmp_type) {
        (ICMP, Some(ECHO_REQUEST)) | (ICMP_V6, Some(ECHO_REQUEST_V6)) => Ok(answer.progress()),
        (_, Some(_)) => Err(NotAConnection::OtherEvent),
        (_, None) => Err(NotAConnection::DirectionUnknown),
    }
}

/// Which end serves, if the ports prove it.
fn serving_end(source: u16, destination: u16) -> Option<End> {
    use PortClass::{Ephemeral, Registered, WellKnown};
    match (PortClass::of(source), PortClass::of(destination)) {
        (Registered, Registered) if source < destination => Some(End::Source),
        (Registered, Registered) if destination < source => Some(End::Destination),
        (WellKnown, Registered | Ephemeral) | (Registered, Ephemeral) => Some(End::Source),
        (Registered | Ephemeral, WellKnown) | (Ephemeral, Registered) => Some(End::Destination),
        _ => None,
    }
}

impl PortClass {
    const fn of(port: u16) -> Self {
        match port {
            0..1024 => Self::WellKnown,
            1024..32_768 => Self::Registered,
            32_768.. => Self::Ephemeral,
        }
    }
}

impl TcpFlags {
    const SYN: u16 = 0x02;
    const ACK: u16 = 0x10;
    /// The four bits above are the length of the header (RFC 7125).
    const FLAGS: u16 = 0x0fff;

    /// Flags as the 16 bits of `tcpControlBits` (RFC 7125), or the lower 8 of them.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::FLAGS)
    }

    /// The flags that either has.
    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn are_empty(self) -> bool {
        self.0 == 0
    }

    const fn has_syn(self) -> bool {
        self.0 & Self::SYN != 0
    }

    const fn has_ack(self) -> bool {
        self.0 & Self::ACK != 0
    }
}

impl Answer {
    /// Reads the count of packets that the destination sent back, where the record has it.
    pub(crate) const fn from_packets(packets: Option<u64>) -> Self {
        match packets {
            Some(0) => Self::NotSeen,
            Some(_) => Self::Seen,
            None => Self::NotShown,
        }
    }

    /// How far a connection with this answer got.
    pub(crate) const fn progress(self) -> Progress {
        match self {
            Self::Seen | Self::NotShown => Progress::Opened,
            Self::NotSeen => Progress::Attempted,
        }
    }
}

impl Opener {
    /// How far the connection of the source got. Where a record is of one direction, what the destination opened is inbound here,
    /// and counts by the record of the other direction.
    pub(crate) const fn source_progress(self) -> Result<Progress, NotAConnection> {
        match self {
            Self::Source(progress) => Ok(progress),
            Self::Destination(_) => Err(NotAConnection::Inbound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NotAConnection::{DirectionUnknown, Inbound, OtherEvent, StartNotSeen};
    use Progress::{Attempted, Opened};

    fn evidence(protocol: u8, source_port: u16, destination_port: u16) -> FlowEvidence {
        FlowEvidence {
            protocol: Some(protocol),
            source_port: Some(source_port),
            destination_port: Some(destination_port),
            ..FlowEvidence::default()
        }
    }

    fn progress(evidence: FlowEvidence) -> Result<Progress, NotAConnection> {
        match evidence.opener()?.source_progress()? {
            Progress::StartNotSeen => Err(StartNotSeen),
            progress => Ok(progress),
        }
    }

    fn by_cumulative_flags(ports: (u16, u16), bits: u16) -> Result<Progress, NotAConnection> {
        let cumulative_flags = Some(TcpFlags::from_bits(bits));
        progress(FlowEvidence { cumulative_flags, ..evidence(TCP, ports.0, ports.1) })
    }

    fn by_opening_flags(ports: (u16, u16), bits: u16) -> Result<Progress, NotAConnection> {
        let opening_flags = Some(TcpFlags::from_bits(bits));
        progress(FlowEvidence { opening_flags, ..evidence(TCP, ports.0, ports.1) })
    }

    #[test]
    fn lower_service_port_serves() {
        for protocol in [TCP, UDP] {
            for (client, service) in [
                (49_152, 443),
                (1024, 1023),
                (45_884, 853),
                (50_000, 8443),
                (43_416, 5001),
                (33_000, 32_767),
                (8443, 3306),
                (65_535, 1024),
            ] {
                assert_eq!(progress(evidence(protocol, client, service)), Ok(Opened), "{client} {service}");
                assert_eq!(progress(evidence(protocol, service, client)), Err(Inbound), "{service} {client}");
            }
        }
    }

    #[test]
    fn like_ports_prove_nothing() {
        for (source, destination) in
            [(123, 123), (5060, 5060), (53, 22), (40_000, 50_000), (51_820, 40_000), (49_152, 60_000)]
        {
            for protocol in [TCP, UDP] {
                assert_eq!(progress(evidence(protocol, source, destination)), Err(DirectionUnknown));
            }
        }
    }

    #[test]
    fn port_0_is_not_a_port() {
        for (source, destination) in [(0, 0), (0, 443), (443, 0), (50_000, 0)] {
            assert_eq!(progress(evidence(TCP, source, destination)), Err(DirectionUnknown));
        }
        assert_eq!(by_opening_flags((0, 0), 0x02), Ok(Opened));
    }

    #[test]
    fn ports_need_tcp_or_udp() {
        for protocol in [0, 2, 41, 47, 50, 132, 255] {
            assert_eq!(progress(evidence(protocol, 50_000, 443)), Err(DirectionUnknown), "{protocol}");
        }
        let unnamed =
            |source, destination| FlowEvidence { protocol: None, ..evidence(0, source, destination) };
        assert_eq!(progress(unnamed(50_000, 443)), Ok(Opened));
        assert_eq!(progress(unnamed(443, 50_000)), Err(Inbound));
        assert_eq!(progress(unnamed(0, 2048)), Err(DirectionUnknown), "an ICMP echo request");
        assert_eq!(progress(FlowEvidence::default()), Err(DirectionUnknown));
    }

    #[test]
    fn opening_flags_precede_ports() {
        for syn in [0x02, 0x03, 0x06, 0xc2] {
            assert_eq!(by_opening_flags((443, 50_000), syn), Ok(Opened), "{syn:#x}");
        }
        for answer in [0x12, 0x13, 0x52] {
            assert_eq!(by_opening_flags((50_000, 443), answer), Err(Inbound), "{answer:#x}");
        }
        assert_eq!(by_opening_flags((50_000, 443), 0x01), Err(StartNotSeen));
        assert_eq!(by_opening_flags((0, 0), 0x04), Err(StartNotSeen));
        assert_eq!(by_opening_flags((443, 50_000), 0x04), Err(Inbound));
    }

    #[test]
    fn cumulative_syn_without_ack_is_attempt() {
        for ports in [(50_000, 443), (443, 50_000), (50_000, 50_001), (0, 0)] {
            assert_eq!(by_cumulative_flags(ports, 0x02), Ok(Attempted), "{ports:?}");
            assert_eq!(by_cumulative_flags(ports, 0x06), Ok(Attempted), "{ports:?}");
        }
    }

    #[test]
    fn cumulative_syn_with_ack_leaves_it_to_ports() {
        for established in [0x12, 0x1b, 0x1e, 0xdb, 27, 30] {
            assert_eq!(by_cumulative_flags((45_884, 853), established), Ok(Opened), "{established:#x}");
            assert_eq!(by_cumulative_flags((443, 50_000), established), Err(Inbound), "{established:#x}");
            assert_eq!(by_cumulative_flags((50_000, 50_001), established), Err(DirectionUnknown));
        }
    }

    #[test]
    fn cumulative_flags_without_syn_are_midstream() {
        for bits in [0x01, 0x04, 0x10, 0x14, 0x18, 0x19] {
            assert_eq!(by_cumulative_flags((50_000, 443), bits), Err(StartNotSeen), "{bits:#x}");
            assert_eq!(by_cumulative_flags((443, 50_000), bits), Err(Inbound), "{bits:#x}");
            assert_eq!(by_cumulative_flags((50_000, 50_001), bits), Err(StartNotSeen), "{bits:#x}");
        }
    }

    #[test]
    fn zero_flags_prove_nothing() {
        // The upper four bits are the length of the header.
        for bits in [0, 0x5000, 0xf000] {
            assert_eq!(by_cumulative_flags((50_000, 443), bits), Ok(Opened));
            assert_eq!(by_opening_flags((50_000, 443), bits), Ok(Opened));
            assert_eq!(by_cumulative_flags((443, 50_000), bits), Err(Inbound));
            assert_eq!(by_opening_flags((50_000, 50_001), bits), Err(DirectionUnknown));
        }
    }

    #[test]
    fn flags_of_udp_are_not_read() {
        let bits = Some(TcpFlags::from_bits(0x18));
        let udp = FlowEvidence { cumulative_flags: bits, opening_flags: bits, ..evidence(UDP, 50_000, 53) };
        assert_eq!(progress(udp), Ok(Opened));
    }

    #[test]
    fn first_packet_shows_opener_and_all_packets_progress() {
        let flags = |opening, cumulative| FlowEvidence {
            opening_flags: Some(TcpFlags::from_bits(opening)),
            cumulative_flags: Some(TcpFlags::from_bits(cumulative)),
            ..evidence(TCP, 50_000, 50_001)
        };
        assert_eq!(progress(flags(0x02, 0x1b)), Ok(Opened));
        assert_eq!(progress(flags(0x02, 0x02)), Ok(Attempted));
        assert_eq!(progress(flags(0x12, 0x1b)), Err(Inbound));
        assert_eq!(progress(flags(0x10, 0x1b)), Err(StartNotSeen));
        assert_eq!(progress(flags(0, 0x02)), Ok(Attempted));
    }

    #[test]
    fn flow_without_answer_is_attempt() {
        for protocol in [TCP, UDP] {
            let answered = |packets| {
                let answer = Answer::from_packets(packets);
                progress(FlowEvidence { answer, ..evidence(protocol, 50_000, 443) })
            };
            assert_eq!(
                [answered(None), answered(Some(1)), answered(Some(0))],
                [Ok(Opened), Ok(Opened), Ok(Attempted)]
            );
        }
    }

    #[test]
    fn answered_echo_request_is_connection() {
        for (protocol, request) in [(ICMP, 8), (ICMP_V6, 128)] {
            assert_eq!(icmp_progress(protocol, Some(request), Answer::Seen), Ok(Opened));
            assert_eq!(icmp_progress(protocol, Some(request), Answer::NotShown), Ok(Opened));
            assert_eq!(icmp_progress(protocol, Some(request), Answer::NotSeen), Ok(Attempted));
            for other in (0..=u8::MAX).filter(|other| *other != request) {
                assert_eq!(icmp_progress(protocol, Some(other), Answer::Seen), Err(OtherEvent), "{other}");
            }
            assert_eq!(icmp_progress(protocol, None, Answer::Seen), Err(DirectionUnknown));
        }
    }

    #[test]
    fn icmp_is_not_judged_by_ports() {
        let ping = FlowEvidence { icmp_type: Some(8), ..evidence(ICMP, 443, 2048) };
        assert_eq!(progress(ping), Ok(Opened));
        assert_eq!(progress(FlowEvidence { icmp_type: Some(3), ..ping }), Err(OtherEvent));
        assert_eq!(progress(FlowEvidence { icmp_type: None, ..ping }), Err(DirectionUnknown));
    }
}
