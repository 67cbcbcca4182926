//! SIGKILL of a service at any moment, while logs are sent in: what was acknowledged is there after every restart, and
//! sending everything again answers as one clean import does.

use crate::cli::model::{Answer, Connection, Model};
use crate::service::Service;
use crate::site::{NOW, Site, expected, log};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const ROUNDS: u64 = 15;
const SENDERS: usize = 3;
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
    acknowledged: Mutex<BTreeSet<u32>>,
}

impl Sent {
    fn send_until_it_fails(&self, site: &Site, address: &str) {
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let batch = batches(number..=number);
            // In one protocol as in the other.
            let sent = if number.is_multiple_of(2) {
                site.ingest(address, &batch)
            } else {
                site.ingest_bulk(address, &batch)
            };
            match sent {
                Ok((200, _)) => self.acknowledged.lock().unwrap().insert(number),
                _ => return,
            };
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
fn scattered(round: u64, limit: u64) -> Duration {
    Duration::from_millis((round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % limit)
}

/// Ends the service while it takes in logs: at once, or while it writes everything into tiles because it was told to stop.
fn kill(service: &Service, round: u64) {
    thread::sleep(Duration::from_millis(20) + scattered(round, 400));
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
            kill(&service, round);
        });
        drop(service);
        sent.check(&site);
    }
    let acknowledged = sent.acknowledged.lock().unwrap().len();
    assert!(acknowledged >= 50, "only {acknowledged} batches were acknowledged");

    let all = batches(0..sent.count());
    let service = site.serve();
    let (status, body) = site.ingest(&service.address, &all).unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!(service.stop().status.code(), Some(0));
    let clean = Site::new();
    let file = clean.place.file("log", log(&all));
    assert_eq!(clean.import(&file).code, Some(0));
    let ips: Vec<_> = (0..sent.count()).map(own_ip).chain([SHARED]).collect();
    assert_eq!(site.stored(&ips), clean.stored(&ips));
    assert_eq!(site.stored(&ips), expected(&all, &ips));
}
