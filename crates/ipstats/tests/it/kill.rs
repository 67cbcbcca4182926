//! SIGKILL at any moment loses nothing that was acknowledged, and importing again answers as one clean import does.

use crate::cli::{Place, ndjson};
use crate::killed::{Kills, spread};

const AS_OF: [&str; 2] = ["--as-of", "2017-08-29T13:32:59Z"];
const CONNECTIONS: u64 = 100_000;
const KILLS: u64 = 12;

/// A log of a month, in time order, with few IPs so that every one has many devices.
fn log() -> String {
    let mut log = String::new();
    for number in 0..CONNECTIONS {
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let minute = number * 28 * 1440 / CONNECTIONS;
        let (device, ip) = (format!("host-{}", scattered % 997), format!("198.51.100.{}", scattered % 61));
        let time = format!(
            "2017-08-{:02}T{:02}:{:02}:{:02}Z",
            1 + minute / 1440,
            minute / 60 % 24,
            minute % 60,
            scattered % 60
        );
        log += &ndjson(&[(&device, &ip, &time)]);
    }
    log
}

/// What `stats` prints about every IP. Nothing, as long as there is no data folder.
fn answers(place: &Place) -> String {
    let ips = (0..61).map(|last| format!("198.51.100.{last}\n")).collect::<Vec<_>>().concat();
    let done = place.run_with_input(&[&["stats", "-", "--json"], &AS_OF[..]].concat(), ips.as_bytes());
    assert!(done.code == Some(0) || done.err.contains("there is no data folder"), "{done:?}");
    done.out
}

/// The prevalence of every IP in [`answers`].
fn prevalences(answers: &str) -> Vec<u64> {
    let prevalence = |line: &str| {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        answer["organizationPrevalence"].as_u64().unwrap_or(0)
    };
    let mut prevalences: Vec<_> = answers.lines().map(prevalence).collect();
    prevalences.resize(61, 0);
    prevalences
}

#[test]
fn killed_at_any_moment_and_imported_again() {
    let (kills, clean) = (Kills::new(), Place::new());
    let file = clean.file("log", log());
    let done = kills.run(&clean, &[&["import", "--json"], &AS_OF[..], &[&file]].concat(), "data", 0);
    assert_eq!(done.code, Some(0), "{done:?}");
    let total = kills.changes();
    let expected = answers(&clean);
    let all = prevalences(&expected);
    assert!(all.iter().all(|prevalence| *prevalence > 700), "{all:?}");

    let place = Place::new();
    let file = place.file("log", log());
    let arguments = [&["import", "--json"], &AS_OF[..], &[&file]].concat();
    let mut killed_count = 0;
    let mut before = vec![0; all.len()];
    // From the creation of the folder to the writing of the index, in scattered order.
    let numbers: Vec<_> = spread(total, KILLS).collect();
    for round in 0..numbers.len() {
        let number = numbers[round * 5 % numbers.len()];
        // An import into a folder with records may need fewer changes, and then it ends.
        killed_count += usize::from(kills.run(&place, &arguments, "data", number).code.is_none());
        // It opens, knows nothing that is not true, and forgets nothing.
        let now = prevalences(&answers(&place));
        assert!(
            now.iter().zip(&before).all(|(now, before)| now >= before),
            "round {round}: {before:?} {now:?}"
        );
        assert!(now.iter().zip(&all).all(|(now, all)| now <= all), "round {round}: {now:?}");
        before = now;
    }
    assert!(killed_count > 0, "no import was killed");

    place.import(&[&AS_OF[..], &[&file]].concat());
    assert_eq!(answers(&place), expected);
}

#[test]
fn what_an_import_reported_survives_the_kill_of_another() {
    let place = Place::new();
    let file = place.file("log", log());
    assert_eq!(place.import(&[&AS_OF[..], &[&file]].concat())["counted"], CONNECTIONS);
    let expected = answers(&place);
    let arguments = [&["import"], &AS_OF[..], &[&file]].concat();
    let kills = Kills::new();
    assert_eq!(kills.run(&place, &arguments, "data", 0).code, Some(0));
    for number in spread(kills.changes(), 4) {
        kills.run(&place, &arguments, "data", number);
        assert_eq!(answers(&place), expected, "killed at change {number}");
    }
}
