//! Integration tests of the engine: what its callers can see, against a naive model.

#![expect(clippy::unwrap_used, reason = "tests")]

mod exact;
mod naive;
mod opening;
mod pressure;
