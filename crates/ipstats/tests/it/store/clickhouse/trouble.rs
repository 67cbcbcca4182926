//! A server that answers, and cannot take more: merges that do not keep up, a disk without room.

use super::failures::{ip, now, prevalence, send_until_taken};
use super::server::Server;
use super::{access, config, query};
use crate::peer;
use crate::store::new_organization;
use ipstats::clock::Clock;
use ipstats::store::{Store, StoreError, init};
use ipstats_model::{Batch, Organization};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What `[store]` says.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Longest time that a call takes which ends at its timeout, on a busy machine.
const END_MAX: Duration = Duration::from_secs(6);

/// Parts of a day that a server takes.
const PARTS_MAX: u64 = 6;

fn open(server: &Server) -> (Store, TempDir) {
    let store = format!("urls = ['{}']\ntimeout = '{} s'", server.url(), TIMEOUT.as_secs());
    let (config, folder) = config(&store);
    init(access(&config)).unwrap();
    (Store::open(&config, &Clock::System).unwrap(), folder)
}

fn record(store: &Store, organization: Organization, device: &str) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.push(device, ip(1), now()).unwrap();
    store.record_here(organization, &batch, now()).map(drop)
}

/// Refused before anybody's patience ends; what is said.
fn refused(store: &Store, organization: Organization, device: &str) -> String {
    let begun = Instant::now();
    let refused = record(store, organization, device).unwrap_err();
    assert!(begun.elapsed() < END_MAX, "{refused} after {:?}", begun.elapsed());
    assert!(matches!(refused, StoreError::Write(_)), "{refused}");
    refused.to_string()
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn too_many_parts_cost_no_record_and_no_answer() {
    peer::place("clickhouse");
    // Merges never begin by themselves.
    let server = Server::start_alone(&format!(
        "<merge_tree><parts_to_delay_insert>{PARTS_MAX}</parts_to_delay_insert>
        <parts_to_throw_insert>{PARTS_MAX}</parts_to_throw_insert>
        <max_bytes_to_merge_at_max_space_in_pool>1</max_bytes_to_merge_at_max_space_in_pool>
        <max_bytes_to_merge_at_min_space_in_pool>1</max_bytes_to_merge_at_min_space_in_pool></merge_tree>"
    ));
    let (store, _folder) = open(&server);
    let organization = new_organization();
    for number in 0..PARTS_MAX {
        record(&store, organization, &format!("device-{number}")).unwrap();
    }
    let begun = Instant::now();
    let told = refused(&store, organization, "refused");
    assert!(told.contains("Too many parts") && told.contains(&server.url()), "{told}");
    assert!(begun.elapsed() > TIMEOUT / 2, "it is tried again: {:?}", begun.elapsed());
    assert_eq!(prevalence(&store, organization, ip(1)), Ok(PARTS_MAX));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| record(&store, organization, "waits"));
        thread::sleep(TIMEOUT / 4);
        merge(&server);
        waiting.join().unwrap().unwrap();
    });
    record(&store, organization, "refused").unwrap();
    assert_eq!(prevalence(&store, organization, ip(1)), Ok(PARTS_MAX + 2));
    store.close_here().unwrap();
}

/// What a server does by itself when it has time.
fn merge(server: &Server) {
    for table in ["contacts", "minutes", "first_contacts"] {
        query(&server.url(), &format!("OPTIMIZE TABLE ipstats.{table} FINAL"));
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn a_full_disk_costs_no_record_and_no_answer() {
    use super::server::{Ports, free_ports};
    use crate::faults::{Disk, Faults};

    peer::place("clickhouse");
    let faults = Faults::new();
    let [http, tcp, interserver] = free_ports();
    let mut server = Server::start_under(&faults, &Ports { http, tcp, interserver }, "");
    let (store, _folder) = open(&server);
    let organization = new_organization();
    send_until_taken(&store, organization, "before", &[ip(1)]);
    let mut known = 1;
    // At once, and in the middle of a table.
    for room in [0, 200, 1000] {
        faults.set(Disk::Fills(room));
        let told = refused(&store, organization, &format!("device-{room}"));
        assert!(told.contains("No space left") && told.contains(&server.url()), "{told}");
        let devices = prevalence(&store, organization, ip(1)).unwrap();
        assert!((known..=known + 1).contains(&devices), "{devices} of {known}");
        faults.set(Disk::Works);
        send_until_taken(&store, organization, &format!("device-{room}"), &[ip(1)]);
        known += 1;
        assert_eq!(prevalence(&store, organization, ip(1)), Ok(known), "with room for {room}");
    }
    faults.set(Disk::Fills(0));
    refused(&store, organization, "unheard");
    server.kill();
    faults.set(Disk::Works);
    server.begin();
    send_until_taken(&store, organization, "after", &[ip(1)]);
    let devices = prevalence(&store, organization, ip(1)).unwrap();
    assert!((known + 1..=known + 2).contains(&devices), "{devices} of {known}");
    store.close_here().unwrap();
}
