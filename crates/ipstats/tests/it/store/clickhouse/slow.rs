//! A server that is slow, hangs or breaks off: calls end in time, nothing that was acknowledged is lost, and all of it works
//! again by itself.

use super::failures::{await_prevalence, ip, now, prevalence, send_until_taken};
use super::gate::{DELAY, Gate, Passage};
use super::server::Server;
use super::{access, config};
use crate::peer;
use crate::service::{Service, send};
use crate::site::{Site, status};
use crate::store::new_organization;
use ipstats::clock::Clock;
use ipstats::store::{Health, Store, init};
use ipstats_model::{Batch, Organization};
use std::thread;
use std::time::{Duration, Instant};

/// What `[store]` says.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Longest time until a look has told what is the matter.
const KNOWN_MAX: Duration = Duration::from_mins(5);

/// Many senders with much to say: together more than may wait.
const SENDERS: u32 = 24;
const ROWS_OF_A_SENDER: u32 = 45_000;

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn a_server_that_hangs_keeps_nobody_waiting_and_costs_no_record() {
    peer::place("clickhouse");
    let (server, gate, store) = start();
    let organization = new_organization();
    send_until_taken(&store, organization, "before", &[ip(1)]);
    looking_after(&store, || {
        every_sender_and_asker_is_told_in_time(&store, &gate, organization);
        nothing_is_tried_that_cannot_be_done(&store, &gate, organization);
        gate.set(Passage::Open);
        until(|| matches!(store.health(), Ok(Health::Accepting)));
        send_until_taken(&store, organization, "after", &[ip(1)]);
        assert_eq!(await_prevalence(&store, organization, ip(1)), 2);

        answers_that_break_off_are_no_answers(&store, &gate, organization);
        slow_answers_are_right_and_batches_wait_together(&store, &gate, organization);
    });
    store.close_here().unwrap();
    drop(server);
}

fn start() -> (Server, Gate, Store) {
    let server = Server::start();
    let gate = Gate::new(&server.url());
    let (config, _folder) = config(&format!("urls = ['{}']\ntimeout = '{} s'", gate.url, TIMEOUT.as_secs()));
    init(access(&config)).unwrap();
    let store = Store::open(&config, &Clock::System).unwrap();
    (server, gate, store)
}

/// Does `work` while the store looks after itself, as in a service.
fn looking_after(store: &Store, work: impl FnOnce()) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stop = tokio::sync::Notify::new();
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            runtime.block_on(async {
                tokio::select! {
                    () = store.maintain(Clock::Pinned(now())) => {}
                    () = stop.notified() => {}
                }
            });
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.notify_one();
        looking.join().unwrap();
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// From the moment in which the server begins to hang. It hangs until all of them have returned, so only a time limit of the
/// store ends them.
fn every_sender_and_asker_is_told_in_time(store: &Store, gate: &Gate, organization: Organization) {
    // What was not acknowledged may arrive later all the same.
    let other = new_organization();
    // Made before: that takes longer than to find out that the server hangs.
    let batches: Vec<_> = (0..SENDERS).map(large).collect();
    let statements = gate.statement_count();
    gate.set(Passage::Shut);
    thread::scope(|scope| {
        for batch in &batches {
            scope.spawn(move || store.record_here(other, batch, now()).unwrap_err());
        }
        for _ in 0..8 {
            scope.spawn(|| prevalence(store, organization, ip(1)).unwrap_err());
        }
    });
    assert!(gate.statement_count() > statements, "the gate does not count");
}

fn nothing_is_tried_that_cannot_be_done(store: &Store, gate: &Gate, organization: Organization) {
    until(|| matches!(store.health(), Ok(Health::Failed(_))));
    let statements = gate.statement_count();
    for _ in 0..10 {
        let refused = prevalence(store, organization, ip(1)).unwrap_err();
        assert!(refused.contains("does not answer in time"), "{refused}");
        let mut batch = Batch::new();
        batch.push("meanwhile", ip(1), now()).unwrap();
        store.record_here(organization, &batch, now()).unwrap_err();
    }
    assert_eq!(gate.statement_count(), statements, "the server is not asked");
}

fn answers_that_break_off_are_no_answers(store: &Store, gate: &Gate, organization: Organization) {
    gate.set(Passage::Half);
    for _ in 0..20 {
        prevalence(store, organization, ip(1)).unwrap_err();
    }
    let mut batch = Batch::new();
    batch.push("half", ip(1), now()).unwrap();
    // It arrived, and nobody heard so.
    assert!(store.record_here(organization, &batch, now()).is_err());
    gate.set(Passage::Open);
    send_until_taken(store, organization, "half", &[ip(1)]);
    assert_eq!(await_prevalence(store, organization, ip(1)), 3);
}

fn slow_answers_are_right_and_batches_wait_together(store: &Store, gate: &Gate, organization: Organization) {
    const BATCHES: u32 = 60;
    until(|| matches!(store.health(), Ok(Health::Accepting)));
    gate.set(Passage::Slow);
    let inserts = inserts(store);
    thread::scope(|scope| {
        for number in 0..BATCHES {
            scope.spawn(move || send_until_taken(store, organization, &format!("slow-{number}"), &[ip(2)]));
        }
    });
    let begun = Instant::now();
    assert_eq!(await_prevalence(store, organization, ip(2)), u64::from(BATCHES));
    assert!(begun.elapsed() >= DELAY, "the gate does not delay");
    let inserts = self::inserts(store) - inserts;
    assert!(inserts < u64::from(BATCHES), "{inserts} inserts for {BATCHES} batches");
    gate.set(Passage::Open);
}

fn inserts(store: &Store) -> u64 {
    let figures = tokio::runtime::Runtime::new().unwrap().block_on(store.figures()).unwrap();
    figures.iter().find(|figure| figure.name == "store_inserts").unwrap().value
}

/// Over HTTP: who asks and who sends is told when to come again, whatever is the matter.
#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn a_service_whose_server_hangs_says_when_to_come_again() {
    peer::place("clickhouse");
    let (server, gate, store) = start();
    store.close_here().unwrap();
    let site = Site::new();
    let mut command = site.serving();
    command.env("IPSTATS_STORE_BACKEND", "clickhouse").env("IPSTATS_STORE_URLS", &gate.url);
    command.env("IPSTATS_STORE_TIMEOUT", format!("{} s", TIMEOUT.as_secs()));
    command.env("IPSTATS_LOG_LEVEL", "warn").env("IPSTATS_RATE_LIMITS", "off");
    let service = Service::start(command);
    let ask = || service.get("/api/ips/198.51.100.1/stats", site.token()).0;
    let line = "{\"device\":\"laptop\",\"ip\":\"198.51.100.1\",\"time\":\"2017-08-29T13:00:00Z\"}\n";
    let upload = || {
        let (key, length) = (site.key(), line.len());
        let request = format!(
            "POST /api/ingest/ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{line}"
        );
        send(&service.address, &request).unwrap().0
    };
    until(|| (status(&upload()), status(&ask())) == (200, 200));
    gate.set(Passage::Shut);
    for answer in [ask(), upload()] {
        assert_eq!(status(&answer), 503, "{answer}");
        assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
    }
    until(|| status(&service.send("GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").0) == 503);
    let statements = gate.statement_count();
    assert_eq!((status(&ask()), status(&upload())), (503, 503));
    assert_eq!(gate.statement_count(), statements, "the server is not asked");
    gate.set(Passage::Open);
    until(|| status(&upload()) == 200 && status(&ask()) == 200);
    service.stop();
    drop(server);
}

/// A batch of some megabytes.
fn large(sender: u32) -> Batch {
    let mut batch = Batch::new();
    for number in 0..ROWS_OF_A_SENDER {
        let device = format!("device-of-{sender}-number-{number}");
        batch.push(&device, ip(number % 250), now()).unwrap();
    }
    batch
}

fn until(happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < KNOWN_MAX, "it does not happen");
        thread::sleep(Duration::from_millis(50));
    }
}
