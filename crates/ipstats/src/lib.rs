//! The binary's library: command line, configuration, HTTP service.
pub mod cli;
