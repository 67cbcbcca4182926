//! One conformance suite for every backend: whatever is recorded, in whatever order and however often, is answered as a
//! naive model of the semantics answers it.

pub(crate) mod clickhouse;
mod copying;
mod embedded;
mod history;
mod model;

use history::{History, Step, look_backs};
use ipstats::store::{Store, StoreError};
use ipstats_model::{Batch, CanonicalIp, LookBack, Organization, Timestamp, Window};
use model::Model;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use std::sync::Arc;
use uuid::Uuid;

/// Everything a backend must show; `cases` random histories. The store may hold other data already.
fn conforms(store: &Arc<Store>, cases: u32) {
    histories_are_answered_as_by_the_model(store, cases);
    every_look_back_is_exact(store);
    checkpoints_are_kept(store);
    senders_at_the_same_time_lose_nothing(store);
}

fn histories_are_answered_as_by_the_model(store: &Store, cases: u32) {
    histories(cases, |history| check(store, &history));
}

/// Runs a test on random histories.
fn histories(cases: u32, test: impl Fn(History) -> Result<(), TestCaseError>) {
    let persistence = FileFailurePersistence::Off;
    let config = Config { cases, failure_persistence: Some(Box::new(persistence)), ..Config::default() };
    // A history that fails is not made smaller: what a case does to a store stays there, and a server is slow.
    let mut runner = TestRunner::new(Config { max_shrink_iters: 0, ..config });
    runner.run(&history::any(), test).unwrap();
}

/// Lets a history happen for two organizations that nobody else has, and asks along the way.
fn check(store: &Store, history: &History) -> Result<(), TestCaseError> {
    let organizations = [new_organization(), new_organization()];
    let mut model = Model::default();
    let mut now = history.begin;
    for step in &history.steps {
        match step {
            Step::Record { organization, rows, later_seconds } => {
                now = now.plus_seconds(*later_seconds);
                let (organization, mut batch) = (organizations[*organization], Batch::new());
                for row in rows {
                    batch.push(row.device, row.ip, now.plus_seconds(-row.ago_seconds)).unwrap();
                }
                let recorded = store.record_here(organization, &batch, now).unwrap();
                prop_assert_eq!(recorded, model.record(organization, &batch, now));
                // Sent again, as by a shipper that did not hear the answer.
                if rows.len() % 3 == 0 {
                    prop_assert_eq!(store.record_here(organization, &batch, now).unwrap(), recorded);
                }
            }
            Step::Ask { ip, look_back } => {
                for organization in organizations {
                    ask(store, &model, organization, *ip, Window::ending_at(now, *look_back))?;
                }
            }
        }
    }
    let newest = store.newest_event_here().unwrap();
    prop_assert!(newest >= model.newest(), "{newest:?}");
    Ok(())
}

fn ask(
    store: &Store,
    model: &Model,
    organization: Organization,
    ip: CanonicalIp,
    window: Window,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        store.statistics_here(organization, ip, window).unwrap(),
        model.statistics(organization, ip, window),
        "{} at {:?}",
        ip,
        window
    );
    let mut devices = store.devices_here(organization, ip, window).unwrap();
    prop_assert!(devices.is_sorted_by_key(|contact| std::cmp::Reverse(contact.last)), "{devices:?}");
    devices.sort_by(|one, other| one.device.cmp(&other.device));
    prop_assert_eq!(devices, model.devices(organization, ip, window));
    let now = window.now();
    prop_assert_eq!(
        store.devices_per_day_here(organization, ip, now).unwrap(),
        model.devices_per_day(organization, ip, now)
    );
    prop_assert_eq!(store.first_ever_here(organization, ip).unwrap(), model.first_ever(organization, ip));
    Ok(())
}

/// One IP, contacted once an hour by another device each time, asked about over 1 to 720 hours, at once.
fn every_look_back_is_exact(store: &Arc<Store>) {
    let (organization, mut model, mut batch) = (new_organization(), Model::default(), Batch::new());
    let ip: CanonicalIp = "2001:db8::443".parse().unwrap();
    let now: Timestamp = "2018-03-25T01:59:31Z".parse().unwrap();
    for hour in 0..=720 {
        // Around the start of a window: a second before, at it, a second after.
        let at = now.floor_to_minute().plus_seconds(-3600 * hour + hour % 3 - 1);
        batch.push(&format!("device-{}", hour % 500), ip, at).unwrap();
    }
    store.record_here(organization, &batch, now).unwrap();
    model.record(organization, &batch, now);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut answers = tokio::task::JoinSet::new();
        for look_back in look_backs() {
            let (store, window) = (Arc::clone(store), Window::ending_at(now, look_back));
            answers.spawn(async move {
                loop {
                    match store.statistics(organization, ip, window).await {
                        // An organization may not have every place in the queue.
                        Err(StoreError::Busy { .. }) => tokio::task::yield_now().await,
                        answer => return (window, answer.unwrap()),
                    }
                }
            });
        }
        let mut asked = 0;
        while let Some(answer) = answers.join_next().await {
            let (window, answer) = answer.unwrap();
            assert_eq!(answer, model.statistics(organization, ip, window), "{window:?}");
            asked += 1;
        }
        assert_eq!(asked, 720);
    });
}

fn checkpoints_are_kept(store: &Store) {
    let (ours, theirs) = (new_organization(), new_organization());
    let kept = |organization| {
        let mut kept = store.checkpoints_here(organization).unwrap();
        kept.sort();
        kept
    };
    assert_eq!(kept(ours), []);
    let position = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    store.set_checkpoints_here(ours, &[("logs/a'\\\n", Some(b"\0\xff'")), ("logs/b", Some(b"1"))]).unwrap();
    assert_eq!(kept(ours), [position("logs/a'\\\n", b"\0\xff'"), position("logs/b", b"1")]);
    for number in 2..9_u8 {
        store.set_checkpoints_here(ours, &[("logs/b", Some(&[number]))]).unwrap();
    }
    store.set_checkpoints_here(ours, &[("logs/a'\\\n", None), ("logs/c", Some(b""))]).unwrap();
    assert_eq!(kept(ours), [position("logs/b", &[8]), position("logs/c", b"")]);
    assert_eq!(kept(theirs), []);
}

fn senders_at_the_same_time_lose_nothing(store: &Arc<Store>) {
    let organization = new_organization();
    let ip: CanonicalIp = "198.51.100.9".parse().unwrap();
    let now: Timestamp = "2018-06-01T12:00:00Z".parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let recorded = runtime.block_on(async {
        let mut loads = tokio::task::JoinSet::new();
        for sender in 0..40 {
            let store = Arc::clone(store);
            loads.spawn(async move {
                loop {
                    let work = move |store: &Store| send(store, organization, sender, ip, now);
                    match store.load(organization, work).await {
                        Err(StoreError::Busy { .. }) => {
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        }
                        done => return done.unwrap(),
                    }
                }
            });
        }
        loads.join_all().await.into_iter().sum::<u64>()
    });
    assert_eq!(recorded, 40 * 5);
    let answer = store.statistics_here(organization, ip, Window::ending_at(now, LookBack::MAX)).unwrap();
    let seen = ipstats_model::IpStatistics::Seen {
        prevalence: 200,
        first_seen: now.plus_seconds(-39),
        last_seen: now,
    };
    assert_eq!(answer, seen);
}

/// Five small batches, one after the other, each by another device.
fn send(store: &Store, organization: Organization, sender: i64, ip: CanonicalIp, now: Timestamp) -> u64 {
    let batches = (0..5).map(|number| {
        let mut batch = Batch::new();
        batch.push(&format!("sender-{sender}-{number}"), ip, now.plus_seconds(-sender)).unwrap();
        store.record_here(organization, &batch, now).unwrap().counted
    });
    batches.sum()
}

fn new_organization() -> Organization {
    Organization::from_bytes(*Uuid::new_v4().as_bytes())
}
