//! A gate in front of a server, which lets bytes through as a network and a server in trouble do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What happens to bytes on their way. Connections that are there already change with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Passage {
    Open,
    /// Answers come late.
    Slow,
    /// Connections are made, and nothing comes through: a server that hangs.
    Shut,
    /// Statements arrive; answers end in their middle.
    Half,
}

/// How late answers are.
pub(super) const DELAY: Duration = Duration::from_millis(300);

/// Pause between looks whether the gate is open.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Gate {
    traffic: Arc<Traffic>,
    pub(crate) port: u16,
    pub(crate) url: String,
}

/// What connections do, and what they did.
#[derive(Default)]
struct Traffic {
    passage: AtomicU8,
    /// Inserts and questions about an IP that clients sent; the questions by which a store finds out whether a server is there do not count.
    statements: AtomicU64,
    /// Bytes that may still pass before the gate shuts itself.
    bytes_left: AtomicU64,
}

impl Gate {
    /// In front of the server at `url`, open.
    pub(crate) fn new(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let traffic = Arc::new(Traffic { bytes_left: AtomicU64::new(u64::MAX), ..Traffic::default() });
        let port = listener.local_addr().unwrap().port();
        let (server, of_connections) = (url.trim_start_matches("http://").to_owned(), Arc::clone(&traffic));
        // Ends with the test's process, as the threads of connections do.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let ways = [(client.try_clone(), server.try_clone(), false), (Ok(server), Ok(client), true)];
                for (from, to, is_answer) in ways {
                    let traffic = Arc::clone(&of_connections);
                    let (Ok(from), Ok(to)) = (from, to) else { break };
                    thread::spawn(move || carry(from, to, &traffic, is_answer));
                }
            }
        });
        Self { traffic, port, url: format!("http://127.0.0.1:{port}") }
    }

    pub(crate) fn set(&self, passage: Passage) {
        self.traffic.passage.store(passage as u8, Ordering::Relaxed);
    }

    /// Opens the gate, which shuts itself after `bytes`.
    pub(crate) fn shut_after(&self, bytes: u64) {
        self.traffic.bytes_left.store(bytes, Ordering::Relaxed);
        self.set(Passage::Open);
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.traffic.is(Passage::Shut)
    }

    /// Inserts and questions about an IP that clients have sent.
    pub(crate) fn statement_count(&self) -> u64 {
        self.traffic.statements.load(Ordering::Relaxed)
    }
}

impl Traffic {
    fn is(&self, passage: Passage) -> bool {
        self.passage.load(Ordering::Relaxed) == passage as u8
    }

    /// Counts bytes that arrived; shuts the gate where they are the last that may pass.
    fn count(&self, part: &[u8], is_answer: bool) {
        let is_in = |word: &[u8]| part.windows(word.len()).any(|bytes| bytes == word);
        if !is_answer && (is_in(b"INSERT") || is_in(b"uniqExact")) {
            self.statements.fetch_add(1, Ordering::Relaxed);
        }
        let length = part.len() as u64;
        let spent = |left: u64| (left != u64::MAX).then(|| left.saturating_sub(length));
        if self
            .bytes_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent)
            .is_ok_and(|left| left <= length)
        {
            self.bytes_left.store(u64::MAX, Ordering::Relaxed);
            self.passage.store(Passage::Shut as u8, Ordering::Relaxed);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, traffic: &Traffic, is_answer: bool) {
    let mut bytes = [0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let mut part = &bytes[..read];
        traffic.count(part, is_answer);
        while traffic.is(Passage::Shut) {
            thread::sleep(PAUSE);
        }
        let is = |wanted: Passage| is_answer && traffic.is(wanted);
        if is(Passage::Slow) {
            thread::sleep(DELAY);
        }
        if is(Passage::Half) {
            part = &part[..read / 2];
        }
        if to.write_all(part).is_err() || part.len() < read {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
