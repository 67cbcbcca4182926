//! A disk that fails: a shim (`faults.c`) is preloaded into the real binary and makes its writes or fsyncs fail on demand.
//!
//! Whatever fails, nothing is acknowledged that is not durable, everything says so, questions are still answered, and
//! once the disk works again a restart has everything that was acknowledged and takes the rest.

mod copy;
mod import;
mod service;

use crate::cli::Place;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The shim, compiled, and the file by which it is told what to do.
pub(crate) struct Faults {
    folder: TempDir,
}

/// What the disk does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Disk {
    Works,
    FailsToSync,
    /// There is room for this many bytes more.
    Fills(u32),
}

impl Faults {
    /// Compiles the shim. Rust links with a C compiler, so there is one.
    pub(crate) fn new() -> Self {
        let faults = Self { folder: tempfile::tempdir().unwrap() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/faults.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(faults.shim()).arg(source);
        assert!(compiler.status().unwrap().success(), "faults.c does not compile");
        faults
    }

    /// Puts everything that `command`, to be run in `place`, writes into this place under the shim.
    fn put_under(&self, mut command: Command, place: &Place) -> Command {
        command.envs(self.environment(&place.path(".")));
        command
    }

    /// What puts everything that a process writes below a folder under the shim.
    pub(crate) fn environment(&self, folder: &Path) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.shim()),
            ("FAULTS_BELOW", fs::canonicalize(folder).unwrap()),
            ("FAULTS_CONTROL", self.control()),
        ]
    }

    pub(crate) fn set(&self, disk: Disk) {
        let order = match disk {
            Disk::Works => String::new(),
            Disk::FailsToSync => "fsync".to_owned(),
            Disk::Fills(bytes) => format!("full {bytes}"),
        };
        // Renamed into place: it is never read half-written.
        let draft = self.folder.path().join("draft");
        fs::write(&draft, order).unwrap();
        fs::rename(draft, self.control()).unwrap();
    }

    fn shim(&self) -> PathBuf {
        self.folder.path().join("faults.so")
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }
}

impl Disk {
    /// What the operating system says about it.
    const fn complaint(self) -> &'static str {
        match self {
            Self::Works => "",
            Self::FailsToSync => "Input/output error",
            Self::Fills(_) => "No space left on device",
        }
    }
}
