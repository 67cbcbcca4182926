//! Days that have expired, in a database of their own.

use super::{access, config, query};
use crate::store::new_organization;
use ipstats::clock::Clock;
use ipstats::store::{Store, init};
use ipstats_model::{Batch, CanonicalIp, IpStatistics, LookBack, Timestamp, Window};
use std::time::{Duration, Instant};

const DROP_TIME_MAX: Duration = Duration::from_mins(5);

/// Enough for one look at what has expired.
const MAINTENANCE_TIME: Duration = Duration::from_secs(2);

pub(super) fn days_that_have_expired_are_dropped(url: &str) {
    let (config, _folder) = config(&format!("urls = ['{url}']\ndatabase = 'expiring'"));
    init(access(&config)).unwrap();
    let store = Store::open(&config, &Clock::System).unwrap();
    let (organization, ip) = (new_organization(), "198.51.100.8".parse::<CanonicalIp>().unwrap());
    let first: Timestamp = "2018-01-01T12:00:00Z".parse().unwrap();
    let record = |at: Timestamp| {
        let mut batch = Batch::new();
        batch.push("laptop", ip, at).unwrap();
        store.record_here(organization, &batch, at).unwrap();
    };
    let days = || query(url, "SELECT count() FROM expiring.contacts").trim().to_owned();
    // A clock that is far ahead costs nothing that is near the newest contact.
    record(first);
    maintain(&store, first.plus_seconds(400 * 86_400));
    assert_eq!(days(), "1");
    let last = first.plus_seconds(31 * 86_400);
    record(last);
    let until_one_is_left = |store: &Store| {
        let begun = Instant::now();
        while days() != "1" {
            assert!(begun.elapsed() < DROP_TIME_MAX, "the day is still there");
            maintain(store, last);
        }
    };
    until_one_is_left(&store);
    assert_eq!(query(url, "SELECT count() FROM expiring.minutes").trim(), "1");
    let seen = IpStatistics::Seen { prevalence: 1, first_seen: last, last_seen: last };
    let answer = store.statistics_here(organization, ip, Window::ending_at(last, LookBack::MAX)).unwrap();
    assert_eq!(answer, seen);
    assert_eq!(store.first_ever_here(organization, ip).unwrap(), Some(first), "this survives");
    // Somebody still inserts into the day.
    let late = format!(
        "INSERT INTO expiring.connections SELECT toFixedString(unhex('{}'), 16), toFixedString(unhex('{}'), 16), 'late', \
         toDateTime({}, 'UTC')",
        hexadecimal(organization.as_bytes()),
        hexadecimal(ip.as_bytes()),
        first.second(),
    );
    query(url, &late);
    assert_eq!(days(), "2");
    let answer = store.statistics_here(organization, ip, Window::ending_at(last, LookBack::MAX)).unwrap();
    assert_eq!(answer, seen, "it is in no answer");
    until_one_is_left(&store);
    store.close_here().unwrap();
}

fn hexadecimal(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

/// Lets the store look after itself for a while at `now`.
fn maintain(store: &Store, now: Timestamp) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let _ = tokio::time::timeout(MAINTENANCE_TIME, store.maintain(Clock::Pinned(now))).await;
    });
}
