//! What must hold for any bytes: one function a fuzz target. How to run them is in docs/fuzzing.md.
//!
//! `cargo test` calls the same functions with the inputs that are kept in `kept/{target}`.

mod bodies;
mod encodings;
mod logs;
mod loose;
mod netflow;
mod pieces;
mod syslog;
mod tokens;

pub use bodies::{bulk, hec, otlp_json, otlp_protobuf, upload};
pub use encodings::encodings;
pub use logs::{hosts, mde, network, own, recognize, zeek};
pub use loose::loose;
pub use netflow::netflow;
pub use syslog::syslog;
pub use tokens::tokens;

/// A target with its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 16] = [
    ("recognize", recognize),
    ("zeek", zeek),
    ("mde", mde),
    ("own", own),
    ("hosts", hosts),
    ("network", network),
    ("loose", loose),
    ("syslog", syslog),
    ("netflow", netflow),
    ("encodings", encodings),
    ("upload", upload),
    ("bulk", bulk),
    ("hec", hec),
    ("otlp_protobuf", otlp_protobuf),
    ("otlp_json", otlp_json),
    ("tokens", tokens),
];
