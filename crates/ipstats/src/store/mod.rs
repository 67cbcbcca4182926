//! Where connections are kept: the engine for synchronous callers, and [`Store`] for asynchronous ones.

mod embedded;

pub use embedded::{OpenStoreError, open_engine};
