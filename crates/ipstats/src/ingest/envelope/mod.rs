//! Records in the envelopes of shippers: how the body of a request is taken apart, a file a protocol. What is answered is the
//! business of `http`.
//!
//! | module | protocol | in memory |
//! |---|---|---|
//! | `bulk` | Elasticsearch's bulk API | one line, and two bytes an item |
//! | `hec` | Splunk's HTTP event collector | the body, and one event |
//! | `otlp` | OpenTelemetry's logs | the body, and one log record |
//!
//! Invariants:
//! - Each record goes into the [`Delivery`](super::Delivery) as soon as it is found: a body of a great many tiny records takes no
//!   more memory than one of a few large ones.
//! - A record that cannot be read never fails those next to it; an envelope that cannot be read ends the body.

mod body;
pub mod bulk;
pub mod hec;
pub mod otlp;

pub use body::DecodedBody;
