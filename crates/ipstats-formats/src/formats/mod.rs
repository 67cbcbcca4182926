//! One file a format: how it is recognized, which fields it reads, and what counts. docs/sources.md says it in prose.
//!
//! To add a format: a file here that states its [`JsonFormat`] or [`CsvFormat`], a variant of [`Format`], and its
//! line in [`grammar`]. Samples in `testdata/<format>/` are found by the snapshot tests.

mod ecs;
pub(crate) mod evtx;
mod ipstats;
mod mde;
mod mde_hunting;
mod mde_streaming;
mod ocsf;
mod osquery;
mod suricata;
mod sysmon;
mod sysmon_json;
pub(crate) mod vpc_flow;
mod winlog;
mod zeek;
pub(crate) mod zeek_json;
pub(crate) mod zeek_tsv;

use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::framer::JsonKeys;
use crate::outcome::Malformed;
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
    /// Whether the first records of a stream, of which these are the keys, are of this format.
    pub(crate) recognizes: fn(&JsonKeys<'_>) -> bool,
    /// Keys of a top-level object whose array holds the records.
    pub(crate) lists: &'static [&'static str],
    /// Reads a record: the text of one JSON object.
    pub(crate) record: fn(&str, &mut Reader<'_>) -> Outcome,
}

/// What a stream of `format` is made of.
pub(crate) const fn grammar(format: Format) -> Grammar {
    match format {
        Format::ZeekTsv => Grammar::ZeekTsv,
        Format::ZeekJson => Grammar::Json(&zeek_json::FORMAT),
        Format::MdeStreaming => Grammar::Json(&mde_streaming::FORMAT),
        Format::MdeHuntingCsv => Grammar::Csv(&mde_hunting::CSV),
        Format::MdeHuntingJson => Grammar::Json(&mde_hunting::JSON),
        Format::Suricata => Grammar::Json(&suricata::FORMAT),
        Format::SysmonJson => Grammar::Json(&sysmon_json::FORMAT),
        Format::SysmonEvtx => Grammar::Evtx,
        Format::VpcFlow => Grammar::VpcFlow,
        Format::Ecs => Grammar::Json(&ecs::FORMAT),
        Format::Ocsf => Grammar::Json(&ocsf::FORMAT),
        Format::Osquery => Grammar::Json(&osquery::FORMAT),
        Format::IpstatsNdjson => Grammar::Json(&ipstats::JSON),
        Format::IpstatsCsv => Grammar::Csv(&ipstats::CSV),
    }
}

/// The cells of a CSV row by position, as an array of the columns a format reads.
fn array<'r, 't, const N: usize>(cells: &'r [Scalar<'t>]) -> Result<&'r [Scalar<'t>; N], Malformed> {
    cells.try_into().map_err(|_| Malformed::Columns { expected: N, found: cells.len() })
}
