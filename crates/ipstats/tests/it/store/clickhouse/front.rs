//! The current ClickHouse, which runs inside a Python process behind an HTTP front that is made for these tests.

use crate::peer;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub(super) struct Front {
    process: Child,
    _folder: TempDir,
    pub(super) url: String,
}

impl Front {
    pub(super) fn start() -> Self {
        let place = peer::installed("clickhouse", "front.py");
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(place.join("venv/bin/python"))
            .arg(place.join("front.py"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.trim().is_empty(), "the front does not start");
        Self { process, _folder: folder, url: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
