//! What a store holds, in pieces: out of any store, into any other, whatever keeps them.
//!
//! Reading holds nobody up and takes no lock: what was acknowledged before it began is in the pieces, and what comes in
//! meanwhile may be. Every piece is a join with what the other store knows.

use super::{Backend, Store, StoreError};
use ipstats_model::limits::CLOCK_AHEAD_SECONDS_MAX;
use ipstats_model::{Organization, Piece, Timestamp};
use std::ops::ControlFlow;

/// How far a source was read: whose it is, its name, and the position.
pub type Checkpoint = (Organization, String, Vec<u8>);

/// What was not passed on, because no store of ours would take it: others may insert into tables of ClickHouse, and a clock
/// may have been wrong.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Contacts more than five minutes ahead of the clock.
    pub too_far_ahead: u64,
    /// Contacts of devices whose names are empty or too long.
    pub without_device: u64,
}

/// A piece that nothing was taken of: with it, all that is older would count as expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "what is to be added has a contact of {newest}, more than 5 minutes ahead of the clock ({now}): nothing of it was \
     recorded. Set the clock, or pin it with --as-of on both sides; or what came is damaged"
)]
pub struct PieceAhead {
    newest: Timestamp,
    now: Timestamp,
}

impl Store {
    /// Passes on all that a question at `now` or later can see, until told to stop. Blocks.
    pub fn read_pieces_here(
        &self,
        now: Timestamp,
        mut each: impl FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<LeftOut, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => {
                let too_far_ahead = store.engine()?.read_pieces(now, each)?;
                Ok(LeftOut { too_far_ahead, ..LeftOut::default() })
            }
            Backend::ClickHouse(store) => store.read_pieces_here(now, &mut each),
        }
    }

    /// Joins a piece with what is known; returns after it is durable and answerable. Doing it again changes nothing. One with
    /// a time further ahead of `now` than a record may lie is refused. Blocks.
    pub fn add_piece_here(&self, piece: &Piece, now: Timestamp) -> Result<(), StoreError> {
        if let Some(newest) =
            piece.newest().filter(|newest| *newest > now.plus_seconds(CLOCK_AHEAD_SECONDS_MAX))
        {
            return Err(StoreError::PieceAhead(PieceAhead { newest, now }));
        }
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.add_piece(piece)?),
            Backend::ClickHouse(store) => store.add_piece_here(piece),
        }
    }

    /// How far all sources of all organizations were read. Blocks.
    pub fn all_checkpoints_here(&self) -> Result<Vec<Checkpoint>, StoreError> {
        match &self.0 {
            Backend::Embedded(store) => Ok(store.engine()?.all_checkpoints()?),
            Backend::ClickHouse(store) => store.all_checkpoints_here(),
        }
    }

    /// Notes how far sources were read that this store knows nothing of yet; those it knows are left as they are. To be
    /// called after all that was read before is recorded here. How many were noted. Blocks.
    pub fn add_checkpoints_here(&self, checkpoints: &[Checkpoint]) -> Result<usize, StoreError> {
        let mut noted = 0;
        for of_one in checkpoints.chunk_by(|one, next| one.0 == next.0) {
            let Some((organization, ..)) = of_one.first() else { continue };
            let known = self.checkpoints_here(*organization)?;
            let is_new = |source: &str| known.iter().all(|(known, _)| known != source);
            let new: Vec<(&str, Option<&[u8]>)> = of_one
                .iter()
                .filter(|(_, source, _)| is_new(source))
                .map(|(_, source, position)| (source.as_str(), Some(position.as_slice())))
                .collect();
            if !new.is_empty() {
                self.set_checkpoints_here(*organization, &new)?;
            }
            noted += new.len();
        }
        Ok(noted)
    }
}
