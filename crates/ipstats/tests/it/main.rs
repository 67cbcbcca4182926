//! Integration tests of the binary's library, and of the binary.

mod config;
