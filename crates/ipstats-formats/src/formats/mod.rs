//! One file a format: how it is recognized, which fields it reads, and what counts. docs/sources.md says it in prose.
//!
//! To add a format: a file here that states its [`JsonFormat`] or [`CsvFormat`](crate::grammar::CsvFormat), a variant of [`Format`], and its
//! line in [`grammar`]. Samples in `testdata/<format>/` are found by the snapshot tests.

mod amazon_vpc;
mod ecs;
mod event_data;
pub(crate) mod evtx;
mod ipstats;
pub(crate) mod mapped;
mod mde;
mod mde_hunting;
mod mde_streaming;
mod ocsf;
mod osquery;
mod suricata;
mod sysmon;
mod sysmon_json;
pub(crate) mod vpc_flow;
mod windows_event;
mod winlog;
mod zeek;
pub(crate) mod zeek_json;
pub(crate) mod zeek_tsv;

use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::grammar::{Grammar, JsonFormat};
use crate::outcome::Malformed;

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
        Format::Mapped => Grammar::Json(&mapped::JSON),
    }
}

/// The cells of a CSV row by position, as an array of the columns a format reads.
fn array<'r, 't, const N: usize>(cells: &'r [Scalar<'t>]) -> Result<&'r [Scalar<'t>; N], Malformed> {
    cells.try_into().map_err(|_| Malformed::Columns { expected: N, found: cells.len() })
}

/// The formats of JSON objects, in the order in which a record is tried on them.
pub(crate) fn json_formats() -> impl Iterator<Item = &'static JsonFormat> {
    Format::ALL.into_iter().filter_map(|format| match grammar(format) {
        Grammar::Json(json) => Some(json),
        _ => None,
    })
}
