//! Quotas in this process.

use super::call_log::CallLog;
use super::patience::Patience;
use super::{CallKey, Decision, NoRoom};
use crate::config::RateLimit;
use crate::operation::Operation;
use arc_swap::ArcSwap;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use ipstats_model::Organization;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

/// Callers whose calls are counted at once. With the default limits each takes 13 KiB when it calls as often as it may,
/// with the largest ones 64 KiB.
const CALLERS_MAX: usize = 4096;

/// The part of the accounts that no organization takes from another, whatever number of applications it makes up: when
/// no more are free than one in this many, an organization gets another one only while it has fewer than are free.
const SHARED_PART: usize = 4;

/// The limits in force. Accounts compare by identity whether they were made for these.
type Limits = Arc<Box<[RateLimit]>>;

/// Quotas in this process, for all callers.
pub struct LocalLimiter {
    limits: ArcSwap<Box<[RateLimit]>>,
    accounts: Mutex<Accounts>,
    hasher: RandomState,
    callers_max: usize,
}

struct Accounts {
    table: HashTable<Account>,
    /// Accounts in the table by organization; none is 0.
    held: HashMap<Organization, usize>,
    /// No account can be forgotten before.
    full_until: Duration,
}

/// What one caller has called.
struct Account {
    organization: Organization,
    application: Box<str>,
    operation: Operation,
    limits: Limits,
    logs: Box<[CallLog]>,
    patience: Patience,
}

impl LocalLimiter {
    /// Nobody has called yet. No limits admit everything.
    pub fn new(limits: &[RateLimit]) -> Self {
        Self::with_room(limits, CALLERS_MAX)
    }

    fn with_room(limits: &[RateLimit], callers_max: usize) -> Self {
        let accounts = Accounts { table: HashTable::new(), held: HashMap::new(), full_until: Duration::ZERO };
        Self {
            limits: ArcSwap::from_pointee(limits.into()),
            accounts: Mutex::new(accounts),
            hasher: RandomState::default(),
            callers_max,
        }
    }

    pub(super) fn set_limits(&self, limits: &[RateLimit]) {
        if ***self.limits.load() != *limits {
            self.limits.store(Arc::new(limits.into()));
        }
    }

    pub(super) fn callers(&self) -> usize {
        self.accounts.lock().table.len()
    }

    pub(super) fn decide(&self, key: CallKey<'_>, now: Duration) -> Result<Decision, NoRoom> {
        let limits = self.limits.load();
        if limits.is_empty() {
            return Ok(Decision::Admitted);
        }
        self.of(key, &limits, now, |account| account.decide(&limits, now))
    }

    /// Makes room for the calls of this caller.
    pub(super) fn know(&self, key: CallKey<'_>, now: Duration) -> Result<(), NoRoom> {
        self.of(key, &self.limits.load(), now, |_| ())
    }

    /// Counts a call that something else admitted; for callers that are known.
    pub(super) fn note(&self, key: CallKey<'_>, now: Duration) {
        let limits = self.limits.load();
        // Who is not known any more, and finds no room, is not waited for.
        let _ = self.of(key, &limits, now, |account| account.note(&limits, now));
    }

    /// Counts a refusal of something else: how long it is to be held back; for callers that are known.
    pub(super) fn pause(&self, key: CallKey<'_>, now: Duration) -> Duration {
        self.of(key, &self.limits.load(), now, |account| account.patience.pause(now)).unwrap_or_default()
    }

    /// Does something with the account of this caller.
    fn of<T>(
        &self,
        key: CallKey<'_>,
        limits: &Limits,
        now: Duration,
        act: impl FnOnce(&mut Account) -> T,
    ) -> Result<T, NoRoom> {
        let hash = self.hasher.hash_one(key);
        let mut accounts = self.accounts.lock();
        let rehash = |account: &Account| self.hasher.hash_one(account.key());
        if let Some(account) = accounts.table.find_mut(hash, |account| account.key() == key) {
            return Ok(act(account));
        }
        accounts.make_room(key.organization, self.callers_max, now)?;
        *accounts.held.entry(key.organization).or_default() += 1;
        match accounts.table.entry(hash, |account| account.key() == key, rehash) {
            Entry::Occupied(mut account) => Ok(act(account.get_mut())),
            Entry::Vacant(free) => Ok(act(free.insert(Account::new(key, limits)).get_mut())),
        }
    }
}

impl Accounts {
    /// Forgets idle callers when there is no room for another of `organization`.
    fn make_room(
        &mut self,
        organization: Organization,
        callers_max: usize,
        now: Duration,
    ) -> Result<(), NoRoom> {
        if self.has_room(organization, callers_max) {
            return Ok(());
        }
        if self.full_until <= now {
            self.forget_idle(now);
        }
        if self.has_room(organization, callers_max) {
            Ok(())
        } else {
            Err(NoRoom { callers: self.table.len(), free_at: self.full_until })
        }
    }

    fn has_room(&self, organization: Organization, callers_max: usize) -> bool {
        let free = callers_max.saturating_sub(self.table.len());
        let held = self.held.get(&organization).copied().unwrap_or(0);
        free > callers_max / SHARED_PART || held < free
    }

    fn forget_idle(&mut self, now: Duration) {
        self.held.clear();
        let (held, mut first_idle) = (&mut self.held, None::<Duration>);
        self.table.retain(|account| {
            let Some(idle_from) = account.idle_from(now) else { return false };
            *held.entry(account.organization).or_default() += 1;
            first_idle = Some(first_idle.map_or(idle_from, |first| first.min(idle_from)));
            true
        });
        // Where nobody is left, nothing is known of when those who come can be forgotten.
        self.full_until = first_idle.unwrap_or(Duration::ZERO);
    }
}

impl Account {
    fn new(key: CallKey<'_>, limits: &Limits) -> Self {
        Self {
            organization: key.organization,
            application: key.application.into(),
            operation: key.operation,
            limits: Arc::clone(limits),
            logs: limits.iter().map(|limit| CallLog::new(*limit)).collect(),
            patience: Patience::default(),
        }
    }

    fn key(&self) -> CallKey<'_> {
        CallKey { organization: self.organization, application: &self.application, operation: self.operation }
    }

    fn decide(&mut self, limits: &Limits, now: Duration) -> Decision {
        self.look_again(limits, now);
        let held = self.logs.iter().filter_map(|log| Some((log.free_at()?, log.limit())));
        if let Some((free_at, limit)) = held.max_by_key(|(free_at, _)| *free_at) {
            return Decision::Refused { limit, free_at, pause: self.patience.pause(now) };
        }
        self.logs.iter_mut().for_each(|log| log.count(now, 1));
        Decision::Admitted
    }

    fn note(&mut self, limits: &Limits, now: Duration) {
        self.look_again(limits, now);
        self.logs.iter_mut().for_each(|log| log.note(now));
    }

    /// Brings the logs up to date.
    fn look_again(&mut self, limits: &Limits, now: Duration) {
        if !Arc::ptr_eq(&self.limits, limits) {
            self.go_on_with(limits);
        }
        self.logs.iter_mut().for_each(|log| log.expire(now));
    }

    /// Other limits are in force: their logs begin with the longest history there is.
    fn go_on_with(&mut self, limits: &Limits) {
        let longest = self.logs.iter().max_by_key(|log| log.limit().seconds());
        let logs = limits.iter().map(|limit| {
            let mut log = CallLog::new(*limit);
            longest.into_iter().flat_map(CallLog::history).for_each(|(at, calls)| log.count(at, calls));
            log
        });
        self.logs = logs.collect();
        self.limits = Arc::clone(limits);
    }

    /// When nothing of this account will count any more; nothing if that is so at `now`.
    fn idle_from(&mut self, now: Duration) -> Option<Duration> {
        self.logs.iter_mut().for_each(|log| log.expire(now));
        self.logs.iter().filter(|log| !log.is_empty()).filter_map(CallLog::empty_at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::super::retry_after_seconds;
    use super::*;
    use proptest::prelude::*;
    use std::thread;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(texts: &[&str]) -> Vec<RateLimit> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn defaults() -> LocalLimiter {
        LocalLimiter::new(&limits(&["100 per 00:01:00", "1500 per 01:00:00"]))
    }

    fn key(application: &str) -> CallKey<'_> {
        let organization = Organization::from_bytes([1; 16]);
        CallKey { organization, application, operation: Operation::IpStats }
    }

    fn is_admitted(limiter: &LocalLimiter, application: &str, now: Duration) -> bool {
        limiter.decide(key(application), now).unwrap() == Decision::Admitted
    }

    /// What a refused call is told: the limit, and after how many seconds to come again.
    fn refusal(limiter: &LocalLimiter, application: &str, now: Duration) -> (String, u32) {
        match limiter.decide(key(application), now).unwrap() {
            Decision::Admitted => panic!("admitted"),
            Decision::Refused { limit, free_at, .. } => {
                (limit.to_string(), retry_after_seconds(free_at, now))
            }
        }
    }

    #[test]
    fn a_hundred_a_minute_and_fifteen_hundred_an_hour() {
        let limiter = defaults();
        let mut now = Duration::ZERO;
        for _ in 0..15 {
            assert_eq!((0..150).filter(|_| is_admitted(&limiter, "soar", now)).count(), 100);
            now += 60 * SECOND;
        }
        assert_eq!(refusal(&limiter, "soar", now), ("1500 per 01:00:00".to_owned(), 3600 - 15 * 60));
        assert!(!is_admitted(&limiter, "soar", Duration::from_millis(3_599_999)));
        assert!(is_admitted(&limiter, "soar", 3600 * SECOND));
    }

    #[test]
    fn a_call_after_retry_after_is_admitted_and_a_second_earlier_is_not() {
        let limiter = defaults();
        for call in 0..100 {
            assert!(is_admitted(&limiter, "soar", Duration::from_millis(call * 137)));
        }
        let now = Duration::from_millis(14_250);
        let (limit, seconds) = refusal(&limiter, "soar", now);
        assert_eq!((limit.as_str(), seconds), ("100 per 00:01:00", 46));
        assert!(!is_admitted(&limiter, "soar", now + 45 * SECOND));
        assert!(is_admitted(&limiter, "soar", now + 46 * SECOND));
    }

    #[test]
    fn callers_do_not_share_a_quota() {
        let limiter = LocalLimiter::new(&limits(&["1 per 00:01:00"]));
        let other = CallKey { organization: Organization::from_bytes([2; 16]), ..key("soar") };
        assert!(is_admitted(&limiter, "soar", SECOND));
        assert!(!is_admitted(&limiter, "soar", SECOND));
        assert!(is_admitted(&limiter, "sentinel", SECOND));
        assert_eq!(limiter.decide(other, SECOND), Ok(Decision::Admitted));
    }

    #[test]
    fn many_threads_are_admitted_exactly_as_often_as_one() {
        let limiter = defaults();
        let admitted: usize = thread::scope(|scope| {
            let calls = |thread: u64| {
                let limiter = &limiter;
                move || {
                    let now = |call: u64| Duration::from_micros(1_000_000 + thread * 7 + call * 13);
                    (0..1000_u64).filter(|call| is_admitted(limiter, "soar", now(*call))).count()
                }
            };
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(calls(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 100);
    }

    #[test]
    fn only_idle_callers_are_forgotten() {
        let limiter = LocalLimiter::with_room(&limits(&["1 per 00:01:00"]), 2);
        assert!(is_admitted(&limiter, "a", SECOND));
        assert!(is_admitted(&limiter, "b", 2 * SECOND));
        let no_room = NoRoom { callers: 2, free_at: 61 * SECOND };
        assert_eq!(limiter.decide(key("c"), 3 * SECOND), Err(no_room));
        assert!(!is_admitted(&limiter, "a", 60 * SECOND), "who is known is still counted");
        assert_eq!(limiter.decide(key("c"), Duration::from_millis(60_999)), Err(no_room));
        assert!(is_admitted(&limiter, "c", 61 * SECOND), "a is idle");
        assert_eq!(limiter.callers(), 2);
        assert!(!is_admitted(&limiter, "b", 61 * SECOND), "b was not forgotten");
    }

    /// An organization with a provider of its own makes up as many client ids as it likes.
    #[test]
    fn an_organization_of_made_up_applications_does_not_shut_out_anothers() {
        let limiter = LocalLimiter::with_room(&limits(&["1 per 00:01:00"]), 16);
        let call = |organization: u8, application: usize, now: Duration| {
            let organization = Organization::from_bytes([organization; 16]);
            limiter.decide(CallKey { organization, ..key(&application.to_string()) }, now)
        };
        let admitted = |organization, now| {
            (0..4100).filter(|id| call(organization, *id, now) == Ok(Decision::Admitted)).count()
        };
        assert_eq!(admitted(1, SECOND), 12, "three quarters");
        assert_eq!(call(1, 5000, SECOND), Err(NoRoom { callers: 12, free_at: 61 * SECOND }));
        assert_eq!(admitted(2, SECOND), 2, "half of what is left");
        assert_eq!(admitted(3, SECOND), 1);
        assert_eq!(admitted(4, SECOND), 1);
        assert_eq!(limiter.callers(), 16);
        assert_eq!(admitted(2, 61 * SECOND), 12, "those who are idle are forgotten, and their shares");
    }

    #[test]
    fn room_is_made_again_after_everybody_was_forgotten() {
        let limiter = LocalLimiter::with_room(&limits(&["1 per 00:01:00"]), 2);
        for minutes in [0, 2, 4] {
            for application in ["a", "b", "c"].map(|name| format!("{name}{minutes}")) {
                let now = 60 * minutes * SECOND;
                let is_third = application.starts_with('c');
                assert_eq!(limiter.decide(key(&application), now).is_err(), is_third, "{application}");
            }
        }
    }

    #[test]
    fn other_limits_know_what_was_called_before() {
        let limiter = defaults();
        assert_eq!((0..100).filter(|_| is_admitted(&limiter, "soar", SECOND)).count(), 100);
        limiter.set_limits(&limits(&["110 per 00:02:00"]));
        assert_eq!((0..100).filter(|_| is_admitted(&limiter, "soar", 2 * SECOND)).count(), 10);
        limiter.set_limits(&limits(&["5 per 00:02:00"]));
        assert_eq!(refusal(&limiter, "soar", 3 * SECOND), ("5 per 00:02:00".to_owned(), 119));
        limiter.set_limits(&[]);
        assert!(is_admitted(&limiter, "soar", 3 * SECOND));
    }

    proptest! {
        /// Against all calls ever admitted, looked through for each limit.
        #[test]
        fn admits_what_a_naive_model_admits(calls in prop::collection::vec((0_u64..4000, 0_usize..2), 1..400)) {
            let limits = limits(&["3 per 00:00:02", "10 per 00:00:15", "40 per 00:01:30"]);
            let limiter = LocalLimiter::new(&limits);
            let mut admitted = [Vec::<Duration>::new(), Vec::new()];
            let mut now = Duration::ZERO;
            for (pause_ms, caller) in calls {
                now += Duration::from_millis(pause_ms / 10);
                let before = &mut admitted[caller];
                let room = |at: Duration| limits.iter().all(|limit| {
                    let span = Duration::from_secs(limit.seconds().into());
                    before.iter().filter(|call| **call + span > at).count() < limit.calls_max() as usize
                });
                let (is_room, room_after) = (room(now), |seconds: u32| room(now + seconds * SECOND));
                match limiter.decide(key(["soar", "sentinel"][caller]), now).unwrap() {
                    Decision::Admitted => {
                        prop_assert!(is_room);
                        before.push(now);
                    }
                    Decision::Refused { free_at, .. } => {
                        let seconds = retry_after_seconds(free_at, now);
                        prop_assert!(!is_room && room_after(seconds) && !room_after(seconds - 1));
                    }
                }
            }
        }
    }
}
