//! `import`, killed: into a folder that it creates, and into one with records, which it also writes into tiles.

use super::{ARGUMENTS, Kills, all, assert_completes, assert_opens, connections, remove, spread};
use crate::cli::model::Model;
use crate::site::{Site, log};
use std::collections::BTreeSet;
use std::fs;

const CREATION_KILLS: u64 = 60;
const FLUSH_KILLS: u64 = 40;
/// Covers fjall's creation of the database, of which each change is tried.
const FIRST_CHANGES: u64 = 30;

#[test]
fn import_survives_kill_during_creation() {
    let (kills, site, sent) = (Kills::new(), Site::new(), connections("host", 200));
    remove(&site.place, "data");
    site.place.file("log", log(&sent));
    assert_eq!(kills.run(&site.place, &ARGUMENTS, "data", 0).code, Some(0));
    let total = kills.changes();
    assert!(total > 100, "{total} changes");
    let numbers: BTreeSet<_> = (1..=FIRST_CHANGES).chain(spread(total, CREATION_KILLS)).collect();
    let mut killed_count = 0;
    for &number in &numbers {
        remove(&site.place, "data");
        let done = kills.run(&site.place, &ARGUMENTS, "data", number);
        killed_count += usize::from(done.code.is_none());
        let acknowledged = if done.code == Some(0) { &sent } else { &Model::default() };
        let case = format!("change {number} of {total}");
        assert_opens(&site, acknowledged, &sent, &case);
        assert_completes(&site, &sent, &case);
    }
    assert!(killed_count >= numbers.len() / 2, "{killed_count} of {} runs were killed", numbers.len());
}

/// The folder has records in tiles and in the journal, so the import joins both with its own.
#[test]
fn import_survives_kill_during_flush() {
    let (kills, site) = (Kills::new(), Site::new());
    let (before, after) = (connections("before", 100), connections("after", 100));
    let sent = all(&[&before, &after]);
    site.place.file("log", log(&before));
    assert_eq!(site.place.run(&ARGUMENTS).code, Some(0));
    fs::rename(site.place.path("data"), site.place.path("kept")).unwrap();
    let restore = || {
        remove(&site.place, "data");
        copy_folder(&site, "kept", "data");
        site.place.file("log", log(&after));
    };
    restore();
    assert_eq!(kills.run(&site.place, &ARGUMENTS, "data", 0).code, Some(0));
    let total = kills.changes();
    assert!(total > 40, "{total} changes");
    for number in spread(total, FLUSH_KILLS) {
        restore();
        let done = kills.run(&site.place, &ARGUMENTS, "data", number);
        let acknowledged = if done.code == Some(0) { &sent } else { &before };
        let case = format!("change {number} of {total}");
        assert_opens(&site, acknowledged, &sent, &case);
        assert_completes(&site, &sent, &case);
    }
}

/// What programs left before they created the store under another name: their opening failed for good.
#[test]
fn import_repairs_unfinished_store() {
    let (site, sent) = (Site::new(), connections("host", 50));
    fs::create_dir_all(site.place.path("data/store/keyspaces")).unwrap();
    fs::write(site.place.path("data/format-version"), "1\n").unwrap();
    fs::write(site.place.path("data/journal-watermark"), "").unwrap();
    fs::write(site.place.path("data/store/lock"), "").unwrap();
    fs::write(site.place.path("data/store/0.jnl"), vec![0; 4096]).unwrap();
    assert_opens(&site, &Model::default(), &sent, "unfinished store");
    assert_completes(&site, &sent, "unfinished store");
}

fn copy_folder(site: &Site, from: &str, to: &str) {
    let (from, to) = (site.place.path(from), site.place.path(to));
    let copied = std::process::Command::new("cp").arg("-a").args([&from, &to]).status().unwrap();
    assert!(copied.success());
}
