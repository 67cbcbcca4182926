//! Integration tests of the binary's library, and of the binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do: by panicking"
)]

mod cli;
mod config;
mod http;
mod kill;
mod kill_serve;
mod serve;
mod tidy;
