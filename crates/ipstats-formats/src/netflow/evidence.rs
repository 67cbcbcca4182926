//! Who opened a connection, as far as a flow record proves it.
//!
//! A record of NetFlow is of packets that went one way, and cumulative TCP flags of a connection that stands are the same both
//! ways. So most records do not say who opened it. What does, in this order:
//!
//! 1. `biflowDirection` (RFC 5103), or that the record is of both directions, of which the initiator's is the forward one;
//! 2. `initiatorOctets` or `firewallEvent`, of exporters that track connections (Cisco ASA): the source is the initiator;
//! 3. the flags of the first packet (`initialTCPFlags` of YAF): a SYN with an ACK is an answer;
//! 4. ports: a system port (RFC 6335: below 1024) at one end and none at the other; no client is given one.
//!
//! What none of these decides is counted as [`DirectionUnknown`](NotAConnection::DirectionUnknown), not guessed.

use super::record::{FirewallEvent, Flags, Record};
use crate::outcome::NotAConnection;
use crate::reader::Progress;

/// Which end opened the connection, and how far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    Source(Progress),
    /// The record proves that the destination opened it. It counts only where the record is of both directions;
    /// otherwise the destination's own record does.
    Destination(Progress),
}

/// Ports below this one are given to services only.
const SYSTEM_PORTS_END: u16 = 1024;

/// Who opened the connection of `record`.
pub(super) fn opener(record: &Record) -> Result<Opener, NotAConnection> {
    let progress = progress(record);
    match (record.biflow_direction, record.is_biflow) {
        (Some(1), _) | (None, true) => return Ok(Opener::Source(progress)),
        (Some(2), true) => return Ok(Opener::Destination(progress)),
        (Some(2), false) => return Err(NotAConnection::Inbound),
        _ => {}
    }
    if record.names_initiator || record.firewall_event.is_some() {
        return Ok(Opener::Source(progress));
    }
    match record.initial_flags {
        Some(Flags { syn: true, ack: false }) => return Ok(Opener::Source(progress)),
        Some(Flags { syn: true, ack: true }) => return Err(NotAConnection::Inbound),
        Some(Flags { syn: false, .. }) if record.is_tcp => return Ok(Opener::Source(Progress::StartNotSeen)),
        _ => {}
    }
    // Nobody answers with a SYN alone.
    if progress == Progress::Attempted {
        return Ok(Opener::Source(progress));
    }
    let is_service = |port: Option<u16>| port.map(|port| port < SYSTEM_PORTS_END);
    match (is_service(record.source_port), is_service(record.destination_port)) {
        (Some(false), Some(true)) => Ok(Opener::Source(progress)),
        (Some(true), Some(false)) => Err(NotAConnection::Inbound),
        _ => Err(NotAConnection::DirectionUnknown),
    }
}

/// How far the connection got. For other protocols than TCP, and TCP without flags, that packets went is all there is to know.
fn progress(record: &Record) -> Progress {
    if record.firewall_event == Some(FirewallEvent::Denied) || record.reverse_packets == Some(0) {
        return Progress::Attempted;
    }
    match record.flags.filter(|_| record.is_tcp) {
        Some(Flags { syn: true, ack: false }) => Progress::Attempted,
        Some(Flags { syn: false, .. }) => Progress::StartNotSeen,
        _ => Progress::Opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Option<Flags> = Some(Flags { syn: true, ack: true });

    fn tcp(source_port: u16, destination_port: u16, flags: Option<Flags>) -> Record {
        let (source_port, destination_port) = (Some(source_port), Some(destination_port));
        Record { is_tcp: true, source_port, destination_port, flags, ..Record::default() }
    }

    #[test]
    fn ports_and_flags_decide_where_nothing_better_does() {
        let opened = Ok(Opener::Source(Progress::Opened));
        assert_eq!(opener(&tcp(49152, 443, UP)), opened);
        assert_eq!(opener(&tcp(49152, 443, None)), opened);
        assert_eq!(opener(&tcp(443, 49152, UP)), Err(NotAConnection::Inbound));
        assert_eq!(opener(&tcp(49152, 8443, UP)), Err(NotAConnection::DirectionUnknown));
        assert_eq!(opener(&tcp(123, 123, None)), Err(NotAConnection::DirectionUnknown));
        assert_eq!(opener(&Record::default()), Err(NotAConnection::DirectionUnknown));
        let syn = Some(Flags { syn: true, ack: false });
        assert_eq!(opener(&tcp(49152, 8443, syn)), Ok(Opener::Source(Progress::Attempted)));
        let midstream = Some(Flags { syn: false, ack: true });
        assert_eq!(opener(&tcp(49152, 443, midstream)), Ok(Opener::Source(Progress::StartNotSeen)));
    }

    #[test]
    fn better_evidence_precedes_ports() {
        let opened = Ok(Opener::Source(Progress::Opened));
        let by = |change: fn(&mut Record)| {
            let mut record = tcp(443, 49152, UP);
            change(&mut record);
            opener(&record)
        };
        assert_eq!(by(|record| record.biflow_direction = Some(1)), opened);
        assert_eq!(by(|record| record.biflow_direction = Some(2)), Err(NotAConnection::Inbound));
        assert_eq!(by(|record| record.is_biflow = true), opened);
        assert_eq!(by(|record| record.names_initiator = true), opened);
        assert_eq!(by(|record| record.firewall_event = Some(FirewallEvent::Other)), opened);
        assert_eq!(by(|record| record.initial_flags = Some(Flags { syn: true, ack: false })), opened);
        let answer = by(|record| record.initial_flags = UP);
        assert_eq!(answer, Err(NotAConnection::Inbound));
        let reverse = by(|record| (record.is_biflow, record.biflow_direction) = (true, Some(2)));
        assert_eq!(reverse, Ok(Opener::Destination(Progress::Opened)));
        let attempted = Ok(Opener::Source(Progress::Attempted));
        assert_eq!(by(|record| record.firewall_event = Some(FirewallEvent::Denied)), attempted);
        assert_eq!(by(|record| (record.is_biflow, record.reverse_packets) = (true, Some(0))), attempted);
    }
}
