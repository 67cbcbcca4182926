//! Everything the engine holds, in pieces for another store; and pieces of another store into this one.
//!
//! Nothing is held up meanwhile: records come in, heads are flushed. What was acknowledged before the reading began is in
//! the pieces; what comes later may be. The order makes that true: heads before tiles, recent before base, because what
//! leaves one place was written to the next one before.
//!
//! Parts of an IP's state (a head's, a tile's) are not joined on the way: their join is what the other store makes. Each
//! part is a state by itself, so the minute of each device's last contact is among its minutes.
//!
//! A contact that lies ahead of the clock further than a record may, because the clock was wrong when it was recorded, is left
//! out and counted: no other store would have taken it.

use crate::contacts::ContactBatch;
use crate::core::Core;
use crate::disk::Level;
use crate::error::{ReadError, RecordError, StoreError};
use crate::flush::horizon;
use crate::state::{Contact, DeviceState, IpState};
use crate::tiles;
use hashbrown::HashMap;
use ipstats_model::limits::CLOCK_AHEAD_SECONDS_MAX;
use ipstats_model::{CanonicalIp, Organization, Piece, Timestamp};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use strum::VariantArray as _;

/// Names that are remembered while tiles are read.
const NAMES_MAX: usize = 1 << 18;

const MINUTES_PER_DAY: u32 = 1440;

impl Core {
    /// Passes everything on that a question at `now` or later can see, until told to stop; how many contacts were left out
    /// because they lie too far ahead.
    pub(crate) fn read_pieces(
        &self,
        now: Timestamp,
        each: impl FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<u64, ReadError> {
        let second = |time: Timestamp| u32::try_from(time.second().max(0)).unwrap_or(u32::MAX);
        let oldest = horizon(second(now).min(self.newest.load(Ordering::Acquire)));
        let latest = second(now.plus_seconds(CLOCK_AHEAD_SECONDS_MAX));
        let names = HashMap::new();
        let mut cutter = Cutter { core: self, oldest, latest, too_far_ahead: 0, names, piece: None, each };
        let heads = self.heads.current();
        for head in [Some(&heads.active), heads.sealed.as_ref()].into_iter().flatten() {
            for shard in head.shards() {
                for (organization, slot) in head.slots_of(shard) {
                    if cutter.add(organization, slot.ip(), slot.state())?.is_break() {
                        return Ok(cutter.too_far_ahead);
                    }
                }
            }
        }
        // What was flushed meanwhile need not stay in memory until all tiles are read.
        drop(heads);
        for level in Level::VARIANTS.iter().copied() {
            for entry in self.disk.tiles(level) {
                let (organization, ip, bytes) = entry?;
                let state = tiles::decode(&bytes, level, organization, ip)?;
                if cutter.add(organization, ip, state)?.is_break() {
                    return Ok(cutter.too_far_ahead);
                }
            }
        }
        let _ = cutter.pass_on();
        Ok(cutter.too_far_ahead)
    }

    /// Joins a piece with what is known. Durable and answerable when it returns.
    pub(crate) fn add_piece(&self, piece: &Piece) -> Result<(), RecordError> {
        self.journal.check().map_err(|failed| RecordError::Failed(failed.0))?;
        let second = |at: Timestamp| u32::try_from(at.second()).ok();
        let ids = self.devices.intern(&self.disk, piece.organization, &piece.contacts)?;
        let of_devices = piece.contacts.rows().iter().filter_map(|row| {
            let device = *ids.get(row.device as usize)?;
            Some((row.ip, Contact::new(device, second(row.at)?)))
        });
        let moments = piece.moments.iter().chain(&piece.first_contacts);
        let moments = moments.filter_map(|(ip, at)| Some((*ip, Contact::of_no_device(second(*at)?))));
        let rows: Vec<(CanonicalIp, Contact)> = of_devices.chain(moments).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.record_contacts(&ContactBatch::new(piece.organization, &rows, self.heads.hasher()))
    }
}

/// Cuts states into pieces.
struct Cutter<'a, F> {
    core: &'a Core,
    /// The minute before which nothing is visible any more.
    oldest: u32,
    /// The last second that a record may have.
    latest: u32,
    too_far_ahead: u64,
    names: HashMap<(Organization, u32), Box<str>>,
    piece: Option<Piece>,
    each: F,
}

impl<F: FnMut(Piece) -> ControlFlow<()>> Cutter<'_, F> {
    fn add(
        &mut self,
        organization: Organization,
        ip: CanonicalIp,
        mut state: IpState,
    ) -> Result<ControlFlow<()>, StoreError> {
        state.prune(self.oldest.max(horizon(state.last())));
        let mut told = Told::new(&state);
        for device in state.devices() {
            for second in told.times(device) {
                if self.add_contact(organization, ip, device.id, second)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        let latest = self.latest;
        for second in told.untold().filter(|second| *second <= latest) {
            if self.add_entry(organization, |piece| piece.moments.push((ip, time(second)))).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let first_ever = state.first_ever();
        if state.minutes().first().is_some_and(|oldest| *oldest <= first_ever) || first_ever > latest {
            return Ok(ControlFlow::Continue(()));
        }
        Ok(self.add_entry(organization, |piece| piece.first_contacts.push((ip, time(first_ever)))))
    }

    fn add_contact(
        &mut self,
        organization: Organization,
        ip: CanonicalIp,
        device: u32,
        second: u32,
    ) -> Result<ControlFlow<()>, StoreError> {
        if second > self.latest {
            self.too_far_ahead += 1;
            return Ok(ControlFlow::Continue(()));
        }
        if !self.names.contains_key(&(organization, device)) {
            if self.names.len() >= NAMES_MAX {
                self.names.clear();
            }
            let name = self.core.device_name(organization, device)?;
            self.names.insert((organization, device), name.into());
        }
        let name = self.names.get(&(organization, device)).map_or("", AsRef::as_ref).to_owned();
        Ok(self.add_entry(organization, |piece| {
            // A name in the store was accepted once.
            let _ = piece.add_contact(&name, ip, time(second));
        }))
    }

    fn add_entry(&mut self, organization: Organization, add: impl FnOnce(&mut Piece)) -> ControlFlow<()> {
        if self.piece.as_ref().is_some_and(|piece| piece.organization != organization || piece.is_full()) {
            self.pass_on()?;
        }
        add(self.piece.get_or_insert_with(|| Piece::new(organization)));
        ControlFlow::Continue(())
    }

    fn pass_on(&mut self) -> ControlFlow<()> {
        match self.piece.take().filter(|piece| !piece.is_empty()) {
            Some(piece) => (self.each)(piece),
            None => ControlFlow::Continue(()),
        }
    }
}

/// Which times of a state were told as contacts of devices.
struct Told<'a> {
    state: &'a IpState,
    seconds: Vec<u32>,
    names_last: bool,
}

impl<'a> Told<'a> {
    const fn new(state: &'a IpState) -> Self {
        Self { state, seconds: Vec::new(), names_last: false }
    }

    /// Times from which another store learns all that is known of a device: one in its last minute, one on each of its
    /// other days, and the very last contact where it was this device's or another one's in the same minute.
    fn times(&mut self, device: DeviceState) -> impl Iterator<Item = u32> + use<> {
        let last = self.state.first_of_minute(device.last).unwrap_or(device.last * 60);
        let last_day = device.last / MINUTES_PER_DAY;
        let earlier = (1..32).filter(|back| device.days >> back & 1 == 1);
        // A day whose minutes have expired is in no answer.
        let days = earlier.filter_map(|back| self.state.first_of_day(last_day.checked_sub(back)?));
        let mut seconds: smallvec::SmallVec<[u32; 4]> = std::iter::once(last).chain(days).collect();
        self.seconds.extend_from_slice(&seconds);
        if !self.names_last && device.last == self.state.last() / 60 {
            self.names_last = true;
            if self.state.last() != last {
                seconds.push(self.state.last());
            }
        }
        seconds.into_iter()
    }

    /// The other minutes with a contact.
    fn untold(self) -> impl Iterator<Item = u32> {
        let mut told = self.seconds;
        told.sort_unstable();
        self.state.minutes().iter().copied().filter(move |second| told.binary_search(second).is_err())
    }
}

fn time(second: u32) -> Timestamp {
    Timestamp::from_second(second.into())
}
