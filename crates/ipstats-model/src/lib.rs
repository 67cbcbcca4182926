//! The words of ipstats, as types: who ([`Organization`]), from where (a device name in a [`Batch`]), to what
//! ([`CanonicalIp`]), when ([`Timestamp`]), over which [`Window`], and the answer ([`IpStatistics`]).
//!
//! Owns the rules that every other crate must agree on: what the canonical form of an address is, where a look-back
//! window starts, and which times are inside retention. It does no I/O and reads no clock: *now* is always a parameter.

mod batch;
mod ip;
pub mod limits;
mod organization;
mod piece;
mod statistics;
mod time;
mod window;

pub use batch::{Batch, DeviceNameError, Recorded, Row};
pub use ip::{CanonicalIp, InvalidIpAddress, IpText};
pub use organization::{InvalidOrganization, Organization, OrganizationText};
pub use piece::Piece;
pub use statistics::{DayPrevalence, DeviceContact, IpStatistics};
pub use time::{Day, InvalidTimestamp, Minute, Timestamp};
pub use window::{Admission, InvalidLookBack, LookBack, Window, admission, retention_start};
