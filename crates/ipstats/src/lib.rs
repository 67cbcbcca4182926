//! The library behind the `ipstats` binary: command line, configuration, HTTP service, and what joins them to the store.
//!
//! The arrows inside: `cli` and `http` use `audit`, `auth`, `copy`, `limit`, `metrics`, `sources`, `ingest` and `store`, `cli` and `copy` also
//! use `client`, and these use `config` and `clock`. The test `tests/it/tidy.rs` holds them.

pub mod answer;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod copy;
pub mod flat_json;
pub mod http;
pub mod ingest;
pub mod ingest_key;
pub mod limit;
pub mod metrics;
pub mod numbers;
pub mod operation;
pub mod private_file;
pub mod secret;
pub mod sources;
pub mod store;
pub mod telemetry;
pub mod visible;
