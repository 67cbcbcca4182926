//! The command line, as people and scripts see it: the real binary, its two outputs and its exit code.

mod bad_input;
mod demo;
mod import;
mod interrupted;
pub(crate) mod model;
mod odd_files;
mod real_logs;
mod stats;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The organization of [`Place`].
pub(crate) const CONTOSO: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

/// A folder with a configuration of one organization and an empty data folder; the command runs in it.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a command did. The path of the folder, which differs from run to run, is shown as `PLACE`.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!("[[organizations]]\nid = \"{CONTOSO}\"\nname = \"contoso\"\n");
        fs::write(folder.path().join("ipstats.toml"), config).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder; its name works as an argument.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        name.to_owned()
    }

    /// `ipstats …` in this folder, with its configuration and without the environment's.
    pub(crate) fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipstats"));
        command.current_dir(self.folder.path()).args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("IPSTATS_") {
                command.env_remove(name);
            }
        }
        command.env("IPSTATS_CONFIG", "ipstats.toml").env("IPSTATS_DATA_DIR", "data");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.done(self.command(arguments).spawn().unwrap())
    }

    /// As [`run`](Self::run), with something on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Done {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // From a thread of its own: neither side waits for the other. A command that reads no more closes the pipe.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let done = self.done(child);
        writer.join().unwrap();
        done
    }

    pub(crate) fn done(&self, child: Child) -> Done {
        let output = child.wait_with_output().unwrap();
        let shown = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).unwrap().replace(self.folder.path().to_str().unwrap(), "PLACE")
        };
        Done { code: output.status.code(), out: shown(&output.stdout), err: shown(&output.stderr) }
    }

    /// Imports with `--json`; the summary. Fails where the import fails.
    pub(crate) fn import(&self, arguments: &[&str]) -> serde_json::Value {
        let done = self.run(&[&["import", "--json"], arguments].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        serde_json::from_str(&done.out).unwrap()
    }
}

/// A real log. It is not a part of the project: tests that read one are ignored unless they are asked for.
fn real_log(name: &str) -> PathBuf {
    let folder = std::env::var_os("IPSTATS_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = folder.join(name);
    assert!(path.is_file(), "there is no {}: set IPSTATS_SHARED_DATA", path.display());
    path.canonicalize().unwrap()
}

/// One connection a line, in our own NDJSON.
pub(crate) fn ndjson(connections: &[(&str, &str, &str)]) -> String {
    let line = |(device, ip, time): &(&str, &str, &str)| {
        format!("{{\"device\":\"{device}\",\"ip\":\"{ip}\",\"time\":\"{time}\"}}\n")
    };
    connections.iter().map(line).collect::<Vec<_>>().concat()
}
