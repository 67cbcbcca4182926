//! An import that is interrupted and repeated answers as one clean import does.

use super::{Place, ndjson};
use std::io::Write;
use std::process::{Command, Stdio};

const AS_OF: [&str; 2] = ["--as-of", "2017-08-29T13:32:59Z"];

fn log(connections: std::ops::Range<u32>) -> String {
    let one = |number: u32| {
        let (device, ip) = (format!("host-{}", number % 97), format!("10.0.{}.{}", number % 7, number % 11));
        let time = format!("2017-08-{:02}T{:02}:{:02}:05Z", 1 + number % 28, number % 24, number % 60);
        ndjson(&[(&device, &ip, &time)])
    };
    connections.map(one).collect()
}

fn answers(place: &Place) -> String {
    let ips: Vec<String> =
        (0..7).flat_map(|third| (0..11).map(move |last| format!("10.0.{third}.{last}"))).collect();
    let done =
        place.run_with_input(&[&["stats", "-", "--json"], &AS_OF[..]].concat(), ips.join("\n").as_bytes());
    assert_eq!(done.code, Some(0), "{done:?}");
    done.out
}

#[test]
fn what_was_read_is_finished_and_a_repetition_completes_it() {
    let clean = Place::new();
    let file = clean.file("log", log(0..60_000));
    let summary = clean.import(&[&AS_OF[..], &[&file]].concat());
    assert_eq!(summary["counted"], 60_000);

    let place = Place::new();
    let arguments = [&["import", "--json"], &AS_OF[..], &["-"]].concat();
    let mut import = place.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = import.stdin.take().unwrap();
    // The pipe stays open: the import waits for more until it is interrupted.
    input.write_all(log(0..60_000).as_bytes()).unwrap();
    let kill = Command::new("kill").args(["-INT", &import.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let done = place.done(import);
    drop(input);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("interrupted: what was counted is safe"), "{done:?}");
    assert!(done.out.starts_with("{\"counted\":"), "the summary so far: {done:?}");

    let file = place.file("log", log(0..60_000));
    place.import(&[&AS_OF[..], &[&file]].concat());
    assert_eq!(answers(&place), answers(&clean));
}
