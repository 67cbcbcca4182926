//! A running `ipstats serve` of the real binary, and requests to it over a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest wait for an answer. It is never reached where the service works, however busy the machine is.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(3);

/// Longest wait for a state. It is never reached where the service works, however busy the machine is.
pub(crate) const STATE_TIME_MAX: Duration = Duration::from_mins(5);

/// Killed when it is dropped.
pub(crate) struct Service {
    process: Option<Child>,
    log: Arc<Mutex<Vec<u8>>>,
    log_reader: Option<JoinHandle<()>>,
    /// Host and port.
    pub(crate) address: String,
    /// What it said when it was ready.
    pub(crate) printed: String,
}

/// An answer, read to its end: status line and headers, and body.
pub(crate) type Answer = (String, String);

impl Service {
    /// Starts `command`, an `ipstats serve …`, on a port of its own and waits until it answers.
    pub(crate) fn start(command: Command) -> Self {
        Self::start_at(command, "127.0.0.1:0")
    }

    /// As [`start`](Self::start), at this address.
    pub(crate) fn start_at(mut command: Command, listen: &str) -> Self {
        command.args(["--listen", listen]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().split(", ").next().unwrap_or_default();
        let Some((_, address)) = url.strip_prefix("listening on ").and_then(|url| url.split_once("://"))
        else {
            let _ = process.kill();
            panic!("not an address: {line:?}; {:?}", process.wait_with_output());
        };
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let log_reader = read_log(process.stderr.take().unwrap(), Arc::clone(&log));
        Self {
            address: address.to_owned(),
            process: Some(process),
            log,
            log_reader: Some(log_reader),
            printed: line,
        }
    }

    /// Waits until the service has logged `text` `count` times.
    pub(crate) fn wait_for_log(&self, text: &str, count: usize) {
        let started = Instant::now();
        loop {
            let log = String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned();
            if log.matches(text).count() >= count {
                return;
            }
            assert!(started.elapsed() < STATE_TIME_MAX, "not logged {count} times: {text}; {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a request as it stands.
    pub(crate) fn send(&self, request: &str) -> Answer {
        send(&self.address, request).unwrap()
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        let host = &self.address;
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        ))
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Asks the service to stop; what it leaves behind.
    pub(crate) fn stop(self) -> Output {
        self.end("TERM")
    }

    /// Sends the service a signal that ends it; what it leaves behind.
    pub(crate) fn end(self, signal: &str) -> Output {
        self.signal(signal);
        self.exit()
    }

    /// Waits until the service has ended; returns its output.
    pub(crate) fn exit(mut self) -> Output {
        let mut output = self.process.take().unwrap().wait_with_output().unwrap();
        self.log_reader.take().unwrap().join().unwrap();
        output.stderr = std::mem::take(&mut *self.log.lock().unwrap());
        output
    }
}

/// Collects what the service logs while it runs.
fn read_log(mut stderr: impl Read + Send + 'static, log: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut part = [0; 8192];
        while let Ok(length @ 1..) = stderr.read(&mut part) {
            log.lock().unwrap().extend_from_slice(&part[..length]);
        }
    })
}

/// Repeats `attempt`, which shows whether one event came before the end of a time limit of the service, until it did. A busy
/// machine takes several attempts; a service that waits for its time limit never succeeds.
pub(crate) fn retry_race(attempt: impl Fn() -> bool) {
    assert!((0..20).any(|_| attempt()), "the service waited for its time limit in 20 attempts");
}

/// Whether the service has closed none of these connections yet, and sent nothing.
pub(crate) fn are_open(connections: &[TcpStream]) -> bool {
    connections.iter().all(|connection| {
        connection.set_nonblocking(true).unwrap();
        let is_open =
            connection.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        connection.set_nonblocking(false).unwrap();
        is_open
    })
}

/// Sends a request as it stands to a service that may be gone before it answers.
pub(crate) fn send(address: &str, request: impl AsRef<[u8]>) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.write_all(request.as_ref())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok((head.to_owned(), body.to_owned()))
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
