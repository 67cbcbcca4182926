//! Kills of the real binary at its n-th change to files, by a library (`kills.c`) that is preloaded into it.
//!
//! After each kill the data folder opens, answers everything that was acknowledged and nothing that was not sent, and the
//! same work again ends with the answers of a run without a kill. A change of the format adds a module here that kills the
//! upgrade of a folder of the older version.

mod copy;
mod import;
mod serve;

use crate::cli::model::{Answer, Connection, Model};
use crate::cli::{Done, Place};
use crate::site::{AS_OF, NOW, Site, expected, log};
use std::fs::{self, OpenOptions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The compiled library and its control file.
pub(crate) struct Kills {
    folder: TempDir,
}

impl Kills {
    /// Building ipstats needs a C compiler, so there is one.
    pub(crate) fn new() -> Self {
        let kills = Self { folder: tempfile::tempdir().unwrap() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/killed/kills.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(kills.library()).arg(source);
        assert!(compiler.status().unwrap().success(), "kills.c does not compile");
        kills.arm(0);
        kills
    }

    /// Counts from 0 again; the process is killed at change `number`, or not at all for 0.
    fn arm(&self, number: u64) {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(self.control()).unwrap();
        file.write_all_at(&[0_u64.to_ne_bytes(), number.to_ne_bytes()].concat(), 0).unwrap();
    }

    /// Changes since the control file was armed.
    pub(crate) fn changes(&self) -> u64 {
        let control = fs::read(self.control()).unwrap();
        u64::from_ne_bytes(*control.first_chunk().unwrap())
    }

    /// Counts what `command`, run in `place`, changes in its folder `watched`.
    fn preload(&self, mut command: Command, place: &Place, watched: &str) -> Command {
        let below = fs::canonicalize(place.path(".")).unwrap().join(watched);
        command.env("LD_PRELOAD", self.library());
        command.env("KILLS_BELOW", below).env("KILLS_CONTROL", self.control());
        command
    }

    /// Runs `ipstats …`, killed at change `number` to files in `watched`.
    pub(crate) fn run(&self, place: &Place, arguments: &[&str], watched: &str, number: u64) -> Done {
        self.arm(number);
        place.done(self.preload(place.command(arguments), place, watched).spawn().unwrap())
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("kills.so")
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }
}

/// Numbers from 1 to `total`: at most `count_max`, evenly spread.
pub(crate) fn spread(total: u64, count_max: u64) -> impl Iterator<Item = u64> {
    (1..=total).step_by(usize::try_from(total.div_ceil(count_max)).unwrap())
}

const ARGUMENTS: [&str; 4] = ["import", "--as-of", AS_OF, "log"];

/// Connections of `devices` named after `name` to a few IPs, each of which gets several.
fn connections(name: &str, devices: u8) -> Model {
    let connection = |number: u8| -> Connection {
        let ip = Ipv4Addr::new(198, 51, 100, number % 5).into();
        (format!("{name}-{number}"), ip, NOW - i64::from(number) * 7919)
    };
    Model { connections: (0..devices).map(connection).collect() }
}

fn ips() -> Vec<IpAddr> {
    (0..5).map(|last| Ipv4Addr::new(198, 51, 100, last).into()).collect()
}

fn all(models: &[&Model]) -> Model {
    Model { connections: models.iter().flat_map(|model| model.connections.clone()).collect() }
}

fn remove(place: &Place, folder: &str) {
    let _ = fs::remove_dir_all(place.path(folder));
}

fn devices(answer: &Answer) -> u64 {
    match answer {
        Answer::Statistics(devices, ..) => *devices,
        Answer::NotFound => 0,
    }
}

/// The data folder opens, with at least the answers of `acknowledged` and at most those of `sent`.
fn assert_opens(site: &Site, acknowledged: &Model, sent: &Model, case: &str) {
    if !site.place.path("data").exists() {
        assert!(acknowledged.connections.is_empty(), "{case}: the data folder is gone");
        return;
    }
    let done = site.place.run(&["stats", "198.51.100.0", "--json", "--as-of", AS_OF]);
    assert!(done.code == Some(0), "{case}: {done:?}");
    let (least, most) = (expected(acknowledged, &ips()), expected(sent, &ips()));
    for ((found, least), most) in site.stored(&ips()).iter().zip(&least).zip(&most) {
        let range = devices(least)..=devices(most);
        assert!(range.contains(&devices(found)), "{case}: {found:?}, not from {least:?} to {most:?}");
    }
}

/// The same import again answers as one that was never killed.
fn assert_completes(site: &Site, sent: &Model, case: &str) {
    site.place.file("log", log(sent));
    let done = site.place.run(&ARGUMENTS);
    assert_eq!(done.code, Some(0), "{case}: {done:?}");
    assert_eq!(site.stored(&ips()), expected(sent, &ips()), "{case}");
}
