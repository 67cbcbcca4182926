//! Opening after a crash: the journal's batches back into heads, and the proof that none is missing.

use crate::contacts::{ContactBatch, IpHasher};
use crate::disk::{Disk, Flushed, JournalEntry};
use crate::error::StoreError;
use crate::head::Head;
use std::ops::RangeInclusive;
use std::sync::mpsc;
use std::thread;

/// What an opening found in the journal.
pub(crate) struct Recovered {
    pub(crate) active: Head,
    pub(crate) sealed: Option<Head>,
    pub(crate) last_sequence: u64,
    /// The newest contact in the journal, seconds since the epoch; 0 for none.
    pub(crate) newest: u32,
    /// Acknowledged batches that are gone.
    pub(crate) missing: Vec<RangeInclusive<u64>>,
}

/// Batches waiting to be applied, per thread.
const QUEUE_BATCHES: usize = 4;

/// Replays the journal. `watermark` is the last batch known to have been durable.
pub(crate) fn recover(
    disk: &Disk,
    flushed: Flushed,
    watermark: u64,
    hasher: &IpHasher,
) -> Result<Recovered, StoreError> {
    let older = Head::new(flushed.epoch + 1, hasher.clone());
    let newer = Head::new(flushed.epoch + 2, hasher.clone());
    older.set_last_sequence(flushed.sequence);
    let replayed = replay(disk, flushed, &older, &newer)?;
    let mut sequences = replayed.sequences;
    sequences.sort_unstable();
    let (missing, last_sequence) = gaps(&sequences, flushed.sequence, watermark);
    let (active, sealed) = if replayed.newer_epoch { (newer, Some(older)) } else { (older, None) };
    Ok(Recovered { active, sealed, last_sequence, newest: replayed.newest, missing })
}

#[derive(Default)]
struct Replayed {
    sequences: Vec<u64>,
    newest: u32,
    newer_epoch: bool,
}

fn replay(disk: &Disk, flushed: Flushed, older: &Head, newer: &Head) -> Result<Replayed, StoreError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let (senders, workers): (Vec<_>, Vec<_>) = (0..threads)
            .map(|_| {
                let (sender, receiver) = mpsc::sync_channel::<JournalEntry>(QUEUE_BATCHES);
                (sender, scope.spawn(move || apply_all(&receiver, older, newer)))
            })
            .unzip();
        let mut replayed = Replayed::default();
        for (entry, sender) in disk.journal_entries().zip(senders.iter().cycle()) {
            let entry = entry?;
            // What a crash left of a flushed epoch goes when its keyspace is cleared the next time. Not now: a live epoch
            // of the same parity can share it.
            if entry.epoch <= flushed.epoch {
                continue;
            }
            if entry.epoch > newer.epoch() {
                return Err(StoreError::Epoch { found: entry.epoch, flushed: flushed.epoch });
            }
            replayed.sequences.push(entry.sequence);
            if entry.epoch == newer.epoch() {
                replayed.newer_epoch = true;
            } else {
                older.set_last_sequence(older.last_sequence().max(entry.sequence));
            }
            // A worker that stopped at a damaged batch reports it below.
            let _ = sender.send(entry);
        }
        drop(senders);
        for worker in workers {
            let newest = worker.join().unwrap_or(Err(StoreError::Batch(crate::contacts::DamagedBatch)))?;
            replayed.newest = replayed.newest.max(newest);
        }
        Ok(replayed)
    })
}

fn apply_all(entries: &mpsc::Receiver<JournalEntry>, older: &Head, newer: &Head) -> Result<u32, StoreError> {
    let mut newest = 0;
    for entry in entries {
        let batch = ContactBatch::decode(&entry.payload)?;
        newest = newest.max(batch.newest());
        let head = if entry.epoch == older.epoch() { older } else { newer };
        head.apply(&batch);
    }
    Ok(newest)
}

/// The numbers missing between `flushed` and the last one that must exist, and that last one.
fn gaps(sequences: &[u64], flushed: u64, watermark: u64) -> (Vec<RangeInclusive<u64>>, u64) {
    let mut missing = Vec::new();
    let mut expected = flushed + 1;
    let past_the_end = watermark.saturating_add(1).max(expected);
    for sequence in sequences.iter().copied().chain([past_the_end]) {
        if sequence > expected {
            missing.push(expected..=sequence - 1);
        }
        expected = expected.max(sequence + 1);
    }
    let last = sequences.last().copied().unwrap_or(0).max(watermark).max(flushed);
    (missing, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_a_lost_tail_are_named() {
        assert_eq!(gaps(&[], 0, 0), (vec![], 0));
        assert_eq!(gaps(&[], 7, 3), (vec![], 7));
        assert_eq!(gaps(&[8, 9], 7, 9), (vec![], 9));
        assert_eq!(gaps(&[8, 9, 10], 7, 9), (vec![], 10), "the watermark may lag behind");
        assert_eq!(gaps(&[9, 12], 7, 12), (vec![8..=8, 10..=11], 12));
        assert_eq!(gaps(&[8], 7, 11), (vec![9..=11], 11), "a tail that fjall dropped silently");
        assert_eq!(gaps(&[], 7, 11), (vec![8..=11], 11));
    }

    fn disk(folder: &tempfile::TempDir, entries: &[(u64, u64)], flushed: Flushed) -> Disk {
        let memory = crate::disk::DiskMemory { block_cache_bytes: 1 << 20, journal_buffer_bytes: 1 << 20 };
        let disk = Disk::open(folder.path(), memory).unwrap();
        let organization = ipstats_model::Organization::from_bytes([1; 16]);
        let payload = ContactBatch::new(organization, &[], &IpHasher::new()).encode();
        let entry = |(epoch, sequence): &(u64, u64)| JournalEntry {
            epoch: *epoch,
            sequence: *sequence,
            payload: payload.clone(),
        };
        disk.commit(&[], entries.iter().map(entry).collect()).unwrap();
        disk.mark_flushed(flushed).unwrap();
        disk
    }

    #[test]
    fn an_opening_that_is_refused_destroys_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // A flushed epoch whose journal was not cleared, and a live one of the same parity.
        let disk = disk(&folder, &[(1, 1), (3, 4)], Flushed { epoch: 1, sequence: 1, newest: 0 });
        for _ in 0..2 {
            let recovered = recover(&disk, disk.flushed().unwrap(), 4, &IpHasher::new()).unwrap();
            assert_eq!(recovered.missing, [2..=3]);
        }
    }

    #[test]
    fn an_epoch_without_batches_does_not_move_the_numbers_back() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(&folder, &[(3, 9)], Flushed { epoch: 1, sequence: 7, newest: 0 });
        let recovered = recover(&disk, disk.flushed().unwrap(), 9, &IpHasher::new()).unwrap();
        assert_eq!(recovered.sealed.unwrap().last_sequence(), 7);
    }
}
