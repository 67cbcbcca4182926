//! Where batches go.

use crate::clock::Clock;
use ipstats_engine::{Engine, RecordError, Recorded};
use ipstats_model::{Batch, Organization};

/// Takes batches; several threads use one sink at the same time.
pub trait Sink: Sync {
    /// Records a batch; returns after it is durable. After an error nothing more is delivered.
    fn record(&self, batch: &Batch) -> Result<Recorded, RecordError>;
}

/// The embedded engine, for one organization.
pub struct EngineSink<'a> {
    /// Where connections are recorded.
    pub engine: &'a Engine,
    /// Whose they are.
    pub organization: Organization,
    /// Which time it is when a batch arrives.
    pub clock: Clock,
}

impl Sink for EngineSink<'_> {
    fn record(&self, batch: &Batch) -> Result<Recorded, RecordError> {
        self.engine.record(self.organization, batch, self.clock.now())
    }
}
