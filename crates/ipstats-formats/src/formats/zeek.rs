//! What a conn.log record of Zeek says, in either form.

use crate::outcome::NotAConnection;
use crate::reader::Progress;

/// How far a connection got, by `conn_state`; nothing if there is no such state. UDP and ICMP: SF = answered.
pub(super) fn progress(conn_state: &[u8]) -> Option<Progress> {
    match conn_state {
        b"SF" | b"S1" | b"S2" | b"S3" | b"RSTO" | b"RSTR" => Some(Progress::Opened),
        b"S0" | b"REJ" | b"RSTOS0" | b"SH" => Some(Progress::Attempted),
        // The SYN of the originator was not seen: nothing says that it opened anything.
        b"SHR" | b"RSTRH" | b"OTH" => Some(Progress::StartNotSeen),
        _ => None,
    }
}

/// Whether a log of this path (`#path`, `_path`) holds connections: conn, and Corelight's conn_long and the like.
pub(super) fn is_conn(path: &str) -> Result<(), NotAConnection> {
    if path == "conn" || path.starts_with("conn_") { Ok(()) } else { Err(NotAConnection::OtherEvent) }
}

pub(super) const A_CONN_STATE: &str = "a connection state of Zeek";
