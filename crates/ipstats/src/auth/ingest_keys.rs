//! Whose log is it? The source behind an ingest key.

use crate::config::IngestSource;
use crate::ingest_key::{IngestKey, IngestKeyHash};
use std::collections::HashMap;
use std::sync::Arc;

/// Sources by the hash of their key. Looking one up tells nothing through its time: what is compared are hashes.
#[derive(Debug)]
pub struct IngestKeys(HashMap<IngestKeyHash, Arc<IngestSource>>);

impl IngestKeys {
    /// The keys of `sources`.
    pub fn new(sources: &[IngestSource]) -> Self {
        Self(sources.iter().map(|source| (source.key_hash, Arc::new(source.clone()))).collect())
    }

    /// The source that has this key.
    pub fn find(&self, key: &str) -> Option<Arc<IngestSource>> {
        let key: IngestKey = key.parse().ok()?;
        self.0.get(&key.hash()).cloned()
    }
}
