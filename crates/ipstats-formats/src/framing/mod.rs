//! Cuts a stream whose layout is known into frames of whole records.
//!
//! This module does not read the content of records. Between two calls it keeps at most a block of whole records and one
//! record in progress.

mod blocks;
mod csv;
mod documents;
mod evtx;
mod header_rows;
mod nesting;
mod rows;
mod zeek;

pub(crate) use csv::places;
pub(crate) use evtx::MAGIC as EVTX_MAGIC;

use crate::error::StreamError;
use crate::formats::mapped::FieldMap;
use crate::frame::Frame;
use crate::grammar::CsvFormat;
use crate::record::Records;
use crate::settings::Limits;
use blocks::{Blocks, Lines};
use documents::Documents;
use evtx::EvtxFramer;
use rows::{JsonLines, Rows};
use std::fmt;
use std::sync::Arc;

/// Size of a frame, in bytes, once a stream is longer than that: enough that handing it to a thread costs nothing
/// compared with parsing it, and little enough that a frame and its batch stay in a core's cache.
const FRAME_BYTES: usize = 1 << 20;

/// Bytes that are looked at in one go, so that a huge chunk does not become a huge frame.
pub(crate) const PIECE_BYTES: usize = 1 << 18;

/// Cuts the records of one layout out of a stream.
pub(crate) trait RecordFramer: fmt::Debug + Send {
    /// Takes the next bytes, at most [`PIECE_BYTES`], and appends the frames that are now complete.
    fn feed(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), StreamError>;

    /// Appends the whole records that are buffered.
    fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError>;

    /// The stream is at its end: appends what is left.
    fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError>;

    /// Bytes that were fed and are in no frame yet.
    fn held_bytes(&self) -> usize;

    /// The header lines in force, which the rest of the stream needs; empty for layouts without a header.
    fn header(&self) -> &[u8] {
        &[]
    }
}

/// Rows of a Zeek log below its header lines, or below these columns.
pub(crate) fn zeek_rows(first_line: u64, limits: Limits, columns: &[String]) -> Box<dyn RecordFramer> {
    Box::new(Rows::new(Blocks::new(Lines, first_line, limits), zeek::Headers::new(limits, columns)))
}

/// Rows of VPC flow logs.
pub(crate) fn vpc_flow_rows(first_line: u64, limits: Limits) -> Box<dyn RecordFramer> {
    Box::new(Rows::new(Blocks::new(Lines, first_line, limits), header_rows::Header::new(limits)))
}

/// Rows of CSV below a header row, whose columns a map may name.
pub(crate) fn csv_rows(
    format: &'static CsvFormat,
    map: Option<Arc<FieldMap>>,
    first_line: u64,
    limits: Limits,
) -> Box<dyn RecordFramer> {
    Box::new(Rows::new(csv::blocks(first_line, limits), csv::Header::new(format, map, limits)))
}

/// JSON records, one a line.
pub(crate) fn json_lines(records: Records, first_line: u64, limits: Limits) -> Box<dyn RecordFramer> {
    Box::new(Rows::new(Blocks::new(Lines, first_line, limits), JsonLines::new(records, limits)))
}

/// JSON records in documents, whose records are in the arrays of these keys.
pub(crate) fn json_documents(
    records: Records,
    lists: &'static [&'static str],
    first_line: u64,
    limits: Limits,
) -> Box<dyn RecordFramer> {
    Box::new(Documents::new(records, lists, first_line, limits))
}

/// Chunks of EVTX files.
pub(crate) fn evtx_chunks() -> Box<dyn RecordFramer> {
    Box::new(EvtxFramer::new())
}
