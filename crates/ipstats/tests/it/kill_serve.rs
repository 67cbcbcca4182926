//! SIGKILL of a service at any moment, while logs are sent in over every protocol by senders that try again: what was
//! acknowledged is there after every restart, and in the end the answers are those of one clean import.

use crate::cli::model::{Answer, Connection, Model};
use crate::service::{STATE_TIME_MAX, Service};
use crate::site::{NOW, Protocol, Site, expected, log};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 15;
const SENDERS: usize = 3;
/// Batches until the last kill: enough for each protocol.
const BATCHES_MIN: u32 = 120;
const BATCHES_OF_PROTOCOL_MIN: usize = BATCHES_MIN as usize / Protocol::ALL.len();
/// An IP that every batch has connections to.
const SHARED: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// The IP that only this batch has connections to: whether the batch is there, and whole, is seen from its answer.
fn own_ip(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + number).into()
}

fn connections(number: u32) -> impl Iterator<Item = Connection> {
    (0..20).flat_map(move |n| {
        let at = NOW - i64::from(number * 7919 % 2_500_000) - n;
        let device = format!("host-{}-{}", number % 50, n);
        [(device.clone(), own_ip(number), at), (device, SHARED, at)]
    })
}

fn batches(numbers: impl Iterator<Item = u32>) -> Model {
    Model { connections: numbers.flat_map(connections).collect() }
}

/// What the senders did so far.
#[derive(Default)]
struct Sent {
    next: AtomicU32,
    /// Batches that were sent and not acknowledged, to be sent again.
    pending: Mutex<Vec<u32>>,
    acknowledged: Mutex<BTreeSet<u32>>,
}

impl Sent {
    /// Sends batches, first those to be sent again, until one fails.
    fn send_until_it_fails(&self, site: &Site, address: &str) {
        loop {
            let again = self.pending.lock().unwrap().pop();
            let number = again.unwrap_or_else(|| self.next.fetch_add(1, Ordering::SeqCst));
            if !self.send(number, site, address) {
                return self.pending.lock().unwrap().push(number);
            }
        }
    }

    /// Sends what is to be sent again; nothing fails any more.
    fn send_the_rest(&self, site: &Site, address: &str) {
        for number in std::mem::take(&mut *self.pending.lock().unwrap()) {
            assert!(self.send(number, site, address), "batch {number}");
        }
    }

    /// Sends a batch in the protocol that it always goes in; whether it was acknowledged.
    fn send(&self, number: u32, site: &Site, address: &str) -> bool {
        let protocol = Protocol::ALL[number as usize % Protocol::ALL.len()];
        match site.ingest_in(protocol, address, &batches(number..=number)) {
            Ok((200, answer)) => {
                assert!(protocol.is_success(&answer), "{protocol:?}: {answer}");
                self.acknowledged.lock().unwrap().insert(number);
                true
            }
            _ => false,
        }
    }

    /// Waits until senders have begun `count` batches. The test fails at its end where they never do.
    fn wait_until_sent(&self, count: u32) {
        let started = Instant::now();
        while self.count() < count && started.elapsed() < STATE_TIME_MAX {
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn count(&self) -> u32 {
        self.next.load(Ordering::SeqCst)
    }

    /// All that was acknowledged is there; the rest is there or not, but nothing by half.
    fn check(&self, site: &Site) {
        let acknowledged = self.acknowledged.lock().unwrap();
        let ips: Vec<_> = (0..self.count()).map(own_ip).collect();
        let all = expected(&batches(0..self.count()), &ips);
        for ((told, whole), number) in site.stored(&ips).iter().zip(&all).zip(0..) {
            let may_be_missing = !acknowledged.contains(&number) && *told == Answer::NotFound;
            assert!(told == whole || may_be_missing, "batch {number}: {told:?}, not {whole:?}");
        }
    }
}

/// Milliseconds below `limit`, scattered, the same in every run.
fn scattered(round: u32, limit: u64) -> Duration {
    Duration::from_millis((u64::from(round).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % limit)
}

/// Kills the service while it takes in logs: soon after its start, after it has acknowledged some more, or while it writes
/// everything into tiles because it is to stop.
fn kill(service: &Service, sent: &Sent, round: u32) {
    if !round.is_multiple_of(3) {
        sent.wait_until_sent(BATCHES_MIN * (round + 1) / (ROUNDS - 1));
    }
    thread::sleep(scattered(round, 200));
    if round % 3 == 2 {
        service.signal("TERM");
        thread::sleep(scattered(round, 40));
    }
    service.signal("KILL");
}

#[test]
fn what_a_service_acknowledged_survives_its_kill() {
    let (site, sent) = (Site::new(), Sent::default());
    for round in 0..ROUNDS {
        let service = site.serve();
        thread::scope(|scope| {
            for _ in 0..SENDERS {
                scope.spawn(|| sent.send_until_it_fails(&site, &service.address));
            }
            kill(&service, &sent, round);
        });
        drop(service);
        sent.check(&site);
    }
    let service = site.serve();
    sent.send_the_rest(&site, &service.address);
    assert_eq!(service.stop().status.code(), Some(0));
    let acknowledged = sent.acknowledged.lock().unwrap();
    assert_eq!(acknowledged.len(), sent.count() as usize);
    for (rest, protocol) in Protocol::ALL.iter().enumerate() {
        let batches =
            acknowledged.iter().filter(|number| **number as usize % Protocol::ALL.len() == rest).count();
        assert!(batches >= BATCHES_OF_PROTOCOL_MIN, "only {batches} batches were sent in {protocol:?}");
    }

    let all = batches(0..sent.count());
    let clean = Site::new();
    let file = clean.place.file("log", log(&all));
    assert_eq!(clean.import(&file).code, Some(0));
    let ips: Vec<_> = (0..sent.count()).map(own_ip).chain([SHARED]).collect();
    assert_eq!(site.stored(&ips), clean.stored(&ips));
    assert_eq!(site.stored(&ips), expected(&all, &ips));
}
