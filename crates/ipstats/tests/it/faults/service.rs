//! `serve` on a disk that fails.

use super::{Disk, Faults};
use crate::cli::model::Model;
use crate::service::{self, Service};
use crate::site::{NOW, Site, expected, status};
use std::net::{IpAddr, Ipv4Addr};

fn ips() -> Vec<IpAddr> {
    (0..4).map(|last| Ipv4Addr::new(198, 51, 100, last).into()).collect()
}

/// Connections that change the answer about every IP, whatever was there before.
fn batch(number: i64, connections: i64) -> Model {
    let connection = |n: i64| {
        let ip = ips()[usize::try_from(n % 4).unwrap()];
        (format!("host-{number}-{}", n % 97), ip, NOW - number * 7200 - n * 61 % 7001)
    };
    Model { connections: (0..connections).map(connection).collect() }
}

fn together(models: &[&Model]) -> Model {
    Model { connections: models.iter().flat_map(|model| model.connections.clone()).collect() }
}

fn ready(service: &Service) -> (u16, String) {
    let request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (head, body) = service::send(&service.address, request).unwrap();
    (status(&head), body)
}

/// The disk fails under a batch of so many connections; afterwards the service is ended by `signal`.
fn disk_fails(disk: Disk, connections: i64, signal: &str) {
    let faults = Faults::new();
    let site = Site::new();
    let service = Service::start(faults.put_under(site.serving(), &site.place));
    let (before, under, after) = (batch(0, 500), batch(1, connections), batch(2, 50));
    let ingest = |service: &Service, batch| site.ingest(&service.address, batch).unwrap();
    let (code, body) = ingest(&service, &before);
    assert_eq!(code, 200, "{body}");
    assert_eq!(ready(&service), (200, r#"{"status":"ready"}"#.to_owned()));

    faults.set(disk);
    let (code, body) = ingest(&service, &under);
    assert_eq!(code, 503, "{body}");
    assert!(body.contains("ServiceUnavailable") && !body.contains(disk.complaint()), "{body}");
    let (code, why) = ready(&service);
    assert!(code == 503 && why.contains("failed") && why.contains(disk.complaint()), "{code} {why}");
    assert_eq!(site.answers(&service, &ips()), expected(&before, &ips()), "questions are answered");

    faults.set(Disk::Works);
    assert_eq!(ingest(&service, &after).0, 503, "nobody can know what such a disk holds");
    assert_eq!(ready(&service), (503, why));
    let output = service.end(signal);
    let log = String::from_utf8(output.stderr).unwrap();
    let said = log.lines().filter(|line| line.contains("the journal failed")).collect::<Vec<_>>();
    assert!(said.len() == 1 && said[0].contains(disk.complaint()), "{log}");
    if signal == "TERM" {
        assert_eq!(output.status.code(), Some(1), "{log}");
    }

    let service = site.serve();
    let answers = site.answers(&service, &ips());
    // What was refused may be there, whole: it had reached the file when the disk failed.
    let whole = expected(&together(&[&before, &under]), &ips());
    assert!(answers == expected(&before, &ips()) || answers == whole, "{answers:?}");
    assert_eq!((ingest(&service, &under).0, ingest(&service, &after).0), (200, 200));
    let all = expected(&together(&[&before, &under, &after]), &ips());
    assert_eq!(site.answers(&service, &ips()), all);
    assert_eq!(service.stop().status.code(), Some(0));
    assert_eq!(site.stored(&ips()), all);
}

#[test]
fn an_fsync_that_fails() {
    disk_fails(Disk::FailsToSync, 500, "TERM");
}

#[test]
fn an_fsync_that_fails_and_then_a_kill() {
    disk_fails(Disk::FailsToSync, 20_000, "KILL");
}

#[test]
fn a_full_disk() {
    disk_fails(Disk::Fills(0), 500, "KILL");
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_small_batch() {
    disk_fails(Disk::Fills(300), 500, "TERM");
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_large_batch() {
    disk_fails(Disk::Fills(20_000), 20_000, "KILL");
}

/// The journal has everything, and the disk fails while it is written into tiles.
#[test]
fn a_disk_that_fails_while_the_service_stops() {
    for disk in [Disk::FailsToSync, Disk::Fills(0), Disk::Fills(1000)] {
        let faults = Faults::new();
        let site = Site::new();
        let service = Service::start(faults.put_under(site.serving(), &site.place));
        let batch = batch(0, 5000);
        assert_eq!(site.ingest(&service.address, &batch).unwrap().0, 200);
        faults.set(disk);
        let output = service.stop();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains("flush: ") && log.contains(disk.complaint()), "{log}");

        let service = site.serve();
        assert_eq!(site.answers(&service, &ips()), expected(&batch, &ips()), "{disk:?}");
        assert_eq!(service.stop().status.code(), Some(0));
        assert_eq!(site.stored(&ips()), expected(&batch, &ips()), "{disk:?}");
    }
}
