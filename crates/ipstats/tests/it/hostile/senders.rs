//! Senders of heads without end, and of bodies that never end.

use super::{IP, JSON, MIB, STREAMED_MIB_MAX, Target};
use crate::service;
use crate::site::{Protocol, status};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

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

/// Bodies that come a byte a second: they take the places of their organization until they are given up, and nobody else's.
#[test]
fn bodies_that_drip() {
    const SENDERS: usize = 100;
    let target = Target::new();
    let began = Instant::now();
    let statuses = target.under(STREAMED_MIB_MAX, "slow bodies", || {
        thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|number| {
                    let protocol = Protocol::ALL[number % Protocol::ALL.len()];
                    let target = &target;
                    scope.spawn(move || drip(&target.service.address, &target.head(protocol.path(), JSON)))
                })
                .collect();
            thread::sleep(Duration::from_secs(2));
            let asked = Instant::now();
            assert_eq!(target.site.answers(&target.service, &[IP]).len(), 1);
            assert!(
                asked.elapsed() < Duration::from_secs(5),
                "questions are answered: {:?}",
                asked.elapsed()
            );
            senders.into_iter().map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
        })
    });
    // Those without a place are told at once, the others when they are given up.
    assert!(statuses.iter().all(|status| [408, 429, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&408), "{statuses:?}");
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    target.assert_well();
}

/// Sends a body of a byte a second until there is an answer; its status.
fn drip(address: &str, head: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
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
