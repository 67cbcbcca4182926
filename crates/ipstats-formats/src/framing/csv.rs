//! CSV: the header row says where the columns are, the rows below go into frames.

use super::blocks::{Block, Blocks, line_ends};
use super::rows::RowHeader;
use crate::error::StreamError;
use crate::fields::csv::{RowScanner, cells};
use crate::formats::mapped::FieldMap;
use crate::frame::{Content, CsvTable, Frame};
use crate::grammar::CsvFormat;
use crate::outcome::Malformed;
use crate::settings::Limits;
use crate::tally::Issue;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Header {
    format: &'static CsvFormat,
    /// The names of its columns, where the operator mapped them.
    map: Option<Arc<FieldMap>>,
    limits: Limits,
    /// Set by the header row.
    table: Option<Arc<CsvTable>>,
    /// The header row as it came.
    row: Vec<u8>,
}

/// Blocks of rows; a row may have line ends in quoted cells.
pub(super) fn blocks(first_line: u64, limits: Limits) -> Blocks<RowScanner> {
    Blocks::new(RowScanner::default(), first_line, limits)
}

impl RowHeader for Header {
    fn frames(&mut self, mut block: Block, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        while self.table.is_none() && !block.bytes.is_empty() {
            self.first_row(&mut block, frames)?;
        }
        let content =
            self.table.as_ref().map_or(Content::Nothing, |table| Content::CsvRows(Arc::clone(table)));
        frames.push(block.into_frame(content, self.limits));
        Ok(())
    }

    fn text(&self) -> &[u8] {
        &self.row
    }
}

impl Header {
    pub(super) const fn new(format: &'static CsvFormat, map: Option<Arc<FieldMap>>, limits: Limits) -> Self {
        Self { format, map, limits, table: None, row: Vec::new() }
    }

    /// Takes the first row out of the block: the header, unless it is blank or too long.
    fn first_row(&mut self, block: &mut Block, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let end = RowScanner::default().row_end(&block.bytes, self.limits.line_bytes_max);
        let length = end.map_or(block.bytes.len(), |end| end.length);
        let row: Vec<u8> = block.bytes.drain(..length).collect();
        let line = block.first_line;
        block.first_line += line_ends(&row);
        if end.is_some_and(|end| end.too_long) {
            let problem = Malformed::TooLong { bytes_max: self.limits.line_bytes_max };
            frames.push(Frame::of_issues(vec![Issue { line, problem }]));
        } else if !row.trim_ascii().is_empty() {
            let format = self.format.format;
            let places = match &self.map {
                Some(map) => places_of(&map.fields().map(|field| [field]), &row),
                None => places(self.format, &row),
            };
            let places = places.map_err(|missing| StreamError::missing_columns(line, format, missing))?;
            self.table = Some(Arc::new(CsvTable { format: self.format, places }));
            self.row = row;
        }
        Ok(())
    }
}

/// For each column of a header row, its place among the columns that `format` reads; or the columns that are missing.
pub(crate) fn places(format: &CsvFormat, header: &[u8]) -> Result<Vec<Option<usize>>, Vec<&'static str>> {
    places_of(format.columns, header)
}

/// As [`places`], for columns that each may go by several names.
fn places_of<'n>(
    columns: &[impl AsRef<[&'n str]>],
    header: &[u8],
) -> Result<Vec<Option<usize>>, Vec<&'n str>> {
    let header = String::from_utf8_lossy(header);
    let names: Vec<_> = cells(header.trim_end_matches(['\r', '\n'])).collect();
    let mut places = vec![None; names.len()];
    let mut missing = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        let column = column.as_ref();
        let found = column
            .iter()
            .find_map(|alias| names.iter().position(|name| name.trim().eq_ignore_ascii_case(alias)));
        match found.and_then(|found| places.get_mut(found)) {
            Some(slot) => *slot = Some(place),
            None => missing.extend(column.first().copied()),
        }
    }
    if missing.is_empty() { Ok(places) } else { Err(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::grammar;
    use crate::grammar::Grammar;
    use crate::{Format, FormatChoice, Framer};

    #[test]
    fn columns_are_found_by_name() {
        let Grammar::Csv(format) = grammar(Format::IpstatsCsv) else { panic!() };
        assert_eq!(places(format, b"x,time,\"Device\", ip \r\n"), Ok(vec![None, Some(2), Some(0), Some(1)]));
        assert_eq!(places(format, b"x,time\n"), Err(vec!["device", "ip"]));
        let Grammar::Csv(format) = grammar(Format::MdeHuntingCsv) else { panic!() };
        let both = places(format, b"TimeGenerated,ActionType,RemoteIP,DeviceId,Timestamp");
        assert_eq!(both, Ok(vec![None, Some(3), Some(2), Some(1), Some(0)]));
    }

    #[test]
    fn a_header_without_the_columns_is_an_error_that_names_them() {
        let mut framer = Framer::new(FormatChoice::Exactly(Format::IpstatsCsv), Limits::default());
        framer.feed(b"\n\nhost,ip\na,b\n", &mut Vec::new()).unwrap();
        let error = framer.finish(&mut Vec::new()).unwrap_err();
        let expected = "line 3: the header of csv has no column device, time; export the log with it";
        assert_eq!(error.to_string(), expected);
        assert_eq!(framer.feed(b"more", &mut Vec::new()), Err(error), "the error stays");
    }
}
