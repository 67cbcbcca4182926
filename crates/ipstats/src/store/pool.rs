//! Bounded pools in which blocking work runs, next to the asynchronous threads and never on them.

use super::StoreError;
use super::fair_pool::FairPool;
use std::sync::Arc;
use std::thread;
use tokio::sync::Semaphore;

/// Questions that may run or wait at once; one more is refused. Each holds a connection open, and little memory.
const QUESTIONS_MAX: usize = 512;

/// Questions that run at once for each core: they wait for the disk more than they compute.
const QUESTIONS_PER_CORE_MAX: usize = 4;

/// Loads that run at once for each core. None waits: its sender is told to come again.
const LOADS_PER_CORE_MAX: usize = 4;

/// A pool for short reads and writes.
pub(super) fn questions() -> FairPool {
    FairPool::new(QUESTIONS_MAX, cores() * QUESTIONS_PER_CORE_MAX)
}

#[derive(Debug)]
pub(super) struct Pool {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    calls_max: usize,
}

impl Pool {
    /// A pool for work that may take long.
    pub(super) fn for_loads() -> Self {
        let loads_max = cores() * LOADS_PER_CORE_MAX;
        Self::with_limits(loads_max, loads_max)
    }

    fn with_limits(calls_max: usize, running_max: usize) -> Self {
        let (admitted, running) = (Semaphore::new(calls_max), Semaphore::new(running_max));
        Self { admitted: Arc::new(admitted), running: Arc::new(running), calls_max }
    }

    /// Runs `work` on a thread where it may block. Once begun it is finished, even if nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| StoreError::Busy { waiting: self.calls_max })?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let call = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((running, admitted));
            result
        });
        call.await.map_err(|error| StoreError::Defect(error.to_string()))
    }

    /// Waits until nothing runs and lets nothing start any more.
    pub(super) async fn drain(&self) {
        let everything = u32::try_from(self.calls_max).unwrap_or(u32::MAX);
        if let Ok(permits) = self.admitted.acquire_many(everything).await {
            permits.forget();
        }
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn one_call_too_many_is_refused_and_a_drained_pool_is_idle() {
        let pool = Arc::new(Pool::with_limits(2, 1));
        let (release, wait) = mpsc::channel::<()>();
        let (running, waiting) = (Arc::clone(&pool), Arc::clone(&pool));
        let running = tokio::spawn(async move { running.run(move || wait.recv().is_ok()).await });
        let waiting = tokio::spawn(async move { waiting.run(|| 2).await });
        while pool.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(pool.run(|| 3).await, Err(StoreError::Busy { waiting: 2 })));
        release.send(()).unwrap();
        assert!(running.await.unwrap().unwrap());
        assert_eq!(waiting.await.unwrap().unwrap(), 2);
        pool.drain().await;
        assert!(pool.run(|| 4).await.is_err(), "nothing starts after the drain");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_its_place() {
        let pool = Pool::with_limits(1, 1);
        assert!(matches!(pool.run(|| panic!("defect")).await, Err(StoreError::Defect(_))));
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }
}
