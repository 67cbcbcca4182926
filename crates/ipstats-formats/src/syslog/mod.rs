//! Syslog, as devices send it: messages out of a connection (RFC 6587), and the JSON record in a message.
//!
//! When something happened and to whom says the record; the header around it is about the sender and is not read. So
//! all that matters is where a message ends and where the record in it begins, and both are found in RFC 5424, in RFC 3164,
//! and in what is neither.

mod messages;
mod record;

pub use messages::{Cut, Messages};
pub use record::record;
