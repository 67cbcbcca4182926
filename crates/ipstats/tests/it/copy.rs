//! `ipstats copy` as operators use it: folders that nobody has open, folders of running services, interruptions, and
//! places that are none.

use crate::cli::{Done, Place, ndjson};
use crate::service::Service;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

const AS_OF: [&str; 2] = ["--as-of", "2017-08-29T13:32:59Z"];
const IPS: u32 = 61;
const CONNECTIONS: u32 = 40_000;
#[cfg(target_os = "linux")]
const KILLS: u64 = 8;

/// A log of a month in which every IP has many devices.
fn log(numbers: std::ops::Range<u32>) -> String {
    let one = |number: u32| {
        let scattered = number.wrapping_mul(0x9e37_79b9) >> 8;
        let (device, ip) = (format!("host-{}", scattered % 997), format!("198.51.100.{}", scattered % IPS));
        let time = format!("2017-08-{:02}T{:02}:{:02}:05Z", 1 + number % 28, number % 24, scattered % 60);
        ndjson(&[(&device, &ip, &time)])
    };
    numbers.map(one).collect()
}

/// What `stats` says about every IP in a data folder, over several look-backs, with the devices behind it.
fn answers(place: &Place, folder: &str) -> String {
    let ips = (0..IPS).map(|last| format!("198.51.100.{last}\n")).collect::<Vec<_>>().concat();
    let over = |hours: &str| {
        let arguments =
            [&["stats", "-", "--json", "--data-dir", folder, "--look-back-hours", hours], &AS_OF[..]];
        let done = place.run_with_input(&arguments.concat(), ips.as_bytes());
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out
    };
    ["30", "101", "720"].map(over).concat()
}

fn copy(place: &Place, from: &str, to: &str) -> Done {
    place.run(&[&["copy", "--from", from, "--to", to], &AS_OF[..]].concat())
}

fn import(place: &Place, folder: &str, numbers: std::ops::Range<u32>) {
    let file = place.file("log", log(numbers));
    place.import(&[&["--data-dir", folder], &AS_OF[..], &[&file]].concat());
}

/// A service on `folder` that takes logs with the key `key`.
fn serve(place: &Place, folder: &str) -> Service {
    let mut command = place.command([&["serve", "--data-dir", folder], &AS_OF[..]].concat());
    command.env("IPSTATS_LOG_LEVEL", "warn");
    Service::start(command)
}

fn assert_copied(done: &Done) {
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.starts_with("copied 1 organization: "), "{done:?}");
}

#[test]
fn a_folder_that_nobody_has_open() {
    let place = Place::new();
    import(&place, "data", 0..CONNECTIONS);
    assert_copied(&copy(&place, "data", "other"));
    assert_eq!(answers(&place, "other"), answers(&place, "data"));
    // What came meanwhile is taken along by the next copy, and the way back brings nothing new.
    import(&place, "data", CONNECTIONS..CONNECTIONS + 500);
    assert_ne!(answers(&place, "other"), answers(&place, "data"));
    assert_copied(&copy(&place, "data", "other"));
    assert_copied(&copy(&place, "other", "data"));
    assert_eq!(answers(&place, "other"), answers(&place, "data"));
}

#[test]
fn folders_of_running_services() {
    let place = Place::new();
    import(&place, "data", 0..CONNECTIONS);
    let before = answers(&place, "data");
    import(&place, "other", CONNECTIONS..CONNECTIONS + 500);

    let from = serve(&place, "data");
    let done = copy(&place, "data", "third");
    assert_copied(&done);
    assert!(done.err.contains("asking the service that runs on data"), "{done:?}");
    assert_eq!(answers(&place, "third"), before);

    // Both run, and the one that is written to goes on answering with what it had.
    let to = serve(&place, "other");
    assert_copied(&copy(&place, "data", "other"));
    from.stop();
    to.stop();
    import(&place, "data", CONNECTIONS..CONNECTIONS + 500);
    assert_eq!(answers(&place, "other"), answers(&place, "data"));
}

#[test]
fn a_service_that_is_stopped_during_a_copy_stops_at_once() {
    let place = Place::new();
    import(&place, "data", 0..CONNECTIONS);
    let service = serve(&place, "data");
    let reading = place.command([&["copy", "--from", "data", "--to", "other"], &AS_OF[..]].concat());
    let reading = { reading }.spawn().unwrap();
    let stopped = service.stop();
    let log = String::from_utf8(stopped.stderr).unwrap();
    assert!(stopped.status.success() && !log.contains("took too long"), "{log}");
    let done = place.done(reading);
    // It was done already, or it says what happened and what to do.
    let said = ["not everything was copied", "is in use by", "no service runs"];
    assert!(done.code == Some(0) || said.iter().any(|said| done.err.contains(said)), "{done:?}");
    assert_copied(&copy(&place, "data", "other"));
    assert_eq!(answers(&place, "other"), answers(&place, "data"));
}

#[cfg(target_os = "linux")]
#[test]
fn killed_at_any_moment_and_copied_again() {
    use crate::killed::{Kills, spread};

    let (kills, place) = (Kills::new(), Place::new());
    import(&place, "data", 0..CONNECTIONS);
    let to = |folder| [&["copy", "--from", "data", "--to", folder], &AS_OF[..]].concat();
    assert_copied(&kills.run(&place, &to("whole"), "whole", 0));
    let expected = answers(&place, "data");
    let numbers: Vec<_> = spread(kills.changes(), KILLS).collect();
    let mut killed_count = 0;
    for round in 0..numbers.len() {
        let number = numbers[round * 3 % numbers.len()];
        // A copy into a folder with records may need fewer changes, and then it ends.
        killed_count += usize::from(kills.run(&place, &to("other"), "other", number).code.is_none());
        assert_eq!(answers(&place, "data"), expected, "change {number}");
    }
    assert!(killed_count > 0, "no copy was killed");
    assert_copied(&copy(&place, "data", "other"));
    assert_eq!(answers(&place, "other"), expected);
}

/// As after a kill in the first millisecond.
#[test]
fn into_a_folder_that_was_only_begun() {
    let place = Place::new();
    import(&place, "data", 0..10);
    fs::create_dir(place.path("begun")).unwrap();
    for name in ["LOCK", "format-version.new"] {
        fs::write(place.path("begun").join(name), "").unwrap();
    }
    assert_copied(&copy(&place, "data", "begun"));
    assert_eq!(answers(&place, "begun"), answers(&place, "data"));
}

#[test]
fn interrupted_it_says_so() {
    let place = Place::new();
    import(&place, "data", 0..CONNECTIONS);
    let arguments = [&["copy", "--from", "data", "--to", "other"], &AS_OF[..]].concat();
    // From before the signals are handled to after the end: whatever it says is true.
    for pause in [5, 30, 60, 120, 400] {
        let copy = place.command(&arguments).spawn().unwrap();
        thread::sleep(Duration::from_millis(pause));
        let id = copy.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        let done = place.done(copy);
        match done.code {
            Some(0) => assert_copied(&done),
            Some(1) => assert!(done.err.contains("copy again for the rest"), "{done:?}"),
            code => assert_eq!(code, None, "the signal came before it was handled: {done:?}"),
        }
    }
    assert_copied(&copy(&place, "data", "other"));
    assert_eq!(answers(&place, "other"), answers(&place, "data"));
}

#[test]
fn places_that_are_none() {
    let place = Place::new();
    import(&place, "data", 0..10);
    fs::create_dir(place.path("strange")).unwrap();
    fs::write(place.path("strange/notes.txt"), "").unwrap();
    place.file(
        "clickhouse.toml",
        "[store]\nbackend = 'clickhouse'\nurls = ['http://127.0.0.1:1']\ntimeout = '1 s'\n",
    );
    for (from, to, expected) in [
        ("missing", "other", "missing is no data folder of ipstats"),
        ("missing.toml", "other", "missing.toml: No such file"),
        ("data", "data", "the same store: the data folder data"),
        ("data", "./data/../data", "the same store"),
        ("ipstats.toml", "other", "ipstats-data is no data folder of ipstats"),
        ("clickhouse.toml", "clickhouse.toml", "the same store: the database ipstats"),
        ("data", "strange", "has other files in it"),
        ("data", "clickhouse.toml", "http://127.0.0.1:1: it cannot be reached"),
    ] {
        let done = copy(&place, from, to);
        assert_eq!(done.code, Some(1), "{from} {to}: {done:?}");
        assert!(done.err.contains(expected), "{from} {to}: {done:?}");
    }
    assert!(!place.path("missing").exists() && !place.path("other").exists());
    assert_eq!(fs::read_dir(place.path("strange")).unwrap().count(), 1);
}
