//! Senders of heads without end, and of bodies that never end.

use super::{IP, JSON, MIB, SMALL_BODIES_MIB_MAX, STREAMED_MIB_MAX, Target};
use crate::cli::model::Model;
use crate::service;
use crate::site::{NOW, Protocol, status};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

#[test]
fn heads_of_a_megabyte() {
    let target = Target::new();
    target.under(STREAMED_MIB_MAX, "heads", || {
        thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    let long = format!("X-Long: {}\r\n", "x".repeat(MIB));
                    let request = target.head("/api/ingest/ndjson", &long) + "0\r\n\r\n";
                    // It may be reset before its answer is read.
                    if let Ok((head, _)) = service::send(&target.service.address, &request) {
                        assert_eq!(status(&head), 431, "{head}");
                    }
                });
            }
        });
    });
    target.assert_well();
}

/// Bodies that arrive a byte a second: they take no places, and each is given up.
#[test]
fn dripping_bodies_are_given_up() {
    const SENDERS: usize = 100;
    let target = Target::new();
    let sending = Barrier::new(SENDERS + 1);
    let statuses = target.under(SMALL_BODIES_MIB_MAX, "slow bodies", || {
        thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|number| {
                    let protocol = Protocol::ALL[number % Protocol::ALL.len()];
                    let (target, sending) = (&target, &sending);
                    scope.spawn(move || {
                        drip(&target.service.address, &target.head(protocol.path(), JSON), sending)
                    })
                })
                .collect();
            sending.wait();
            assert_eq!(target.site.answers(&target.service, &[IP]).len(), 1);
            let model = Model { connections: vec![("laptop".to_owned(), IP, NOW - 60)] };
            assert_eq!(target.site.ingest(&target.service.address, &model).unwrap().0, 200);
            senders.into_iter().map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
        })
    });
    // Clients of Splunk and of OpenTelemetry send again after 503, and not after 408.
    let given_up = |protocol| match protocol {
        Protocol::Plain | Protocol::Bulk => 408,
        Protocol::Hec | Protocol::Otlp | Protocol::OtlpBinary => 503,
    };
    let expected = (0..SENDERS).map(|number| given_up(Protocol::ALL[number % Protocol::ALL.len()]));
    assert_eq!(statuses, expected.collect::<Vec<_>>());
    assert_eq!(
        target.site.refused_uploads(),
        0,
        "each was given up, and none was refused for want of a place"
    );
    target.assert_well();
}

/// Sends a body of a byte a second until there is an answer; its status. Passes `sending` with the first byte.
fn drip(address: &str, head: &str, sending: &Barrier) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"1\r\n \r\n").unwrap();
    sending.wait();
    let mut answer = Vec::new();
    while answer.is_empty() {
        let _ = stream.write_all(b"1\r\n \r\n");
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(count) => answer.extend_from_slice(&part[..count.max(1)]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
    status(&String::from_utf8_lossy(&answer))
}
