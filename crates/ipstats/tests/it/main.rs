//! Integration tests of the binary's library, and of the binary.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do: by panicking")]

mod config;
