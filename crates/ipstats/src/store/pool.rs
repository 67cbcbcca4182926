//! Bounded pools in which blocking work runs, next to the asynchronous threads and never on them.

use super::StoreError;
use super::fair_pool::FairPool;
use ipstats_model::Organization;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::thread;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Questions that may run or wait at once; one more is refused. Each holds a connection open, and little memory.
const QUESTIONS_MAX: usize = 512;

/// Questions that run at once for each core: they wait for the disk more than they compute.
const QUESTIONS_PER_CORE_MAX: usize = 4;

/// Loads from memory that may run or wait at once; one more is refused. Their bytes are bounded by who holds them.
const LOADS_FROM_MEMORY_MAX: usize = 4096;

/// Loads that run at once for each core. Those that wait for their sender do not queue: one more is refused.
pub(super) const LOADS_PER_CORE_MAX: usize = 4;

/// A pool for short reads and writes.
pub(super) fn questions() -> FairPool {
    FairPool::new(QUESTIONS_MAX, cores() * QUESTIONS_PER_CORE_MAX)
}

/// A pool for small loads whose data is in memory, of which `running_max` run at once.
pub(super) fn loads_from_memory(running_max: usize) -> FairPool {
    FairPool::new(LOADS_FROM_MEMORY_MAX, running_max)
}

/// A pool for work that may take long, and waits for its sender meanwhile. An organization runs at most as much as there
/// are free places: one that holds on to its places has half of them, and the next one still finds room.
pub(super) struct Pool {
    admitted: Arc<Semaphore>,
    running: Arc<Mutex<HashMap<Organization, usize>>>,
    calls_max: usize,
}

/// Permission of an organization to run one call.
struct Place {
    organization: Organization,
    running: Arc<Mutex<HashMap<Organization, usize>>>,
    _admitted: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn for_loads() -> Self {
        Self::with_places(cores() * LOADS_PER_CORE_MAX)
    }

    /// A pool in which `calls_max` calls may run at once.
    pub(super) fn with_places(calls_max: usize) -> Self {
        Self { admitted: Arc::new(Semaphore::new(calls_max)), running: Arc::default(), calls_max }
    }

    /// Runs `work` of `organization` on a thread where it may block. Once begun it is finished, even if nobody waits for it
    /// any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        organization: Organization,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.enter(organization)?;
        let call = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        call.await.map_err(|error| StoreError::Defect(error.to_string()))
    }

    fn enter(&self, organization: Organization) -> Result<Place, StoreError> {
        let mut running = self.running.lock();
        let free = self.admitted.available_permits();
        let busy = || StoreError::Busy { waiting: self.calls_max - free };
        if running.get(&organization).is_some_and(|own| *own >= free) {
            return Err(busy());
        }
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => busy(),
            TryAcquireError::Closed => StoreError::Closed,
        })?;
        *running.entry(organization).or_default() += 1;
        Ok(Place { organization, running: Arc::clone(&self.running), _admitted: admitted })
    }

    /// Waits until nothing runs and lets nothing start any more.
    pub(super) async fn drain(&self) {
        let everything = u32::try_from(self.calls_max).unwrap_or(u32::MAX);
        if let Ok(permits) = self.admitted.acquire_many(everything).await {
            permits.forget();
        }
        self.admitted.close();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut own) = self.running.lock().entry(self.organization) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SLOW: Organization = Organization::from_bytes([1; 16]);
    const OTHER: Organization = Organization::from_bytes([2; 16]);
    const THIRD: Organization = Organization::from_bytes([3; 16]);

    #[tokio::test]
    async fn slow_senders_of_one_organization_leave_places_to_others() {
        let pool = Pool::with_places(8);
        let enter = |organization, times: usize| {
            (0..times).filter_map(|_| pool.enter(organization).ok()).collect::<Vec<_>>()
        };
        let slow = enter(SLOW, 20);
        let other = enter(OTHER, 20);
        let third = enter(THIRD, 20);
        assert_eq!([&slow, &other, &third].map(Vec::len), [4, 2, 1]);
        assert!(matches!(pool.run(SLOW, || ()).await, Err(StoreError::Busy { waiting: 7 })));
        drop((slow, other, third));
        assert!(pool.running.lock().is_empty());
        assert_eq!(enter(SLOW, 20).len(), 4);
    }

    #[tokio::test]
    async fn one_call_too_many_is_refused_and_a_drained_pool_is_idle() {
        let pool = Arc::new(Pool::with_places(1));
        let (release, wait) = mpsc::channel::<()>();
        let running = Arc::clone(&pool);
        let running = tokio::spawn(async move { running.run(SLOW, move || wait.recv().is_ok()).await });
        while pool.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        for organization in [SLOW, OTHER] {
            assert!(matches!(pool.run(organization, || 3).await, Err(StoreError::Busy { waiting: 1 })));
        }
        release.send(()).unwrap();
        assert!(running.await.unwrap().unwrap());
        pool.drain().await;
        assert!(pool.run(SLOW, || 4).await.is_err(), "nothing starts after the drain");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_its_place() {
        let pool = Pool::with_places(1);
        assert!(matches!(pool.run(SLOW, || panic!("defect")).await, Err(StoreError::Defect(_))));
        assert_eq!(pool.run(SLOW, || 1).await.unwrap(), 1);
    }
}
