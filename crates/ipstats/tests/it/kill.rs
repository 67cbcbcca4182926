//! SIGKILL at any moment loses nothing that was acknowledged, and importing again answers as one clean import does.

use crate::cli::{Place, ndjson};
use std::process::{Command, Stdio};
use std::time::Duration;

const AS_OF: [&str; 2] = ["--as-of", "2017-08-29T13:32:59Z"];
const CONNECTIONS: u64 = 200_000;
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

fn prevalences(place: &Place) -> Vec<(u64, String)> {
    let ips: String = (0..61).map(|last| format!("198.51.100.{last}\n")).collect();
    let done = place.run_with_input(&[&["stats", "-", "--json"], &AS_OF[..]].concat(), ips.as_bytes());
    assert_eq!(done.code, Some(0), "{done:?}");
    let answer = |line: &str| {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        (answer["organizationPrevalence"].as_u64().unwrap_or(0), line.to_owned())
    };
    done.out.lines().map(answer).collect()
}

#[test]
fn killed_at_any_moment_and_imported_again() {
    let clean = Place::new();
    let file = clean.file("log", log());
    assert_eq!(clean.import(&[&AS_OF[..], &[&file]].concat())["counted"], CONNECTIONS);
    let expected = prevalences(&clean);

    let place = Place::new();
    let file = place.file("log", log());
    let arguments = [&["import", "--json"], &AS_OF[..], &[&file]].concat();
    let mut killed_while_running = 0;
    let mut before = vec![0; expected.len()];
    for round in 0..KILLS {
        let mut import =
            place.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From while it opens the folder to while it writes the index; scattered, and the same in every run.
        std::thread::sleep(Duration::from_millis(round * round * 7 % 211 + round * 23));
        killed_while_running += u32::from(import.try_wait().unwrap().is_none());
        import.kill().unwrap();
        import.wait().unwrap();
        // It opens, knows nothing that is not true, and forgets nothing.
        let now: Vec<_> = prevalences(&place).into_iter().map(|(prevalence, _)| prevalence).collect();
        assert!(
            now.iter().zip(&before).all(|(now, before)| now >= before),
            "round {round}: {before:?} {now:?}"
        );
        assert!(now.iter().zip(&expected).all(|(now, (all, _))| now <= all), "round {round}: {now:?}");
        before = now;
    }
    assert!(killed_while_running >= 3, "{killed_while_running} of {KILLS} were killed in time");

    place.import(&[&AS_OF[..], &[&file]].concat());
    assert_eq!(prevalences(&place), expected);
}

#[test]
fn what_an_interrupted_import_reported_survives_a_kill() {
    let place = Place::new();
    let file = place.file("log", log());
    let whole = place.import(&[&AS_OF[..], &[&file]].concat());
    assert_eq!(whole["counted"], CONNECTIONS);
    let expected = prevalences(&place);
    // A second import of the same, killed: what the first one acknowledged is still all there.
    let mut import = place
        .command([&["import"], &AS_OF[..], &[&file]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(150));
    let kill = Command::new("kill").args(["-KILL", &import.id().to_string()]).status().unwrap();
    assert!(kill.success());
    import.wait().unwrap();
    assert_eq!(prevalences(&place), expected);
}
