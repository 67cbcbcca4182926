//! Structured logs, to standard error.
