//! Clocks that are wrong, and the ends of time.

use crate::naive::{Connection, organization, record};
use ipstats_engine::{Engine, Options};
use ipstats_model::{IpStatistics, LookBack, Timestamp, Window};

const NOW: Timestamp = Timestamp::from_second(1_700_000_000);

fn contact(number: u8, device: &str, ip: &str, at: Timestamp) -> Connection {
    Connection { organization: organization(number), device: device.to_owned(), ip: ip.parse().unwrap(), at }
}

fn prevalence(engine: &Engine, now: Timestamp) -> u64 {
    let window = Window::ending_at(now, LookBack::MAX);
    match engine.statistics(organization(1), "192.0.2.1".parse().unwrap(), window).unwrap() {
        IpStatistics::Seen { prevalence, .. } => prevalence,
        _ => 0,
    }
}

/// The server's clock and a sensor's jump ahead together; one record comes in, of another organization.
#[test]
fn a_clock_that_jumped_ahead_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    record(&engine, &[contact(1, "before", "192.0.2.1", NOW.plus_seconds(-60))], NOW);
    engine.flush().unwrap();
    let jumped = NOW.plus_seconds(400 * 86_400);
    record(&engine, &[contact(2, "sensor", "203.0.113.9", jumped)], jumped);
    engine.flush().unwrap();
    record(&engine, &[contact(1, "after", "192.0.2.1", NOW.plus_seconds(-30))], NOW);
    engine.flush().unwrap();
    engine.sweep().unwrap();
    assert_eq!(prevalence(&engine, NOW), 2);
    drop(engine);
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    let tomorrow = NOW.plus_seconds(86_400);
    record(&engine, &[contact(1, "tomorrow", "192.0.2.1", tomorrow)], tomorrow);
    engine.flush().unwrap();
    engine.sweep().unwrap();
    assert_eq!(prevalence(&engine, tomorrow), 3);
}

#[test]
fn the_last_second_that_can_be_stored_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    record(&engine, &[contact(1, "a", "192.0.2.1", Timestamp::LATEST)], Timestamp::LATEST);
    assert_eq!(prevalence(&engine, Timestamp::LATEST), 1);
    engine.flush().unwrap();
    assert_eq!(prevalence(&engine, Timestamp::LATEST), 1);
}
