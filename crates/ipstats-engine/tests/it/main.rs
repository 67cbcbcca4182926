//! Integration tests of the engine: what its callers can see, against a naive model.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do: by panicking"
)]

mod checkpoints;
mod clock;
mod damage;
mod exact;
mod naive;
mod opening;
mod pressure;
