//! Integration tests of the binary's library, and of the binary.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do: by panicking"
)]

mod cli;
mod clients;
mod config;
mod conservation;
mod copy;
mod copy_clickhouse;
mod deploy;
mod descriptors;
#[cfg(target_os = "linux")]
mod faults;
mod follow;
mod fuzzed;
#[cfg(target_os = "linux")]
mod hostile;
mod http;
mod issued;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(target_os = "linux")]
mod kill;
mod kill_serve;
#[cfg(target_os = "linux")]
mod killed;
mod leases;
mod listen;
mod logs;
mod oidc_provider;
mod openapi;
mod otlp_request;
mod peer;
mod remote;
mod replicas;
mod serve;
mod service;
mod shippers;
mod site;
mod sources;
mod store;
mod tidy;
mod tls;
mod trusted_certificates;
mod uploads;
mod wire;
