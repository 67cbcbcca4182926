//! One end of a copy: a store that this process opens, or the service that has it open.

use super::service::Service;
use crate::client::OperatorError;
use crate::clock::Clock;
use crate::config::{Config, StoreBackend};
use crate::store::{Checkpoint, LeftOut, OpenStoreError, Store, StoreError};
use ipstats_model::Piece;
use std::ops::ControlFlow;

/// What is done with each piece.
pub(super) type Each<'a> = &'a mut dyn FnMut(Piece) -> ControlFlow<()>;

/// One end of a copy.
pub struct Place(End);

enum End {
    Here { store: Box<Store>, clock: Clock },
    Service(Service),
}

/// Why a copy failed. What was written is there, and the next copy goes over it again.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenStoreError),
    /// The store does not answer or acknowledge.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service that has the data folder open cannot be asked.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The service says that it failed.
    #[error("the service that has the data folder open: {0}")]
    Service(String),
}

impl Place {
    /// The store that `config` names. Where a service has the data folder open, it is asked at its operator's socket.
    pub fn open(config: &Config, clock: &Clock) -> Result<Self, CopyError> {
        let end = match Store::open(config, clock) {
            Ok(store) => {
                // A server that is away is no reason not to open the store, but one not to begin.
                store.newest_event_here()?;
                End::Here { store: Box::new(store), clock: clock.clone() }
            }
            Err(error) if error.is_in_use() && matches!(config.store, StoreBackend::Embedded) => {
                match Service::at(&config.operator_socket()) {
                    Ok(service) => End::Service(service),
                    // Another command has it open, which says which one.
                    Err(OperatorError::NotRunning(_)) => return Err(error.into()),
                    Err(other) => return Err(other.into()),
                }
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self(end))
    }

    /// Whether a running service is asked.
    pub const fn is_service(&self) -> bool {
        matches!(self.0, End::Service(_))
    }

    /// Releases what was opened; everything is durable before already.
    pub fn close(&self) -> Result<(), CopyError> {
        match &self.0 {
            End::Here { store, .. } => Ok(store.close_here()?),
            End::Service(_) => Ok(()),
        }
    }

    /// Puts checkpoints into `checkpoints`, then passes on all pieces.
    pub(super) fn read(
        &self,
        checkpoints: &mut Vec<Checkpoint>,
        each: Each<'_>,
    ) -> Result<LeftOut, CopyError> {
        match &self.0 {
            End::Here { store, clock } => {
                *checkpoints = store.all_checkpoints_here()?;
                Ok(store.read_pieces_here(clock.now(), each)?)
            }
            End::Service(service) => service.read(checkpoints, each),
        }
    }

    pub(super) fn add(&self, piece: &Piece) -> Result<(), CopyError> {
        match &self.0 {
            End::Here { store, clock } => Ok(store.add_piece_here(piece, clock.now())?),
            End::Service(service) => service.add(piece),
        }
    }

    pub(super) fn add_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<usize, CopyError> {
        match &self.0 {
            End::Here { store, .. } => Ok(store.add_checkpoints_here(checkpoints)?),
            End::Service(service) => service.add_checkpoints(checkpoints),
        }
    }
}
