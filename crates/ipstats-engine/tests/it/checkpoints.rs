//! How far sources were read: kept with the data, and never ahead of it.

use crate::naive::organization;
use ipstats_engine::{Engine, Options, RecordError};
use std::path::Path;

fn open(folder: &Path) -> Engine {
    Engine::open(folder, &Options::default()).unwrap()
}

fn offsets(engine: &Engine, of: u8) -> Vec<(String, u64)> {
    engine.checkpoints(organization(of)).unwrap()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(source, offset)| ((*source).to_owned(), *offset)).collect()
}

#[test]
fn checkpoints_survive_restarts_and_belong_to_one_organization() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    assert_eq!(offsets(&engine, 1), []);
    engine.set_checkpoints(organization(1), &[("conn.log", Some(10)), ("old.log", Some(u64::MAX))]).unwrap();
    engine.set_checkpoints(organization(2), &[("conn.log", Some(7))]).unwrap();
    engine.set_checkpoints(organization(1), &[("conn.log", Some(20)), ("old.log", None)]).unwrap();
    // Without a flush: as after a crash.
    drop(engine);
    let engine = open(folder.path());
    assert_eq!(offsets(&engine, 1), pairs(&[("conn.log", 20)]));
    assert_eq!(offsets(&engine, 2), pairs(&[("conn.log", 7)]));
    engine.close().unwrap();
    assert_eq!(offsets(&open(folder.path()), 1), pairs(&[("conn.log", 20)]));
}

#[test]
fn a_name_that_cannot_be_kept_is_refused_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let long = "x".repeat(4097);
    let refused = engine.set_checkpoints(organization(1), &[("a", Some(1)), (&long, Some(1))]);
    assert!(matches!(refused, Err(RecordError::SourceName { bytes: 4097 })), "{refused:?}");
    assert_eq!(offsets(&engine, 1), []);
    engine.set_checkpoints(organization(1), &[(&long[1..], Some(1))]).unwrap();
    assert_eq!(offsets(&engine, 1), pairs(&[(&long[1..], 1)]));
}
