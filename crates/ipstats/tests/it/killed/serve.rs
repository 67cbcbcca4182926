//! `serve`, killed: its first start with keys and secrets, an upload, a reload and the flush at its stop.

use super::{Kills, assert_completes, assert_opens, connections, remove, spread};
use crate::cli::Place;
use crate::cli::model::Model;
use crate::service::Service;
use crate::site::{AS_OF, Site};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

const KILLS: u64 = 30;
const FIRST_START_KILLS: u64 = 40;

/// A service that may be killed at any time: its address when it lived to print it.
struct Mortal {
    process: std::process::Child,
    address: Option<String>,
}

impl Mortal {
    fn start(mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address =
            line.split_once("://").map(|(_, rest)| rest.split([',', '\n']).next().unwrap().to_owned());
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Self { process, address }
    }

    fn signal(&self, name: &str) {
        // A killed process is still there until it is waited for, so this succeeds.
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Stops it; whether it was not killed before.
    fn stop(mut self) -> bool {
        self.signal("TERM");
        self.process.wait().unwrap().code() == Some(0)
    }
}

/// Serves, takes in `sent`, reloads and stops. Returns whether the upload was acknowledged, and whether it lived.
fn run_killed(kills: &Kills, site: &Site, sent: &Model, number: u64) -> (bool, bool) {
    kills.arm(number);
    let service = Mortal::start(kills.preload(site.serving(), &site.place, "data"));
    let status = service.address.as_ref().and_then(|address| site.ingest(address, sent).ok());
    service.signal("HUP");
    (status.is_some_and(|(status, _)| status == 200), service.stop())
}

#[test]
fn serve_survives_kill_at_any_change() {
    let (kills, site, sent) = (Kills::new(), Site::new(), connections("host", 200));
    remove(&site.place, "data");
    assert_eq!(run_killed(&kills, &site, &sent, 0), (true, true));
    let total = kills.changes();
    for number in spread(total, KILLS) {
        remove(&site.place, "data");
        let (is_acknowledged, _) = run_killed(&kills, &site, &sent, number);
        let case = format!("change {number} of {total}");
        let acknowledged = if is_acknowledged { &sent } else { &Model::default() };
        assert_opens(&site, acknowledged, &sent, &case);
        drop(site.serve());
        assert_completes(&site, &sent, &case);
    }
}

/// The organization and the application that a first start keeps.
fn first_start(place: &Place) -> Option<String> {
    fs::read_to_string(place.path("data/first-start.toml")).ok()
}

#[test]
fn first_start_survives_kill_at_any_change() {
    let (kills, place) = (Kills::new(), Place::new());
    place.file("ipstats.toml", "");
    let serving = || place.command(["serve", "--as-of", AS_OF]);
    kills.arm(0);
    let service = Mortal::start(kills.preload(serving(), &place, "data"));
    assert!(service.address.is_some());
    let total = kills.changes();
    assert!(service.stop());
    for number in spread(total, FIRST_START_KILLS) {
        remove(&place, "data");
        kills.arm(number);
        let killed = Mortal::start(kills.preload(serving(), &place, "data"));
        let _ = killed.stop();
        let kept = first_start(&place);
        // It starts, with the organization that was made, if one was: records may be stored under it.
        assert_eq!(Service::start(serving()).stop().status.code(), Some(0), "change {number} of {total}");
        let now = first_start(&place);
        assert!(now.is_some() && (kept.is_none() || kept == now), "change {number} of {total}: {kept:?}");
    }
}
