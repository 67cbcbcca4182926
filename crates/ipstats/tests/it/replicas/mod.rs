//! Several replicas of the service: calls counted together in Redis, and without it.

mod decisions;
mod limiter;
mod redis;
mod three;
mod trust;
mod valkey;

use ipstats::config::RateLimit;
use ipstats::limit::CallKey;
use ipstats::operation::Operation;
use ipstats_model::Organization;
use std::time::{Duration, Instant};

/// The longest that anything is waited for.
const WAIT_MAX: Duration = Duration::from_mins(5);

fn limits(texts: &[&str]) -> Vec<RateLimit> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn key(application: &str) -> CallKey<'_> {
    let organization = Organization::from_bytes([1; 16]);
    CallKey { organization, application, operation: Operation::IpStats }
}

fn wait_until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WAIT_MAX, "not within {WAIT_MAX:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
