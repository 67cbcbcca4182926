//! Bytes of telemetry → connections: *this device opened a connection to that IP at this time*.
//!
//! A [`Framer`] cuts one stream of bytes into [`Frame`]s of whole records, cheaply and in order; frames are then
//! [parsed](Frame::parse) in any order, on any thread, into a [`Batch`](ipstats_model::Batch) and a [`Tally`].
//! This crate does no I/O and reads no clock; decompression and retention are the caller's.
//!
//! | module | owns |
//! |---|---|
//! | `aliases` | which device had which address when, from DHCP |
//! | `stream`, `detect`, `framing` | a stream: its layout, and where its records start and end |
//! | `hints` | what records show about the cause of an outcome |
//! | `binary` | files that are not text, and what to do about them |
//! | `record`, `envelope` | one record: recognizing it, and taking it out of the envelopes of shippers |
//! | `grammar` | what a format is made of |
//! | `formats` | one file a format: which fields it reads, and what counts |
//! | `fields` | the values formats have in common: times, JSON values, CSV cells, networks |
//! | `flow_rules` | who opened the connection that a flow record shows: one rule for ports and flags, one for ICMP |
//! | `not_devices` | relays: NAT gateways, proxies, load balancers |
//! | `flow_rules` | who opened the connection that a flow record shows: one rule for ports and flags, one for ICMP |
//! | `netflow` | datagrams of NetFlow and IPFIX, which are no stream |
//! | `syslog` | messages out of a connection, and the record in a message |
//! | `reader` | the rules all formats share: who the device is, which end is internal |
//!
//! Architecture Invariant: parsers are total. Every record of a stream ends in exactly one place of the tally: a
//! connection, not a connection (with the reason), or malformed (with line and reason). A bad record never ends a
//! stream; only what makes the whole stream unreadable does, as a [`StreamError`].
//!
//! Architecture Invariant: how the bytes of a stream are cut into chunks never changes the result.
//!
//! Architecture Invariant: memory is bounded by the limits, whatever the bytes are.

mod aliases;
mod binary;
mod detect;
mod envelope;
mod error;
mod fields;
mod flow_rules;
mod format;
mod formats;
mod frame;
mod framing;
mod grammar;
mod hints;
mod json_keys;
pub mod netflow;
mod not_devices;
mod outcome;
mod reader;
mod record;
mod settings;
mod stream;
pub mod syslog;
mod tally;

pub use aliases::{AliasBy, AliasReport, Aliases, LeaseLog};
pub use error::StreamError;
pub use format::{Format, FormatChoice, UnknownFormat};
pub use formats::mapped::{FieldMap, InvalidFieldMap};
pub use frame::Frame;
pub use hints::{Hints, LogName};
pub use not_devices::{NotDevice, NotDeviceError, NotDevices};
pub use outcome::{Malformed, NotAConnection};
pub use record::RecordReader;
pub use settings::{CountRule, DeviceFrom, Limits, Originator, Settings};
pub use stream::Framer;
pub use tally::{Issue, Tally};
