//! A gate in front of a server, which lets bytes through as a network and a server in trouble do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

/// What happens to bytes on their way. Connections that are there already change with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Passage {
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

pub(super) struct Gate {
    passage: Arc<AtomicU8>,
    pub(super) port: u16,
    pub(super) url: String,
}

impl Gate {
    /// In front of the server at `url`, open.
    pub(super) fn new(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let passage = Arc::new(AtomicU8::new(Passage::Open as u8));
        let port = listener.local_addr().unwrap().port();
        let (server, of_connections) = (url.trim_start_matches("http://").to_owned(), Arc::clone(&passage));
        // Ends with the test's process, as the threads of connections do.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let ways = [(client.try_clone(), server.try_clone(), false), (Ok(server), Ok(client), true)];
                for (from, to, is_answer) in ways {
                    let passage = Arc::clone(&of_connections);
                    let (Ok(from), Ok(to)) = (from, to) else { break };
                    thread::spawn(move || carry(from, to, &passage, is_answer));
                }
            }
        });
        Self { passage, port, url: format!("http://127.0.0.1:{port}") }
    }

    pub(super) fn set(&self, passage: Passage) {
        self.passage.store(passage as u8, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, passage: &AtomicU8, is_answer: bool) {
    let mut bytes = [0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        while passage.load(Ordering::Relaxed) == Passage::Shut as u8 {
            thread::sleep(PAUSE);
        }
        let mut part = &bytes[..read];
        let is = |wanted: Passage| is_answer && passage.load(Ordering::Relaxed) == wanted as u8;
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
