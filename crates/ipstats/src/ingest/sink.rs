//! Where batches go.

use crate::clock::Clock;
use crate::store::{Store, StoreError};
use ipstats_model::{Batch, Organization, Recorded};

/// Takes batches; several threads use one sink at the same time.
pub trait Sink: Sync {
    /// Records a batch; returns after it is durable. After an error nothing more is delivered.
    fn record(&self, batch: &Batch) -> Result<Recorded, StoreError>;
}

/// The store, for one organization.
pub struct StoreSink<'a> {
    /// Where connections are recorded.
    pub store: &'a Store,
    /// Whose they are.
    pub organization: Organization,
    /// Which time it is when a batch arrives.
    pub clock: Clock,
}

impl Sink for StoreSink<'_> {
    fn record(&self, batch: &Batch) -> Result<Recorded, StoreError> {
        self.store.record_here(self.organization, batch, self.clock.now())
    }
}
