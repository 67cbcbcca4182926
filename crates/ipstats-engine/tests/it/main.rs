//! Integration tests of the engine: what its callers can see, against a naive model.

mod exact;
mod naive;
mod opening;
mod pressure;
