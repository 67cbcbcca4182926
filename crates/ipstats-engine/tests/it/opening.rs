//! Opening: locks, versions, lost batches, restarts in the middle of everything.

use crate::naive::{Connection, Naive, organization, record};
use ipstats_engine::{Engine, OpenError, Options};
use ipstats_model::{CanonicalIp, Timestamp};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const NOW: Timestamp = Timestamp::from_second(1_700_000_000);

fn connections(count: u8) -> Vec<Connection> {
    let connection = |number: u8| Connection {
        organization: organization(1),
        device: format!("device-{number}"),
        ip: ip(),
        at: NOW.plus_seconds(-60 * i64::from(number)),
    };
    (0..count).map(connection).collect()
}

fn ip() -> CanonicalIp {
    "192.0.2.1".parse().unwrap()
}

#[test]
fn a_second_process_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Engine::open(folder.path(), &Options::default()).unwrap();
    let error = Engine::open(folder.path(), &Options::default()).err().unwrap().to_string();
    assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
    assert!(error.contains("--data-dir"), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Engine::open(folder.path(), &Options::default()).unwrap());
    fs::write(folder.path().join("format-version"), "2\n").unwrap();
    let error = Engine::open(folder.path(), &Options::default()).err().unwrap().to_string();
    assert!(error.contains("has format version 2"), "{error}");
}

/// What fjall does with a batch that was damaged on disk: its recovery ends there, silently.
#[test]
fn a_lost_journal_tail_is_named_and_can_be_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut naive = Naive::default();
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    for (number, connection) in connections(5).into_iter().enumerate() {
        record(&engine, std::slice::from_ref(&connection), NOW);
        naive.record(&[connection], NOW);
        if number == 0 {
            engine.set_checkpoints(organization(1), &[("conn.log", Some(b"1"))]).unwrap();
        }
    }
    drop(engine);
    let journal = newest_journal_file(&folder.path().join("store"));
    let kept = fs::read(&journal).unwrap();
    let last_batch = find_last(&kept, b"IPSTATS-NO-SUCH")
        .unwrap_or(kept.iter().rposition(|byte| *byte != 0).unwrap() - 40);
    fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(last_batch as u64).unwrap();

    let error = Engine::open(folder.path(), &Options::default()).err().unwrap();
    let OpenError::LostBatches { missing, .. } = &error else { panic!("{error}") };
    assert_eq!(missing, &[5..=5]);
    assert!(error.to_string().contains("--accept-lost-batches"), "{error}");

    let accept = Options { accept_lost_batches: true, ..Options::default() };
    drop(Engine::open(folder.path(), &accept).unwrap());
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    assert_eq!(engine.checkpoints(organization(1)).unwrap(), [], "sources are read again");
    record(&engine, &connections(5), NOW);
    naive.assert_same(&engine, &[organization(1)], &[ip()], NOW);
    drop(engine);
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    naive.assert_same(&engine, &[organization(1)], &[ip()], NOW);
}

fn newest_journal_file(store: &std::path::Path) -> std::path::PathBuf {
    let mut files: Vec<_> = fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .collect();
    files.sort();
    files.pop().unwrap()
}

fn find_last(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).rposition(|window| window == needle)
}

/// Device names can be lost with a part of the journal while tiles hold their ids: no other device may get those.
#[test]
fn ids_of_lost_names_are_not_given_away() {
    let folder = tempfile::tempdir().unwrap();
    let device = |name: &str, age_seconds: i64| Connection {
        organization: organization(1),
        device: name.to_owned(),
        ip: ip(),
        at: NOW.plus_seconds(-age_seconds),
    };
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    record(&engine, &[device("alice-laptop", 7200)], NOW);
    engine.flush().unwrap();
    drop(engine);
    let journal = newest_journal_file(&folder.path().join("store"));
    let bytes = fs::read(&journal).unwrap();
    let alice = bytes.windows(5).position(|window| window == b"alice").unwrap();
    fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(alice as u64).unwrap();
    assert!(Engine::open(folder.path(), &Options::default()).is_err(), "the loss is named");

    let accept = Options { accept_lost_batches: true, ..Options::default() };
    let engine = Engine::open(folder.path(), &accept).unwrap();
    record(&engine, &[device("bob-laptop", 60)], NOW);
    let window = ipstats_model::Window::ending_at(NOW, ipstats_model::LookBack::MAX);
    let devices = engine.devices(organization(1), ip(), window).unwrap();
    assert_eq!(devices.len(), 2, "{devices:?}");
    assert_eq!(devices[0].device, "bob-laptop");
}

#[test]
fn the_newest_event_survives() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Engine::open(folder.path(), &Options::default()).unwrap();
    let engine = open();
    assert_eq!(engine.newest_event(), None);
    record(&engine, &connections(3), NOW);
    drop(engine);
    let engine = open();
    assert_eq!(engine.newest_event(), Some(NOW), "from the journal");
    engine.close().unwrap();
    assert_eq!(open().newest_event(), Some(NOW), "from the tiles");
}

/// Writers, a flusher and readers at once; then a restart. Nothing acknowledged is missing at any time.
#[test]
fn races_between_writers_flushes_and_readers_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    let done = AtomicBool::new(false);
    let window = ipstats_model::Window::ending_at(NOW, ipstats_model::LookBack::MAX);
    let prevalence = || match engine.statistics(organization(1), ip(), window).unwrap() {
        ipstats_model::IpStatistics::Seen { prevalence, .. } => prevalence,
        _ => 0,
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                engine.flush().unwrap();
            }
        });
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (engine, prevalence) = (&engine, &prevalence);
                scope.spawn(move || {
                    for number in 0..150 {
                        let connection = Connection {
                            organization: organization(1),
                            device: format!("{writer}-{number}"),
                            ip: ip(),
                            at: NOW.plus_seconds(-number),
                        };
                        let before = prevalence();
                        record(engine, &[connection], NOW);
                        assert!(prevalence() > before.saturating_sub(1), "an acknowledged device is missing");
                        assert!(prevalence() > u64::try_from(number).unwrap());
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(prevalence(), 450);
    drop(engine);
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    let devices = engine.devices(organization(1), ip(), window).unwrap();
    assert_eq!(devices.len(), 450);
}
