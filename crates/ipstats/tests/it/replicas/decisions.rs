//! The script that decides, told the time: it decides as the limiter of one process does, which has a naive model of its own.

use super::redis::Redis;
use super::{key, limits};
use ipstats::config::RateLimit;
use ipstats::limit::{Decision, Limiter};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::time::Duration;

/// Some day, so that microseconds since the epoch are as large as they are.
const DAY_SECONDS: u64 = 1_800_000_000;

/// The script with a clock that stands where the last argument says.
const SCRIPT: &str = concat!(
    "local micros = tonumber(table.remove(ARGV))\nlocal server = redis\nlocal redis = { call = function(name, ...)\n",
    "if name == 'TIME' then return { math.floor(micros / 1000000), micros % 1000000 } end\n",
    "return server.call(name, ...) end }\n",
    include_str!("../../../src/limit/shared/decide.lua")
);

struct Counted<'a> {
    connection: &'a mut ::redis::Connection,
    script: ::redis::Script,
    caller: String,
}

impl<'a> Counted<'a> {
    fn new(connection: &'a mut ::redis::Connection, caller: &str) -> Self {
        Self { connection, script: ::redis::Script::new(SCRIPT), caller: format!("{{{caller}}}") }
    }

    /// The limit that refuses and from when on it does not any more, or nothing.
    fn call(
        &mut self,
        limits: &[RateLimit],
        history: Option<u32>,
        now: Duration,
    ) -> Option<(RateLimit, Duration)> {
        let mut call = self.script.prepare_invoke();
        for limit in limits {
            let span = u64::from(limit.seconds()) * 1_000_000;
            // The ticks of a limiter in one process, which takes no more than 2048 of them.
            let tick = if limit.calls_max() <= 2048 { 1000 } else { span.div_ceil(2048).max(1000) };
            call.key(self.list(limit.seconds())).arg(limit.calls_max()).arg(span).arg(tick);
        }
        history.into_iter().for_each(|seconds| {
            call.key(format!("{}:{seconds}", self.caller));
        });
        let micros = u64::try_from(now.as_micros()).unwrap();
        let (number, at, free_at): (usize, u64, u64) = call.arg(micros).invoke(self.connection).unwrap();
        assert_eq!(at, micros);
        number.checked_sub(1).map(|index| (limits[index], Duration::from_micros(free_at)))
    }

    fn list(&self, seconds: u32) -> String {
        format!("{}:{seconds}", self.caller)
    }

    fn items(&mut self, seconds: u32) -> usize {
        ::redis::cmd("LLEN").arg(self.list(seconds)).query(self.connection).unwrap()
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What the limiter of one process says to a call.
fn local(limiter: &Limiter, now: Duration) -> Option<(RateLimit, Duration)> {
    match run(limiter.decide(key("soar"), now)).unwrap() {
        Decision::Admitted => None,
        Decision::Refused { limit, free_at, .. } => Some((limit, free_at)),
    }
}

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn calls_are_decided_as_in_one_process() {
    let redis = Redis::start();
    let histories = (
        prop::sample::select(vec![
            vec!["1 per 00:00:01"],
            vec!["100 per 00:01:00", "1500 per 01:00:00"],
            vec!["3 per 00:00:02", "10 per 00:00:15", "40 per 00:01:30"],
            vec!["5 per 00:00:20", "5 per 00:00:10"],
            vec!["1000000 per 00:00:05", "4 per 00:00:01"],
        ]),
        prop::collection::vec(prop_oneof![Just(0), 1_u64..3000, 1_u64..4_000_000], 1..120),
    );
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&histories, |(texts, pauses_micros)| {
        let limits = limits(&texts);
        let mut connection = redis.connection();
        let () = ::redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let mut counted = Counted::new(&mut connection, "caller");
        let limiter = Limiter::new(&limits, None);
        let mut now = Duration::from_secs(DAY_SECONDS);
        for pause in pauses_micros {
            now += Duration::from_micros(pause);
            prop_assert_eq!(counted.call(&limits, None, now), local(&limiter, now));
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn a_large_limit_is_as_exact_as_in_one_process_and_takes_no_more_items() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let limits = limits(&["3000 per 00:00:04"]);
    let mut counted = Counted::new(&mut connection, "large");
    let limiter = Limiter::new(&limits, None);
    let mut now = Duration::from_secs(DAY_SECONDS);
    let mut refused = 0;
    for call in 0..9000_u64 {
        now += Duration::from_micros(call * 7919 % 2000);
        let decision = counted.call(&limits, None, now);
        assert_eq!(decision, local(&limiter, now), "call {call}");
        refused += usize::from(decision.is_some());
    }
    assert!(refused > 500, "{refused}");
    let items = counted.items(4);
    assert!(items <= 2050, "{items}");
}

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn a_refused_call_costs_nothing_and_nothing_is_kept_for_longer_than_it_counts() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let limits = limits(&["2 per 00:00:10"]);
    let mut counted = Counted::new(&mut connection, "caller");
    let at = |millis| Duration::from_secs(DAY_SECONDS) + Duration::from_millis(millis);
    let ten_seconds_after = |millis: u64| Some((limits[0], at(millis + 10_000)));
    assert_eq!(counted.call(&limits, None, at(0)), None);
    assert_eq!(counted.call(&limits, None, at(4000)), None);
    for millis in 4001..4100 {
        assert_eq!(counted.call(&limits, None, at(millis)), ten_seconds_after(0));
    }
    assert_eq!(counted.items(10), 2);
    assert_eq!(counted.call(&limits, None, at(10_000)), None);
    assert_eq!(counted.call(&limits, None, at(10_001)), ten_seconds_after(4000));
    let list = counted.list(10);
    let millis: i64 = ::redis::cmd("PTTL").arg(list).query(counted.connection).unwrap();
    assert!((1..=10_000).contains(&millis), "{millis}");
}

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn a_clock_that_is_set_back_admits_no_more_calls() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let limits = limits(&["2 per 00:00:10"]);
    let mut counted = Counted::new(&mut connection, "caller");
    let at = |seconds| Duration::from_secs(DAY_SECONDS + seconds);
    assert_eq!(counted.call(&limits, None, at(100)), None);
    assert_eq!(counted.call(&limits, None, at(50)), None);
    assert_eq!(counted.call(&limits, None, at(51)), Some((limits[0], at(110))));
}

#[test]
#[ignore = "needs .ci/peers/redis.sh"]
fn other_limits_know_what_was_called_before() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let mut counted = Counted::new(&mut connection, "caller");
    let at = |seconds| Duration::from_secs(DAY_SECONDS + seconds);
    let (before, after) = (limits(&["3 per 00:00:10"]), limits(&["4 per 00:00:20"]));
    for second in 0..3 {
        assert_eq!(counted.call(&before, None, at(second)), None);
    }
    assert_eq!(counted.call(&after, Some(10), at(3)), None);
    assert_eq!(counted.call(&after, Some(10), at(4)), Some((after[0], at(20))));
    assert_eq!(counted.call(&after, Some(10), at(20)), None);
    assert_eq!(counted.call(&after, Some(10), at(20)), Some((after[0], at(21))));
}
