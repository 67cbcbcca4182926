//! A bounded pool in which organizations take turns.
//!
//! One organization that asks much, or asks what is expensive, must not keep another's questions waiting. So those who
//! wait stand in one line for each organization, and a place that becomes free goes to the organizations in turn. And
//! no line grows beyond what the others still have: an organization may have as many calls waiting as there are free
//! places left, so a flood of one takes half of them, floods of two a third each, and the next one still finds room.

use super::StoreError;
use ipstats_model::Organization;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

pub(super) struct FairPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Nothing runs or waits any more.
    idle: Notify,
    calls_max: usize,
    running_max: usize,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
    /// Those who wait, by organization; no line is empty.
    lines: HashMap<Organization, VecDeque<oneshot::Sender<Slot>>>,
    /// The organizations with a line, in the order of their turns.
    turns: VecDeque<Organization>,
    is_closed: bool,
}

/// Permission to run one call; given on when it is dropped.
pub(super) struct Slot(Option<Arc<Shared>>);

impl FairPool {
    /// A pool in which `calls_max` calls may run or wait at once, and `running_max` of them run.
    pub(super) fn new(calls_max: usize, running_max: usize) -> Self {
        let (state, idle) = (Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { state, idle, calls_max, running_max }) }
    }

    /// Runs `work` of `organization` on a thread where it may block, when it is its turn. Once begun it is finished, even
    /// if nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        organization: Organization,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let slot = self.admit(organization).await?;
        let call = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(slot);
            result
        });
        call.await.map_err(|error| StoreError::Defect(error.to_string()))
    }

    /// Waits for the turn of `organization`; what is given back when it is dropped is the right to run.
    pub(super) async fn admit(&self, organization: Organization) -> Result<Slot, StoreError> {
        match self.enter(organization)? {
            Entered::Running(slot) => Ok(slot),
            Entered::Waiting(turn) => turn.await.map_err(|_| StoreError::Closed),
        }
    }

    /// Waits until nothing runs and lets nothing begin any more.
    pub(super) async fn drain(&self) {
        loop {
            let idle = self.shared.idle.notified();
            {
                let mut state = self.shared.state.lock();
                state.is_closed = true;
                if state.running == 0 {
                    return;
                }
            }
            idle.await;
        }
    }

    fn enter(&self, organization: Organization) -> Result<Entered, StoreError> {
        let mut state = self.shared.state.lock();
        if state.is_closed {
            return Err(StoreError::Closed);
        }
        if state.running < self.shared.running_max {
            state.running += 1;
            return Ok(Entered::Running(Slot(Some(Arc::clone(&self.shared)))));
        }
        let free = self.shared.calls_max.saturating_sub(state.running + state.waiting);
        let own = state.lines.get(&organization).map_or(0, VecDeque::len);
        if own >= free {
            return Err(StoreError::Busy { waiting: state.running + state.waiting });
        }
        let (sender, turn) = oneshot::channel();
        let line = state.lines.entry(organization).or_default();
        line.push_back(sender);
        if line.len() == 1 {
            state.turns.push_back(organization);
        }
        state.waiting += 1;
        Ok(Entered::Waiting(turn))
    }
}

enum Entered {
    Running(Slot),
    Waiting(oneshot::Receiver<Slot>),
}

impl Shared {
    /// Gives a slot to whose turn it is, or back.
    fn give_on(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while let Some(sender) = state.next() {
            match sender.send(Slot(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // Nobody waits for it any more. It is not given on from here: the state is locked.
                Err(mut slot) => slot.0 = None,
            }
        }
        state.running -= 1;
        if state.running == 0 {
            self.idle.notify_waiters();
        }
    }
}

impl State {
    /// The first in the line of the organization whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Slot>> {
        let organization = self.turns.pop_front()?;
        let line = self.lines.get_mut(&organization)?;
        let first = line.pop_front()?;
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(&organization);
        } else {
            self.turns.push_back(organization);
        }
        Some(first)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.give_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const FLOOD: Organization = Organization::from_bytes([1; 16]);
    const OTHER: Organization = Organization::from_bytes([2; 16]);
    const THIRD: Organization = Organization::from_bytes([3; 16]);

    /// A pool with one running call, and what ends it.
    async fn busy(calls_max: usize) -> (Arc<FairPool>, mpsc::Sender<()>) {
        let pool = Arc::new(FairPool::new(calls_max, 1));
        let (release, wait) = mpsc::channel::<()>();
        let running = Arc::clone(&pool);
        tokio::spawn(async move { running.run(FLOOD, move || wait.recv()).await });
        until(&pool, |state| state.running == 1).await;
        (pool, release)
    }

    async fn until(pool: &FairPool, happened: impl Fn(&State) -> bool) {
        while !happened(&pool.shared.state.lock()) {
            tokio::task::yield_now().await;
        }
    }

    /// Puts a call into the line of `organization`; it tells `ran` when it runs.
    async fn wait_in_line(
        pool: &Arc<FairPool>,
        organization: Organization,
        ran: &mpsc::Sender<Organization>,
    ) -> tokio::task::JoinHandle<()> {
        let waiting = pool.shared.state.lock().waiting;
        let (running, ran) = (Arc::clone(pool), ran.clone());
        let call = tokio::spawn(async move {
            running.run(organization, move || ran.send(organization)).await.unwrap().unwrap();
        });
        until(pool, |state| state.waiting == waiting + 1).await;
        call
    }

    #[tokio::test]
    async fn organizations_take_turns() {
        let (pool, release) = busy(100).await;
        let (ran, order) = mpsc::channel();
        for organization in [FLOOD, FLOOD, FLOOD, FLOOD, OTHER, OTHER, THIRD] {
            wait_in_line(&pool, organization, &ran).await;
        }
        release.send(()).unwrap();
        pool.drain().await;
        let order: Vec<_> = order.try_iter().collect();
        assert_eq!(order, [FLOOD, OTHER, THIRD, FLOOD, OTHER, FLOOD, FLOOD]);
    }

    #[tokio::test]
    async fn a_flood_takes_half_of_the_places_and_leaves_room_for_others() {
        let (pool, release) = busy(9).await;
        let (ran, order) = mpsc::channel();
        for _ in 0..4 {
            wait_in_line(&pool, FLOOD, &ran).await;
        }
        assert!(matches!(pool.run(FLOOD, || ()).await, Err(StoreError::Busy { waiting: 5 })));
        for _ in 0..2 {
            wait_in_line(&pool, OTHER, &ran).await;
        }
        assert!(matches!(pool.run(OTHER, || ()).await, Err(StoreError::Busy { waiting: 7 })));
        wait_in_line(&pool, THIRD, &ran).await;
        release.send(()).unwrap();
        pool.drain().await;
        assert_eq!(order.try_iter().count(), 7);
    }

    #[tokio::test]
    async fn a_place_is_not_lost_with_a_caller_who_went_away() {
        let (pool, release) = busy(100).await;
        let (ran, order) = mpsc::channel();
        wait_in_line(&pool, OTHER, &ran).await.abort();
        wait_in_line(&pool, OTHER, &ran).await;
        release.send(()).unwrap();
        assert_eq!(pool.run(THIRD, || 7).await.unwrap(), 7);
        pool.drain().await;
        assert!(order.try_iter().count() <= 2);
        {
            let state = pool.shared.state.lock();
            assert_eq!((state.running, state.waiting), (0, 0));
        }
        assert!(
            matches!(pool.run(THIRD, || ()).await, Err(StoreError::Closed)),
            "nothing begins after the drain"
        );
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_its_place() {
        let pool = FairPool::new(1, 1);
        assert!(matches!(pool.run(OTHER, || panic!("defect")).await, Err(StoreError::Defect(_))));
        assert_eq!(pool.run(OTHER, || 1).await.unwrap(), 1);
    }
}
