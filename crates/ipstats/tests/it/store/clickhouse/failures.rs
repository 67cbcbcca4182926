//! What happens to records and answers while parts of a cluster are away.

use super::cluster::{Cluster, TIMEOUT_SECONDS};
use super::gate::Passage;
use super::server::Server;
use super::{config, query};
use crate::store::new_organization;
use ipstats::clock::Clock;
use ipstats::store::{Store, StoreError};
use ipstats_model::{Batch, CanonicalIp, IpStatistics, LookBack, Organization, Timestamp, Window};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SECONDS_AWAY: u64 = 4;

/// Longest time after which everything works again.
const RECOVERY_SECONDS_MAX: u64 = 300;

pub(super) fn now() -> Timestamp {
    "2018-06-01T12:00:00Z".parse().unwrap()
}

pub(super) fn ip(number: u32) -> CanonicalIp {
    format!("198.51.100.{number}").parse().unwrap()
}

/// One replica is killed and comes back, while records come in and questions are asked all the time.
pub(super) fn a_replica_that_is_killed_costs_no_record_and_no_answer(cluster: &mut Cluster, store: &Store) {
    let (organization, is_over, sent) = (new_organization(), AtomicBool::new(false), AtomicU32::new(0));
    let known = new_organization();
    send_until_taken(store, known, "known", &[ip(1), ip(2), ip(3), ip(4)]);
    let asked = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let number = sent.load(Ordering::Relaxed);
                send_until_taken(store, organization, &format!("device-{number}"), &[ip(number % 20)]);
                sent.store(number + 1, Ordering::Relaxed);
            }
        });
        let asker = scope.spawn(|| {
            let mut asked = 0;
            while !is_over.load(Ordering::Relaxed) {
                for number in 1..5 {
                    assert_eq!(prevalence(store, known, ip(number)).unwrap(), 1, "after {asked} answers");
                    asked += 1;
                }
            }
            asked
        });
        until_more_are_sent(&sent);
        cluster.servers[0].kill();
        thread::sleep(Duration::from_secs(SECONDS_AWAY));
        cluster.servers[0].begin();
        until_more_are_sent(&sent);
        is_over.store(true, Ordering::Relaxed);
        asker.join().unwrap()
    });
    let sent = sent.into_inner();
    assert!(asked > 20, "{asked} asked");
    let mut expected = BTreeMap::<u32, u64>::new();
    (0..sent).for_each(|number| *expected.entry(number % 20).or_default() += 1);
    for (number, devices) in expected {
        assert_eq!(prevalence(store, organization, ip(number)).unwrap(), devices, "of {}", ip(number));
    }
}

/// Waits until ten more batches were taken.
fn until_more_are_sent(sent: &AtomicU32) {
    let (begun, before) = (Instant::now(), sent.load(Ordering::Relaxed));
    while sent.load(Ordering::Relaxed) < before + 10 {
        assert!(begun.elapsed() < Duration::from_secs(RECOVERY_SECONDS_MAX), "nothing is taken any more");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A shard is killed: nothing is answered about its IPs, and everything about the others before the timeout.
pub(super) fn a_shard_that_is_away_costs_only_its_own_answers(cluster: &mut Cluster, store: &Store) {
    let organization = new_organization();
    let ips: Vec<_> = (0..40).map(ip).collect();
    send_until_taken(store, organization, "device", &ips);
    cluster.servers[2].kill();
    cluster.servers[3].kill();
    let answers: Vec<_> = ips.iter().map(|ip| prevalence(store, organization, *ip)).collect();
    let answered = answers.iter().filter(|answer| matches!(answer, Ok(1))).count();
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(answered + refused, 40, "no answer is wrong: {answers:?}");
    assert!((10..30).contains(&answered), "about half: {answers:?}");
    let mut batch = Batch::new();
    ips.iter().for_each(|ip| batch.push("other", *ip, now()).unwrap());
    assert!(store.record_here(organization, &batch, now()).is_err(), "nothing is acknowledged meanwhile");
    cluster.servers[2].begin();
    cluster.servers[3].begin();
    send_until_taken(store, organization, "other", &ips);
    for ip in ips {
        assert_eq!(prevalence(store, organization, ip).unwrap(), 2, "of {ip}");
    }
}

/// One replica hangs, as a machine without memory does: questions go on, and nothing is acknowledged that only one replica has.
pub(super) fn a_replica_that_hangs_costs_no_record_and_no_answer(cluster: &Cluster, store: &Store) {
    let (organization, ips) = (new_organization(), (0..20).map(ip).collect::<Vec<_>>());
    send_until_taken(store, organization, "known", &ips);
    cluster.servers[1].signal("STOP");
    // The replica hangs until the end of the test: each answer is the other's, in time for the timeout.
    for ip in &ips {
        assert_eq!(prevalence(store, organization, *ip), Ok(1), "of {ip}");
    }
    let mut batch = Batch::new();
    ips.iter().for_each(|ip| batch.push("unheard", *ip, now()).unwrap());
    // Only a timeout ends this: the replica does not answer, and its connections stay open.
    assert!(store.record_here(organization, &batch, now()).is_err(), "the quorum cannot be met");
    cluster.servers[1].signal("CONT");
    send_until_taken(store, organization, "after", &ips);
    for ip in ips {
        // What was not acknowledged may be there or not.
        assert!(matches!(prevalence(store, organization, ip), Ok(2 | 3)), "of {ip}");
    }
}

/// Without the keeper nothing can be written, and all can be read.
pub(super) fn a_keeper_that_is_away_costs_no_record_and_no_answer(cluster: &mut Cluster, store: &Store) {
    let (organization, ips) = (new_organization(), (0..20).map(ip).collect::<Vec<_>>());
    send_until_taken(store, organization, "known", &ips);
    cluster.keeper.kill();
    // Sessions outlive it for some seconds.
    thread::sleep(Duration::from_secs(SECONDS_AWAY));
    let mut batch = Batch::new();
    ips.iter().for_each(|ip| batch.push("after", *ip, now()).unwrap());
    // The keeper returns only after this, so the refusal is proof of a time limit.
    let refused = store.record_here(organization, &batch, now()).unwrap_err();
    assert!(matches!(refused, StoreError::Write(_)), "{refused}");
    for ip in &ips {
        assert_eq!(prevalence(store, organization, *ip), Ok(1), "of {ip}");
    }
    cluster.keeper.begin();
    send_until_taken(store, organization, "after", &ips);
    for ip in ips {
        assert_eq!(prevalence(store, organization, ip), Ok(2), "of {ip}");
    }
}

/// One replica and the keeper do not reach each other.
pub(super) fn a_replica_without_the_keeper_takes_nothing_and_catches_up(cluster: &Cluster, store: &Store) {
    let alone = cluster.servers[1].url();
    let cut = || {
        cluster.keeper_gate.set(Passage::Shut);
        let is_alone = || query(&alone, "SELECT max(is_readonly) FROM system.replicas").trim() == "1";
        until(is_alone);
    };
    one_replica_is_enough(cluster, store, cut, || cluster.keeper_gate.set(Passage::Open));
}

/// The disk of one replica has no room.
#[cfg(target_os = "linux")]
pub(super) fn a_replica_whose_disk_is_full_takes_nothing_and_catches_up(cluster: &Cluster, store: &Store) {
    use crate::faults::Disk;
    let faults = &cluster.faults;
    one_replica_is_enough(cluster, store, || faults.set(Disk::Fills(0)), || faults.set(Disk::Works));
}

/// Does harm to a replica, and heals it: meanwhile nothing is acknowledged that two must have and everything that one must have,
/// and afterwards each of them has it.
fn one_replica_is_enough(cluster: &Cluster, store: &Store, harm: impl FnOnce(), heal: impl FnOnce()) {
    let (organization, ips) = (new_organization(), (0..20).map(ip).collect::<Vec<_>>());
    send_until_taken(store, organization, "known", &ips);
    let open = |store: &str| {
        let (config, _folder) = config(store);
        Store::open(&config, &Clock::System).unwrap()
    };
    let of_one = open(&format!("{}\ninsert_quorum = '1'", cluster.store()));
    let of_two = open(&cluster.store().replace(&format!("{TIMEOUT_SECONDS} s"), "4 s"));
    let record = |store: &Store, device: &str| {
        let mut batch = Batch::new();
        ips.iter().for_each(|ip| batch.push(device, *ip, now()).unwrap());
        store.record_here(organization, &batch, now())
    };
    harm();
    record(&of_two, "unheard").unwrap_err();
    for number in 0..10 {
        record(&of_one, &format!("device-{number}")).unwrap();
    }
    // One of the two may lack the newest.
    let devices = |times: u32| {
        let each =
            ips.iter().flat_map(|ip| (0..times).map(|_| prevalence(store, organization, *ip).unwrap()));
        each.min().unwrap()
    };
    assert!(devices(1) >= 1);
    heal();
    // What was not acknowledged may be there or not; replicas take turns.
    until(|| devices(4) >= 11);
    send_until_taken(store, organization, "after", &ips);
    assert!((12..=13).contains(&devices(4)));
    of_one.close_here().unwrap();
    of_two.close_here().unwrap();
}

fn until(happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(RECOVERY_SECONDS_MAX), "it does not happen");
        thread::sleep(Duration::from_millis(100));
    }
}

/// All servers and the keeper, as when a room loses power (what they acknowledged was written to their disks).
pub(super) fn a_cluster_that_is_started_again_has_everything(cluster: &mut Cluster, store: &Store) {
    let (organization, ips) = (new_organization(), (0..20).map(ip).collect::<Vec<_>>());
    send_until_taken(store, organization, "known", &ips);
    cluster.servers.iter_mut().for_each(Server::kill);
    cluster.keeper.kill();
    assert!(prevalence(store, organization, ip(1)).is_err());
    cluster.keeper.begin();
    cluster.servers.iter_mut().for_each(Server::begin);
    send_until_taken(store, organization, "after", &ips);
    for ip in ips {
        assert_eq!(prevalence(store, organization, ip), Ok(2), "of {ip}");
    }
}

/// As a shipper does: again until it is taken.
pub(super) fn send_until_taken(store: &Store, organization: Organization, device: &str, ips: &[CanonicalIp]) {
    let mut batch = Batch::new();
    ips.iter().for_each(|ip| batch.push(device, *ip, now()).unwrap());
    let begun = Instant::now();
    while let Err(error) = store.record_here(organization, &batch, now()) {
        assert!(begun.elapsed() < Duration::from_secs(RECOVERY_SECONDS_MAX), "{error}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The devices that the store knows of an IP, asked again while it does not answer in time.
pub(super) fn await_prevalence(store: &Store, organization: Organization, ip: CanonicalIp) -> u64 {
    let begun = Instant::now();
    loop {
        match prevalence(store, organization, ip) {
            Ok(devices) => return devices,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(RECOVERY_SECONDS_MAX), "{error}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

pub(super) fn prevalence(store: &Store, organization: Organization, ip: CanonicalIp) -> Result<u64, String> {
    let window = Window::ending_at(now(), LookBack::MAX);
    let answer = store.statistics_here(organization, ip, window).map_err(|error| error.to_string())?;
    Ok(match answer {
        IpStatistics::Seen { prevalence, .. } => prevalence,
        IpStatistics::NotInWindow | IpStatistics::Unknown => 0,
    })
}
