//! Damage on the disk: bytes of a store that is not open are changed. Then every answer is the naive one or an error,
//! and an opening that would miss something acknowledged is refused.

use crate::naive::{Connection, Naive, organization, record};
use ipstats_engine::{Engine, OpenError, Options};
use ipstats_model::{CanonicalIp, Timestamp};
use std::fs;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_second(1_700_000_000);

fn ips() -> Vec<CanonicalIp> {
    (0..6).map(|last| std::net::Ipv4Addr::new(192, 0, 2, last).into()).collect()
}

/// The first batch is large, so that later ones stay in recent tiles.
fn connections(batch: i64) -> Vec<Connection> {
    let connection = |n: i64| Connection {
        organization: organization(1),
        device: format!("device-{}", (batch * 13 + n) % 29),
        ip: ips()[usize::try_from(n % 5).unwrap()],
        at: NOW.plus_seconds(-(batch * 86_400 + n * 977 % 50_000)),
    };
    (0..if batch == 0 { 3000 } else { 40 }).map(connection).collect()
}

/// The batches that [`store`] puts into tiles.
const FLUSHED: i64 = 3;
/// Those that only the journal holds.
const UNFLUSHED: i64 = 6;

/// A store with tiles on both levels, and batches that only the journal holds.
fn store(unflushed: i64) -> (Image, Naive) {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), &Options::default()).unwrap();
    let mut naive = Naive::default();
    for batch in 0..FLUSHED + unflushed {
        record(&engine, &connections(batch), NOW);
        naive.record(&connections(batch), NOW);
        if batch < FLUSHED {
            engine.flush().unwrap();
        }
    }
    drop(engine);
    (Image::of(folder.path()), naive)
}

/// The files of a store that is closed.
struct Image(Vec<ImageFile>);

struct ImageFile {
    /// Relative to the data folder.
    path: PathBuf,
    /// Up to the zeros at the end, which fjall puts there in advance.
    used: Vec<u8>,
    length: u64,
}

impl Image {
    fn of(folder: &Path) -> Self {
        let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(inner) = folders.pop() {
            for entry in fs::read_dir(inner).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(ImageFile::read(folder, &path));
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self(files)
    }

    fn write(&self, folder: &Path) {
        for file in &self.0 {
            let path = folder.join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &file.used).unwrap();
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(file.length).unwrap();
        }
    }

    /// Writes the image into a folder of its own, with one bit of a file flipped.
    fn damaged(&self, file: &ImageFile, offset: usize) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        let damaged = fs::OpenOptions::new().write(true).open(folder.path().join(&file.path)).unwrap();
        let byte = file.used.get(offset).unwrap() ^ 1 << (offset % 8);
        damaged.write_all_at(&[byte], offset as u64).unwrap();
        folder
    }
}

impl ImageFile {
    fn read(folder: &Path, path: &Path) -> Self {
        let mut used = fs::read(path).unwrap();
        let length = used.len() as u64;
        let last = used.chunks(4096).rposition(|chunk| chunk.iter().any(|byte| *byte != 0));
        used.truncate(last.map_or(0, |last| (last + 1) * 4096));
        used.truncate(used.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        Self { path: path.strip_prefix(folder).unwrap().to_owned(), used, length }
    }
}

fn open(folder: &TempDir) -> Result<Engine, OpenError> {
    Engine::open(folder.path(), &Options::default())
}

/// Does `check` with every store that differs from the image in a bit of the `chosen` files, `step` bytes apart.
fn for_flipped_bits(
    image: &Image,
    chosen: impl Fn(&Path) -> bool,
    step: usize,
    mut check: impl FnMut(&TempDir),
) {
    for file in image.0.iter().filter(|file| chosen(&file.path)) {
        for offset in (0..file.used.len()).step_by(step) {
            let folder = image.damaged(file, offset);
            let checked = catch_unwind(AssertUnwindSafe(|| check(&folder)));
            assert!(checked.is_ok(), "with a bit flipped in byte {offset} of {}", file.path.display());
        }
    }
}

#[test]
fn a_damaged_table_is_refused_or_an_error_and_never_a_wrong_answer() {
    let (image, naive) = store(0);
    let (mut refused, mut errors, mut exact) = (0, 0, 0);
    let is_tables = |path: &Path| path.starts_with("store/keyspaces");
    for_flipped_bits(&image, is_tables, 89, |folder| match open(folder) {
        Err(error) => {
            assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
            refused += 1;
        }
        Ok(engine) => match naive.errors(&engine, organization(1), &ips(), NOW) {
            0 => exact += 1,
            _ => errors += 1,
        },
    });
    assert!(refused > 0 && errors > 0 && exact > 0, "{refused} {errors} {exact}");
}

#[test]
fn a_damaged_journal_is_refused_and_what_is_missing_is_named() {
    let (image, naive) = store(UNFLUSHED);
    let (mut lost, mut unreadable) = (0, 0);
    let is_journal = |path: &Path| path.extension().is_some_and(|extension| extension == "jnl");
    for_flipped_bits(&image, is_journal, 101, |folder| match open(folder) {
        // The bit was in a number that did not matter.
        Ok(engine) => assert_eq!(naive.errors(&engine, organization(1), &ips(), NOW), 0),
        Err(OpenError::LostBatches { missing, .. }) => {
            // Contiguous numbers from 1, one for each batch.
            let newest = u64::try_from(FLUSHED + UNFLUSHED).unwrap();
            assert!(
                missing.iter().all(|range| (1..=newest).contains(range.start()) && *range.end() <= newest)
            );
            go_on_without_what_is_lost(folder, &naive);
            lost += 1;
        }
        Err(error) => {
            assert!(matches!(error, OpenError::Store { .. }), "{error}");
            assert!(matches!(open(folder), Err(OpenError::Store { .. })), "an opening repairs nothing");
            unreadable += 1;
        }
    });
    assert!(lost > 0 && unreadable > 0, "{lost} {unreadable}");
}

/// Refused again, unless it is told to go on; with everything imported again it is as if nothing had happened.
fn go_on_without_what_is_lost(folder: &TempDir, naive: &Naive) {
    assert!(matches!(open(folder), Err(OpenError::LostBatches { .. })), "an opening forgets nothing");
    let accept = Options { accept_lost_batches: true, ..Options::default() };
    let engine = Engine::open(folder.path(), &accept).unwrap();
    (0..FLUSHED + UNFLUSHED).for_each(|batch| record(&engine, &connections(batch), NOW));
    assert_eq!(naive.errors(&engine, organization(1), &ips(), NOW), 0);
    drop(engine);
    assert_eq!(naive.errors(&open(folder).unwrap(), organization(1), &ips(), NOW), 0);
}
