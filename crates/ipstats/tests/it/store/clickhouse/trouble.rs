//! A server that answers, and cannot take more: merges that do not keep up, a disk without room.

use super::failures::{await_prevalence, ip, now, send_until_taken};
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

/// The timeout of calls that are refused.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The timeout of calls that succeed, on a busy machine too.
const SUCCESS_TIMEOUT: Duration = Duration::from_mins(3);

/// Calls until the server has refused one in time, on a busy machine.
const CALLS_MAX: usize = 20;

/// Parts of a day that a server takes.
const PARTS_MAX: u64 = 6;

fn open(server: &Server, timeout: Duration) -> (Store, TempDir) {
    let store = format!("urls = ['{}']\ntimeout = '{} s'", server.url(), timeout.as_secs());
    let (config, folder) = config(&store);
    init(access(&config)).unwrap();
    (Store::open(&config, &Clock::System).unwrap(), folder)
}

fn record(store: &Store, organization: Organization, device: &str) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.push(device, ip(1), now()).unwrap();
    store.record_here(organization, &batch, now()).map(drop)
}

/// Checks that the server at `url` refuses the record for `reason`. A busy server refuses it without one, because it does not
/// answer in time.
fn assert_refused(store: &Store, organization: Organization, device: &str, [reason, url]: [&str; 2]) {
    let mut errors = Vec::new();
    let is_refused = (0..CALLS_MAX).any(|_| {
        let refused = record(store, organization, device).unwrap_err();
        assert!(matches!(refused, StoreError::Write(_)), "{refused}");
        errors.push(refused.to_string());
        errors.iter().any(|error| error.contains(reason) && error.contains(url))
    });
    assert!(is_refused, "{errors:?}");
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
    let (store, _folder) = open(&server, TIMEOUT);
    let (patient, _folder) = open(&server, SUCCESS_TIMEOUT);
    let organization = new_organization();
    for number in 0..PARTS_MAX {
        record(&patient, organization, &format!("device-{number}")).unwrap();
    }
    let begun = Instant::now();
    assert_refused(&store, organization, "refused", ["Too many parts", &server.url()]);
    assert!(begun.elapsed() > TIMEOUT / 2, "it is tried again: {:?}", begun.elapsed());
    assert_eq!(await_prevalence(&store, organization, ip(1)), PARTS_MAX);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| record(&patient, organization, "waits"));
        thread::sleep(TIMEOUT / 4);
        merge(&server);
        waiting.join().unwrap().unwrap();
    });
    record(&patient, organization, "refused").unwrap();
    assert_eq!(await_prevalence(&store, organization, ip(1)), PARTS_MAX + 2);
    store.close_here().unwrap();
    patient.close_here().unwrap();
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
    let (store, _folder) = open(&server, TIMEOUT);
    let organization = new_organization();
    send_until_taken(&store, organization, "before", &[ip(1)]);
    let mut known = 1;
    // At once, and in the middle of a table.
    for room in [0, 200, 1000] {
        faults.set(Disk::Fills(room));
        assert_refused(&store, organization, &format!("device-{room}"), ["No space left", &server.url()]);
        let devices = await_prevalence(&store, organization, ip(1));
        assert!((known..=known + 1).contains(&devices), "{devices} of {known}");
        faults.set(Disk::Works);
        send_until_taken(&store, organization, &format!("device-{room}"), &[ip(1)]);
        known += 1;
        assert_eq!(await_prevalence(&store, organization, ip(1)), known, "with room for {room}");
    }
    faults.set(Disk::Fills(0));
    record(&store, organization, "unheard").unwrap_err();
    server.kill();
    faults.set(Disk::Works);
    server.begin();
    send_until_taken(&store, organization, "after", &[ip(1)]);
    let devices = await_prevalence(&store, organization, ip(1));
    assert!((known + 1..=known + 2).contains(&devices), "{devices} of {known}");
    store.close_here().unwrap();
}
