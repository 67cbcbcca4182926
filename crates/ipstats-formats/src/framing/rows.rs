//! Records that end at line ends, each block of them below the header in force.

use super::RecordFramer;
use super::blocks::{Block, Blocks, RecordEnds};
use crate::error::StreamError;
use crate::frame::{Content, Frame};
use crate::record::Records;
use crate::settings::Limits;
use std::fmt;

/// What knows the header of a stream and makes frames of its rows.
pub(super) trait RowHeader: fmt::Debug + Send {
    /// Makes frames of the rows of a block; takes the header lines out of it.
    fn frames(&mut self, block: Block, frames: &mut Vec<Frame>) -> Result<(), StreamError>;

    /// The header lines in force, as they arrived.
    fn text(&self) -> &[u8];
}

/// Cuts rows into frames.
#[derive(Debug)]
pub(super) struct Rows<E, H> {
    blocks: Blocks<E>,
    header: H,
}

/// JSON records, one a line: a layout without a header.
#[derive(Debug)]
pub(super) struct JsonLines {
    records: Records,
    limits: Limits,
}

impl<E, H> Rows<E, H> {
    pub(super) const fn new(blocks: Blocks<E>, header: H) -> Self {
        Self { blocks, header }
    }
}

impl<E: RecordEnds, H: RowHeader> RecordFramer for Rows<E, H> {
    fn feed(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.blocks.feed(piece, |block| self.header.frames(block, frames))
    }

    fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.blocks.cut(|block| self.header.frames(block, frames))
    }

    fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        self.blocks.finish(|block| self.header.frames(block, frames))
    }

    fn held_bytes(&self) -> usize {
        self.blocks.held_bytes()
    }

    fn header(&self) -> &[u8] {
        self.header.text()
    }
}

impl JsonLines {
    pub(super) const fn new(records: Records, limits: Limits) -> Self {
        Self { records, limits }
    }
}

impl RowHeader for JsonLines {
    fn frames(&mut self, block: Block, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        frames.push(block.into_frame(Content::JsonLines(self.records.clone()), self.limits));
        Ok(())
    }

    fn text(&self) -> &[u8] {
        &[]
    }
}
