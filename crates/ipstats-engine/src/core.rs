//! What the callers' threads and the maintenance thread share.

use crate::contacts::ContactBatch;
use crate::devices::Devices;
use crate::disk::{Disk, DiskError, Flushed};
use crate::error::{CHECKPOINT_BYTES_MAX, ReadError, RecordError, StoreError};
use crate::flush::{flush, horizon, sweep};
use crate::head::Head;
use crate::heads::Heads;
use crate::journal::Journal;
use crate::lost;
use crate::options::MemoryPlan;
use crate::question::Parts;
use crate::state::Contact;
use crate::tiles::TileCache;
use ipstats_model::{Admission, Batch, CanonicalIp, Organization, Recorded, Timestamp, admission};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Most contacts that are folded for an answer at hand: some microseconds.
const CONTACTS_AT_HAND_MAX: usize = 64;

pub(crate) struct Core {
    pub(crate) disk: Disk,
    pub(crate) devices: Devices,
    pub(crate) journal: Journal,
    pub(crate) heads: Heads,
    pub(crate) tiles: TileCache,
    pub(crate) memory: MemoryPlan,
    /// The newest contact stored, seconds since the epoch; 0 for none.
    pub(crate) newest: AtomicU32,
    /// The *now* of the latest batch, seconds since the epoch; 0 before the first.
    pub(crate) latest_now: AtomicU32,
    /// Held by whoever reads tiles to write them again.
    pub(crate) tile_writer: Mutex<()>,
}

impl Core {
    /// Records a batch: admission, ids, journal, head. Durable and answerable when it returns.
    pub(crate) fn record(
        &self,
        organization: Organization,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Recorded, RecordError> {
        self.journal.check().map_err(|failed| RecordError::Failed(failed.0))?;
        self.latest_now.store(u32::try_from(now.second()).unwrap_or(0), Ordering::Release);
        let mut recorded = Recorded::default();
        for row in batch.rows() {
            match admission(row.at, now) {
                Admission::Accepted => recorded.counted += 1,
                Admission::TooOld => recorded.too_old += 1,
                Admission::TooFarAhead => recorded.too_far_ahead += 1,
            }
        }
        if recorded.counted == 0 {
            return Ok(recorded);
        }
        let ids = self.devices.intern(&self.disk, organization, batch)?;
        let accepted = batch.rows().iter().filter(|row| admission(row.at, now) == Admission::Accepted);
        let rows: Vec<(CanonicalIp, Contact)> = accepted
            .filter_map(|row| {
                let device = *ids.get(row.device as usize)?;
                Some((row.ip, Contact::new(device, u32::try_from(row.at.second()).ok()?)))
            })
            .collect();
        self.record_contacts(&ContactBatch::new(organization, &rows, self.heads.hasher()))?;
        Ok(recorded)
    }

    pub(crate) fn record_contacts(&self, batch: &ContactBatch) -> Result<(), RecordError> {
        let ticket = self
            .journal
            .append(batch.encode(), &self.devices, &self.disk)
            .map_err(|failed| RecordError::Failed(failed.0))?;
        self.heads.of_epoch(ticket.epoch).apply(batch);
        self.newest.fetch_max(batch.newest(), Ordering::AcqRel);
        drop(ticket);
        Ok(())
    }

    /// Notes how far sources were read. A failure ends acknowledging, as one of a batch does: they share a journal.
    pub(crate) fn set_checkpoints(
        &self,
        organization: Organization,
        checkpoints: &[(&str, Option<&[u8]>)],
    ) -> Result<(), RecordError> {
        self.journal.check().map_err(|failed| RecordError::Failed(failed.0))?;
        let length =
            |(source, position): &(&str, Option<&[u8]>)| source.len() + position.map_or(0, <[u8]>::len);
        if let Some(bytes) =
            checkpoints.iter().map(length).max().filter(|bytes| *bytes > CHECKPOINT_BYTES_MAX)
        {
            return Err(RecordError::Checkpoint { bytes });
        }
        self.disk.set_checkpoints(organization, checkpoints).map_err(|error| {
            let reason = error.to_string();
            self.journal.fail(&reason);
            RecordError::Failed(reason.into())
        })
    }

    /// The name of a device of which something is known.
    pub(crate) fn device_name(&self, organization: Organization, id: u32) -> Result<String, StoreError> {
        // An id in a state is durable: the batch that brought it was.
        let name = self.disk.device_name(organization, id)?;
        Ok(name.ok_or_else(|| DiskError::entry("a device's name"))?)
    }

    /// Everything known about an IP.
    pub(crate) fn parts(&self, organization: Organization, ip: CanonicalIp) -> Result<Parts, ReadError> {
        // Heads before tiles: a flush that ends in between has the head's content in both.
        let heads = self.heads.current();
        let tile = self.tiles.state(&self.disk, organization, ip, heads.generation)?;
        let in_heads = [Some(&heads.active), heads.sealed.as_ref()].into_iter().flatten();
        let in_heads = in_heads.flat_map(|head| head.parts(organization, ip)).flatten();
        Ok(Parts::new(in_heads.chain([tile])))
    }

    /// The same where it takes no time: everything is in memory, and little is to be folded.
    pub(crate) fn parts_at_hand(&self, organization: Organization, ip: CanonicalIp) -> Option<Parts> {
        let heads = self.heads.current();
        let tile = self.tiles.cached(organization, ip, heads.generation)?;
        let of = |head: &Arc<Head>| head.parts_at_hand(organization, ip, CONTACTS_AT_HAND_MAX);
        let active = of(&heads.active)?;
        let sealed = heads.sealed.as_ref().map_or(Some([None, None]), of)?;
        Some(Parts::new(active.into_iter().chain(sealed).flatten().chain([tile])))
    }

    /// Whether the active head has used up its memory.
    pub(crate) fn is_head_full(&self) -> bool {
        self.heads.active().memory_bytes() >= self.memory.head_bytes
    }

    /// Seals the active head and writes it, or the one that a crash left sealed, into tiles. Calls `sealed` as soon as
    /// there is room in a new head.
    pub(crate) fn flush(&self, sealed: impl Fn()) -> Result<(), StoreError> {
        let _writing = self.tile_writer.lock();
        if let Some(left_by_a_crash) = self.heads.current().sealed {
            self.write_tiles(&left_by_a_crash)?;
        }
        if self.heads.active().is_empty() {
            return Ok(());
        }
        let head = self.heads.seal();
        sealed();
        head.set_last_sequence(self.journal.seal());
        self.write_tiles(&head)
    }

    /// Replaces tiles that have nothing left within retention by the first contact ever. Returns how many.
    ///
    /// Unlike a flush this touches tiles that nobody wrote to, so it trusts neither the clock nor the data alone: it goes
    /// as far as both the newest contact and the latest batch's *now* allow, and no further than `limit` (a minute).
    pub(crate) fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        let _writing = self.tile_writer.lock();
        let horizon = self.sweep_horizon().min(limit);
        let swept = sweep(&self.disk, horizon)?;
        self.disk.mark_swept(horizon)?;
        Ok(swept)
    }

    /// The minute before which tiles have expired.
    pub(crate) fn sweep_horizon(&self) -> u32 {
        horizon(self.newest.load(Ordering::Acquire).min(self.latest_now.load(Ordering::Acquire)))
    }

    /// After acknowledged batches were lost and that was accepted: makes the numbering begin behind them, and keeps ids
    /// whose names were lost from being given to other devices.
    pub(crate) fn skip_gap(&self) -> Result<(), StoreError> {
        self.flush(|| ())?;
        let lost = lost::devices(&self.disk)?;
        self.disk.commit(&lost, Vec::new())?;
        // Whatever sources still hold is read again: most of what was lost comes back by itself.
        self.disk.clear_checkpoints()?;
        let sequence = self.journal.last_sequence();
        Ok(self.disk.mark_flushed(Flushed { sequence, ..self.disk.flushed()? })?)
    }

    fn write_tiles(&self, head: &Head) -> Result<(), StoreError> {
        flush(head, &self.disk)?;
        // A tile must not depend on an id that only fjall's own journal holds: ids that get lost are given away again.
        self.disk.settle_devices()?;
        let newest = self.newest.load(Ordering::Acquire);
        self.disk.mark_flushed(Flushed { epoch: head.epoch(), sequence: head.last_sequence(), newest })?;
        self.heads.drop_sealed();
        self.disk.clear_journal_of(head.epoch())?;
        Ok(())
    }
}
