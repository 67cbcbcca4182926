//! How far sources were read: kept with the data, and never ahead of it.

use crate::naive::organization;
use ipstats_engine::{Engine, Options, RecordError};
use std::path::Path;

fn open(folder: &Path) -> Engine {
    Engine::open(folder, &Options::default()).unwrap()
}

/// The checkpoints of an organization, as `source=position`.
fn kept(engine: &Engine, of: u8) -> Vec<String> {
    let checkpoints = engine.checkpoints(organization(of)).unwrap();
    checkpoints.iter().map(|(source, position)| format!("{source}={}", position.escape_ascii())).collect()
}

#[test]
fn checkpoints_survive_restarts_and_belong_to_one_organization() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    assert!(kept(&engine, 1).is_empty());
    engine.set_checkpoints(organization(1), &[("conn.log", Some(b"10")), ("old.log", Some(b""))]).unwrap();
    engine.set_checkpoints(organization(2), &[("conn.log", Some(b"7"))]).unwrap();
    assert_eq!(kept(&engine, 1), ["conn.log=10", "old.log="]);
    engine.set_checkpoints(organization(1), &[("conn.log", Some(b"20\0")), ("old.log", None)]).unwrap();
    // Without a flush: as after a crash.
    drop(engine);
    let engine = open(folder.path());
    assert_eq!(
        (kept(&engine, 1), kept(&engine, 2)),
        (vec!["conn.log=20\\x00".into()], vec!["conn.log=7".into()])
    );
    engine.close().unwrap();
    assert_eq!(kept(&open(folder.path()), 1), ["conn.log=20\\x00"]);
}

#[test]
fn a_checkpoint_that_cannot_be_kept_is_refused_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let long = "x".repeat(32 << 10);
    let refused = engine.set_checkpoints(organization(1), &[("a", Some(b"1")), (&long, Some(b"1"))]);
    assert!(matches!(refused, Err(RecordError::Checkpoint { bytes: 32_769 })), "{refused:?}");
    assert!(kept(&engine, 1).is_empty());
    engine.set_checkpoints(organization(1), &[(&long[1..], Some(b"1"))]).unwrap();
    assert_eq!(kept(&engine, 1).len(), 1);
}
