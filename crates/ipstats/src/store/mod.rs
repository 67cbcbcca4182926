//! Where connections are kept: the engine for synchronous callers, and [`Store`] for asynchronous ones.
//!
//! Every call takes the organization first: there is no way to ask without saying for whom.

mod embedded;
mod fair_pool;
mod pool;

pub use embedded::{ClockBehind, OpenStoreError, Store, check_clock, open_engine};

/// Why the store did not answer or acknowledge. One enum for all backends.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much is waiting already; a later try may succeed.
    #[error("the store is busy: {waiting} calls are under way already")]
    Busy {
        /// The limit that was reached.
        waiting: usize,
    },
    /// The store is closed, or about to be.
    #[error("the store is closed")]
    Closed,
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[source] ipstats_engine::ReadError),
    /// The store acknowledges no records.
    #[error("the store cannot be written")]
    Write(#[source] ipstats_engine::RecordError),
    /// The call itself failed: a defect.
    #[error("a call of the store ended early: {0}")]
    Defect(String),
}
