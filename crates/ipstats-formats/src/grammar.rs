//! What a format is made of, for those who cut, recognize and read records.

use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::json_keys::JsonKeys;
use crate::reader::{Outcome, Reader};

/// What a stream of a format is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grammar {
    /// Tab-separated rows below `#fields` lines.
    ZeekTsv,
    /// Rows with spaces between the columns, below a header or in the default order.
    VpcFlow,
    /// Binary chunks.
    Evtx,
    /// CSV with a header row.
    Csv(&'static CsvFormat),
    /// JSON objects, one a line or in documents.
    Json(&'static JsonFormat),
}

/// A format of CSV rows.
#[derive(Debug)]
pub(crate) struct CsvFormat {
    pub(crate) format: Format,
    /// The columns that are read. Each may go by several names; the first of them that the header has is taken.
    pub(crate) columns: &'static [&'static [&'static str]],
    /// Reads a row: one cell for each of `columns`.
    pub(crate) row: fn(&[Scalar<'_>], &mut Reader<'_>) -> Outcome,
}

/// A format of JSON objects.
#[derive(Debug)]
pub(crate) struct JsonFormat {
    pub(crate) format: Format,
    /// Whether an object with these keys is a record of this format.
    pub(crate) recognizes: fn(&JsonKeys<'_>) -> bool,
    /// Keys of a top-level object whose array holds the records.
    pub(crate) lists: &'static [&'static str],
    /// Reads a record: the text of one JSON object.
    pub(crate) record: fn(&str, &mut Reader<'_>) -> Outcome,
    /// Whether `record` returns "another type of event" only for a record that has the mark of this format. Where it
    /// does not, such a record is recognized anew: it may have another format, or wrap a record.
    pub(crate) knows_other_events: bool,
    /// Whether the format also wraps records of other formats: a wrapped record counts where this format finds no
    /// connection.
    pub(crate) wraps: bool,
}
