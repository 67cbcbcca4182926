//! A self-contained piece of a stream.

use crate::fields::csv::{self, RowScanner};
use crate::fields::scalar::Scalar;
use crate::formats::{evtx, vpc_flow, zeek_tsv};
use crate::grammar::CsvFormat;
use crate::outcome::Malformed;
use crate::reader::{Outcome, Reader, Rules};
use crate::record::Records;
use crate::settings::Settings;
use crate::tally::{Issue, Tally};
use ipstats_model::Batch;
use memchr::{memchr, memchr_iter};
use std::str;
use std::sync::Arc;

/// Whole records of one stream, a few MiB at most, with all that is needed to parse them on any thread.
#[derive(Debug)]
pub struct Frame {
    pub(crate) bytes: Vec<u8>,
    /// The line the first record starts on, counted from 1.
    pub(crate) first_line: u64,
    /// Records that were found malformed while the stream was cut, and are not in `bytes`.
    pub(crate) issues: Vec<Issue>,
    pub(crate) content: Content,
    /// Longest record, in bytes.
    pub(crate) record_bytes_max: usize,
}

/// What the bytes of a frame are.
#[derive(Debug)]
pub(crate) enum Content {
    /// None: the frame only tells of issues.
    Nothing,
    /// Rows of a Zeek log, one a line.
    ZeekRows(Arc<zeek_tsv::Columns>),
    /// Rows of a VPC flow log, one a line.
    VpcFlowRows(Arc<vpc_flow::Columns>),
    /// Chunks of an EVTX file. The lines of its issues are the numbers of chunks.
    EvtxChunks,
    /// Rows of CSV.
    CsvRows(Arc<CsvTable>),
    /// JSON objects, one a line.
    JsonLines(Records),
    /// JSON objects, one after the other.
    JsonObjects(Records, Vec<Span>),
}

/// The header of a CSV stream.
#[derive(Debug)]
pub(crate) struct CsvTable {
    pub(crate) format: &'static CsvFormat,
    /// For each column of the stream, its place among the columns that the format reads.
    pub(crate) places: Vec<Option<usize>>,
}

/// One of the objects of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where it ends in the bytes of the frame.
    pub(crate) end: usize,
    /// The line it starts on.
    pub(crate) line: u64,
}

impl Frame {
    /// Parses the records: connections into `batch`, the outcome of each record into `tally`.
    pub fn parse(&self, settings: &Settings, batch: &mut Batch, tally: &mut Tally) {
        for issue in &self.issues {
            tally.malformed_at(issue.line, issue.problem.clone());
        }
        let rules = Rules::new(settings);
        let reader = &mut Reader::new(settings, &rules, batch, tally);
        match &self.content {
            Content::Nothing => {}
            Content::ZeekRows(columns) => {
                self.lines(reader, is_indented_header, |line, reader| columns.read(line, reader));
            }
            Content::VpcFlowRows(columns) => {
                self.lines(reader, is_blank, |line, reader| columns.read(line, reader));
            }
            Content::EvtxChunks => {
                for (number, chunk) in (self.first_line..).zip(self.bytes.chunks(evtx::CHUNK_BYTES)) {
                    evtx::read_chunk(chunk, number, reader);
                }
            }
            Content::JsonLines(records) | Content::JsonObjects(records, _) => {
                let mut records = records.clone();
                self.json_records(|line, record| {
                    reader.record(line, |reader| records.read(record?, reader));
                });
            }
            Content::CsvRows(table) => self.rows(table, reader),
        }
    }

    /// A frame that only tells of issues.
    pub(crate) fn of_issues(issues: Vec<Issue>) -> Self {
        Self { bytes: Vec::new(), first_line: 0, issues, content: Content::Nothing, record_bytes_max: 0 }
    }

    /// Size of the records, in bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives each JSON record with the line it starts on.
    fn json_records(&self, mut give: impl FnMut(u64, Result<&[u8], Malformed>)) {
        match &self.content {
            Content::JsonLines(_) => self.whole_lines(|number, line| match line {
                Ok(line) if is_blank(line) => {}
                line => give(number, line),
            }),
            Content::JsonObjects(_, spans) => {
                let mut start = 0;
                for span in spans {
                    give(span.line, Ok(self.bytes.get(start..span.end).unwrap_or_default()));
                    start = span.end;
                }
            }
            Content::Nothing
            | Content::ZeekRows(_)
            | Content::VpcFlowRows(_)
            | Content::EvtxChunks
            | Content::CsvRows(_) => {}
        }
    }

    fn lines(
        &self,
        reader: &mut Reader<'_>,
        is_nothing: fn(&[u8]) -> bool,
        read: impl Fn(&[u8], &mut Reader<'_>) -> Outcome,
    ) {
        self.whole_lines(|number, line| match line {
            Ok(line) if is_nothing(line) => {}
            Ok(line) => reader.record(number, |reader| read(line, reader)),
            Err(too_long) => reader.record(number, |_| Err(too_long.into())),
        });
    }

    /// Gives each line with its number, without its line end.
    fn whole_lines(&self, mut give: impl FnMut(u64, Result<&[u8], Malformed>)) {
        let mut rest = self.bytes.as_slice();
        let mut number = self.first_line;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = behind.split_first().map_or(&[], |(_, rest)| rest);
            if line.len() > self.record_bytes_max {
                give(number, Err(self.too_long()));
            } else {
                give(number, Ok(line.strip_suffix(b"\r").unwrap_or(line)));
            }
            number += 1;
        }
    }

    fn rows(&self, table: &CsvTable, reader: &mut Reader<'_>) {
        let mut rest = self.bytes.as_slice();
        let mut number = self.first_line;
        while !rest.is_empty() {
            let mut scanner = RowScanner::default();
            let end = scanner.row_end(rest, self.record_bytes_max);
            let (row, behind) = end.and_then(|end| rest.split_at_checked(end.length)).unwrap_or((rest, &[]));
            let line = row.strip_suffix(b"\n").unwrap_or(row);
            if line.len() > self.record_bytes_max {
                reader.record(number, |_| Err(self.too_long().into()));
            } else if scanner.is_quoted() {
                reader.record(number, |_| Err(Malformed::CutOff.into()));
            } else if !is_blank(line) {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                reader.record(number, |reader| table.read(line, reader));
            }
            number += memchr_iter(b'\n', row).count() as u64;
            rest = behind;
        }
    }

    fn too_long(&self) -> Malformed {
        Malformed::TooLong { bytes_max: self.record_bytes_max }
    }
}

impl CsvTable {
    /// Reads one row, without its line end.
    fn read(&self, row: &[u8], reader: &mut Reader<'_>) -> Outcome {
        let row = str::from_utf8(row).map_err(|_| Malformed::NotUtf8)?;
        let mut cells = vec![Scalar::Null; self.format.columns.len()];
        let mut places = self.places.iter();
        let mut found = 0;
        for cell in csv::cells(row) {
            found += 1;
            if let Some(slot) = places.next().copied().flatten().and_then(|place| cells.get_mut(place)) {
                *slot = Scalar::Text(cell);
            }
        }
        if found != self.places.len() {
            return Err(Malformed::Columns { expected: self.places.len(), found }.into());
        }
        (self.format.row)(&cells, reader)
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// A blank line, or a header line of Zeek that something has indented: a row never starts with white space.
fn is_indented_header(line: &[u8]) -> bool {
    match line.first() {
        Some(first) if first.is_ascii_whitespace() => {
            let line = line.trim_ascii_start();
            line.is_empty() || line.starts_with(b"#")
        }
        first => first.is_none(),
    }
}
