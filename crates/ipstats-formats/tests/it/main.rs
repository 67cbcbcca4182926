//! Tests of the crate from outside, over sample data.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod chunks;
mod evtx_file;
mod hostile;
mod mapped;
mod mutations;
mod netflow;
mod real_logs;
mod records;
mod resumed;
mod samples;
mod semantics;
mod stream;
mod support;
