//! A running service as one end of a copy, by frames at its operator's socket.

use super::frames::{CHECKPOINTS_MAX, FRAME_BYTES_MAX, Frame};
use super::place::{CopyError, Each};
use crate::client::{OperatorError, OperatorLink};
use crate::store::{Checkpoint, LeftOut};
use ipstats_model::Piece;
use std::ops::ControlFlow;
use std::path::Path;

/// Where a service gives pieces (GET) and takes them (POST).
pub(super) const PIECES: &str = "/pieces";

pub(super) struct Service(OperatorLink);

/// Frames from the parts of an answer.
struct Reading<'a, 'b> {
    bytes: Vec<u8>,
    checkpoints: &'a mut Vec<Checkpoint>,
    each: Each<'b>,
    outcome: Option<Result<LeftOut, CopyError>>,
}

impl Service {
    pub(super) fn at(socket: &Path) -> Result<Self, OperatorError> {
        OperatorLink::to(socket).map(Self)
    }

    pub(super) fn read(
        &self,
        checkpoints: &mut Vec<Checkpoint>,
        each: Each<'_>,
    ) -> Result<LeftOut, CopyError> {
        let mut reading = Reading { bytes: Vec::new(), checkpoints, each, outcome: None };
        self.0.read(PIECES, |part| reading.take(part))?;
        reading.outcome.unwrap_or_else(|| Err(CopyError::Service("it broke off; see its log".to_owned())))
    }

    pub(super) fn add(&self, piece: &Piece) -> Result<(), CopyError> {
        Ok(self.0.send(PIECES, Frame::of_piece(piece)).map(drop)?)
    }

    pub(super) fn add_checkpoints(&self, checkpoints: &[Checkpoint]) -> Result<usize, CopyError> {
        let mut noted = 0;
        for some in checkpoints.chunks(CHECKPOINTS_MAX) {
            let answer = self.0.send(PIECES, Frame::Checkpoints(some.to_vec()).encode())?;
            noted +=
                std::str::from_utf8(&answer).ok().and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        }
        Ok(noted)
    }
}

impl Reading<'_, '_> {
    fn take(&mut self, part: &[u8]) -> ControlFlow<()> {
        self.bytes.extend_from_slice(part);
        let mut left = self.bytes.len();
        while let Some(bytes) = self.bytes.get(self.bytes.len() - left..) {
            let frame = match Frame::decode(bytes) {
                Ok(Some((frame, rest))) => {
                    left = rest.len();
                    frame
                }
                Ok(None) if left <= FRAME_BYTES_MAX => break,
                Ok(None) | Err(_) => {
                    return self.end(Err(CopyError::Service(super::frames::NoFrame.to_string())));
                }
            };
            match frame {
                Frame::Checkpoints(some) => self.checkpoints.extend(some),
                Frame::Piece(piece) => {
                    if (self.each)(piece).is_break() {
                        return self.end(Ok(LeftOut::default()));
                    }
                }
                Frame::End(left_out) => return self.end(Ok(left_out)),
                Frame::Failed(reason) => return self.end(Err(CopyError::Service(reason))),
            }
        }
        self.bytes.drain(..self.bytes.len() - left);
        ControlFlow::Continue(())
    }

    fn end(&mut self, outcome: Result<LeftOut, CopyError>) -> ControlFlow<()> {
        self.outcome = Some(outcome);
        ControlFlow::Break(())
    }
}
