//! A Redis server of its own for a test, or the one that [`SERVER`] names.

use crate::peer;
use ipstats::config::{RedisTimeLimits, SharedLimits};
use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The variable with the program to start in place of `redis-server`.
pub(super) const SERVER: &str = "IPSTATS_TEST_REDIS_SERVER";

const START_TIME_MAX: Duration = Duration::from_mins(5);

/// A busy machine does not reach these.
pub(super) const PATIENT: RedisTimeLimits =
    RedisTimeLimits { decision: Duration::from_mins(2), connection: Duration::from_mins(2) };

/// Killed when it is dropped. It keeps nothing on disk.
pub(super) struct Redis {
    process: Option<Child>,
    folder: TempDir,
    pub(super) port: u16,
    settings: Vec<String>,
}

impl Redis {
    /// A server with its port alone.
    pub(super) fn start() -> Self {
        Self::start_with(|port| vec!["--port".to_owned(), port.to_string()])
    }

    /// A server with these settings for the port it gets.
    pub(super) fn start_with(settings: impl FnOnce(u16) -> Vec<String>) -> Self {
        let found = Command::new(program()).arg("--version").stdout(Stdio::null()).status();
        peer::require("redis", found.is_ok());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { process: None, folder, port, settings: settings(port) };
        server.begin();
        server
    }

    /// Starts it, again if it was killed, and empty; returns when it listens.
    pub(super) fn begin(&mut self) {
        let process = Command::new(program())
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .args(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < START_TIME_MAX, "redis-server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once, as a failing machine does.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// `STOP` and `CONT`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What is configured for one of three replicas.
    pub(super) fn shared(&self) -> SharedLimits {
        SharedLimits {
            url: self.url().parse().unwrap(),
            username: None,
            password: None,
            ca_file: None,
            ca_only: false,
            replicas: NonZeroU32::new(3).unwrap(),
            time_limits: PATIENT,
        }
    }

    /// A connection of the test's own.
    pub(super) fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }
}

fn program() -> OsString {
    std::env::var_os(SERVER).unwrap_or_else(|| "redis-server".into())
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
