//! The rules for a conn.log record of Zeek in any form: TSV, JSON, or inside a document of ECS or OCSF.

use crate::flow_rules::{Answer, ICMP, ICMP_V6, icmp_progress};
use crate::hints::LogName;
use crate::outcome::NotAConnection;
use crate::reader::{Progress, Reader};
use ipstats_model::CanonicalIp;

pub(super) const A_CONN_STATE: &str = "a connection state of Zeek";

/// How far a connection got, by `conn_state`; nothing if there is no such state. UDP: SF = answered.
pub(super) fn progress(conn_state: &[u8]) -> Option<Progress> {
    match conn_state {
        b"SF" | b"S1" | b"S2" | b"S3" | b"RSTO" | b"RSTR" => Some(Progress::Opened),
        b"S0" | b"REJ" | b"RSTOS0" | b"SH" => Some(Progress::Attempted),
        // The SYN of the originator was not seen: nothing says that it opened anything.
        b"SHR" | b"RSTRH" | b"OTH" => Some(Progress::StartNotSeen),
        _ => None,
    }
}

/// Keeps the name of a log that does not hold connections.
pub(super) fn note_other_log(path: &str, reader: &mut Reader<'_>) {
    let hints = reader.hints_mut();
    hints.other_log = hints.other_log.into_iter().chain(LogName::new(path)).min();
}

/// Notes packets with wrong checksums, which Zeek ignores: a connection that it saw most of can look failed or midstream.
/// They are C and c in `history`.
pub(super) fn note_history(history: &[u8], reader: &mut Reader<'_>) {
    if history.iter().any(|event| matches!(event, b'C' | b'c')) {
        reader.hints_mut().wrong_checksums += 1;
    }
}

/// What a record of ICMP has, for which `conn_state` is always OTH: the type of the originator's message is in its port column, and
/// packets of both ends show the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Icmp {
    pub(super) message_type: Option<u8>,
    pub(super) originator_packets: Option<u64>,
    pub(super) responder_packets: Option<u64>,
}

impl Icmp {
    /// How far an exchange with `originator` got, if it is a connection at all.
    pub(super) fn progress(&self, originator: CanonicalIp) -> Result<Progress, NotAConnection> {
        let protocol = if originator.ipv4_bytes().is_some() { ICMP } else { ICMP_V6 };
        let answer = match (self.originator_packets, self.responder_packets) {
            (Some(0), Some(_)) | (_, Some(0)) => Answer::NotSeen,
            (_, packets) => Answer::from_packets(packets),
        };
        icmp_progress(protocol, self.message_type, answer)
    }
}

/// Whether `proto` is ICMP, of either version.
pub(super) fn is_icmp(proto: &[u8]) -> bool {
    proto == b"icmp" || proto == b"icmp6" || proto == b"ipv6-icmp"
}
