//! Who opened a connection, by what NetFlow and IPFIX have beyond ports and flags.
//!
//! A record of NetFlow is mostly of packets that went one way. What shows the opener, in this order:
//!
//! 1. `biflowDirection` (RFC 5103), or that the record is of both directions, of which the initiator's is the forward one;
//! 2. `initiatorOctets`, or `firewallEvent` without counts of one direction, of exporters that track connections (Cisco ASA): the source
//!    is the initiator. Palo Alto's have `firewallEvent` in records of one direction, too, where it proves nothing;
//! 3. the rules that all flow formats share ([`flow_rules`](crate::flow_rules)).
//!
//! ICMP is left to the shared rule, whatever else a record shows.

use super::record::{FirewallEvent, Record};
use crate::flow_rules::{self, Answer, FlowEvidence, Opener};
use crate::outcome::NotAConnection;

/// Decides which end opened the connection of `record`. What the destination opened counts only where the record is of both
/// directions; otherwise the destination's own record counts.
pub(super) fn opener(record: &Record) -> Result<Opener, NotAConnection> {
    let evidence = evidence(record);
    let is_icmp = matches!(record.protocol, Some(flow_rules::ICMP | flow_rules::ICMP_V6));
    match (record.biflow_direction, record.is_biflow) {
        _ if is_icmp => {}
        (Some(1), _) | (None, true) => return Ok(Opener::Source(evidence.progress())),
        (Some(2), true) => return Ok(Opener::Destination(evidence.progress())),
        (Some(2), false) => return Err(NotAConnection::Inbound),
        _ if names_initiator(record) => return Ok(Opener::Source(evidence.progress())),
        _ => {}
    }
    if record.is_biflow && !is_icmp {
        // There is no other record of the flow: it counts for the end that opened.
        return evidence.opener();
    }
    evidence.opener()?.source_progress().map(Opener::Source)
}

/// Whether the record is of an exporter that tracks connections, so that its source is the initiator.
const fn names_initiator(record: &Record) -> bool {
    record.names_initiator || (record.firewall_event.is_some() && !record.has_one_way_count)
}

fn evidence(record: &Record) -> FlowEvidence {
    let flags = match (record.flags, record.first_flags, record.further_flags) {
        (None, Some(first), Some(further)) => Some(first.union(further)),
        (flags, _, _) => flags,
    };
    // A count since the last report, beside flags of the whole connection.
    let responder_packets = record.responder_packets.filter(|_| flags.is_none());
    FlowEvidence {
        protocol: record.protocol,
        source_port: record.source_port,
        destination_port: record.destination_port,
        opening_flags: record.first_flags,
        cumulative_flags: flags,
        icmp_type: icmp_type(record),
        answer: match record.firewall_event {
            Some(FirewallEvent::Denied) => Answer::NotSeen,
            _ => Answer::from_packets(record.reverse_count.or(responder_packets)),
        },
    }
}

/// The ICMP type in the field for it, beside which the ports are an ICMP identifier (Cisco ASA). Else the upper byte of the
/// destination port, where NetFlow has put type and code since version 5; some of Cisco's exporters leave that at 0 and put both into the
/// source port, the other way round.
fn icmp_type(record: &Record) -> Option<u8> {
    let from_ports = || match (record.source_port, record.destination_port?) {
        (Some(source), 0) if source != 0 => Some(source.swap_bytes().to_be_bytes()[0]),
        (_, destination) => Some(destination.to_be_bytes()[0]),
    };
    record.icmp_type.or_else(from_ports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow_rules::{TCP, TcpFlags};
    use crate::reader::Progress;

    const ESTABLISHED: u16 = 0x12;

    fn tcp(source_port: u16, destination_port: u16, flags: u16) -> Record {
        Record {
            protocol: Some(TCP),
            source_port: Some(source_port),
            destination_port: Some(destination_port),
            flags: Some(TcpFlags::from_bits(flags)),
            ..Record::default()
        }
    }

    #[test]
    fn direction_fields_precede_ports() {
        let opened = Ok(Opener::Source(Progress::Opened));
        let by = |change: fn(&mut Record)| {
            let mut record = tcp(443, 49152, ESTABLISHED);
            change(&mut record);
            opener(&record)
        };
        assert_eq!(by(|_| {}), Err(NotAConnection::Inbound));
        assert_eq!(by(|record| record.biflow_direction = Some(1)), opened);
        assert_eq!(by(|record| record.biflow_direction = Some(2)), Err(NotAConnection::Inbound));
        assert_eq!(by(|record| record.is_biflow = true), opened);
        assert_eq!(by(|record| record.names_initiator = true), opened);
        assert_eq!(by(|record| record.firewall_event = Some(FirewallEvent::Other)), opened);
        let one_way = by(|record| {
            record.firewall_event = Some(FirewallEvent::Other);
            record.has_one_way_count = true;
        });
        assert_eq!(one_way, Err(NotAConnection::Inbound));
        assert_eq!(by(|record| record.first_flags = Some(TcpFlags::from_bits(0x02))), opened);
        let answer = by(|record| record.first_flags = Some(TcpFlags::from_bits(ESTABLISHED)));
        assert_eq!(answer, Err(NotAConnection::Inbound));
        let reverse = by(|record| (record.is_biflow, record.biflow_direction) = (true, Some(2)));
        assert_eq!(reverse, Ok(Opener::Destination(Progress::Opened)));
        let attempted = Ok(Opener::Source(Progress::Attempted));
        assert_eq!(by(|record| record.firewall_event = Some(FirewallEvent::Denied)), attempted);
        assert_eq!(by(|record| (record.is_biflow, record.reverse_count) = (true, Some(0))), attempted);
    }

    #[test]
    fn first_and_further_flags_are_cumulative() {
        let flags = |first, further| {
            let (first_flags, further_flags) = (TcpFlags::from_bits(first), TcpFlags::from_bits(further));
            let record = Record { flags: None, ..tcp(50_000, 50_001, 0) };
            opener(&Record { first_flags: Some(first_flags), further_flags: Some(further_flags), ..record })
        };
        assert_eq!(flags(0x02, 0x19), Ok(Opener::Source(Progress::Opened)));
        assert_eq!(flags(0x02, 0x00), Ok(Opener::Source(Progress::Attempted)));
        assert_eq!(flags(0x12, 0x19), Err(NotAConnection::Inbound));
    }

    #[test]
    fn responder_without_packets_did_not_answer() {
        let tracked = |packets| {
            let record = Record { flags: None, names_initiator: true, ..tcp(50_000, 443, 0) };
            opener(&Record { responder_packets: Some(packets), ..record })
        };
        assert_eq!(tracked(0), Ok(Opener::Source(Progress::Attempted)));
        assert_eq!(tracked(1), Ok(Opener::Source(Progress::Opened)));
    }

    #[test]
    fn icmp_type_is_in_field_or_port() {
        let icmp = |protocol, port, icmp_type| {
            let record = Record { protocol: Some(protocol), icmp_type, ..tcp(0, port, 0) };
            opener(&record)
        };
        let opened = Ok(Opener::Source(Progress::Opened));
        assert_eq!(icmp(1, 8 << 8, None), opened);
        assert_eq!(icmp(58, 128 << 8, None), opened);
        assert_eq!(icmp(1, 0, Some(8)), opened);
        assert_eq!(icmp(1, 8 << 8, Some(0)), Err(NotAConnection::OtherEvent), "the port is an identifier");
        assert_eq!(icmp(1, 0, None), Err(NotAConnection::OtherEvent), "an echo reply");
        assert_eq!(icmp(1, 3 << 8 | 1, None), Err(NotAConnection::OtherEvent));
        let in_source_port = Record { protocol: Some(1), ..tcp(8, 0, 0) };
        assert_eq!(opener(&in_source_port), opened);
        let tracked = Record { names_initiator: true, ..tcp(0, 3 << 8, 0) };
        assert_eq!(opener(&Record { protocol: Some(1), ..tracked }), Err(NotAConnection::OtherEvent));
    }
}
