//! VPC flow logs: header lines, wherever they are in the stream, say what the rows below them are. Files are delivered
//! every few minutes and concatenated, so there may be many; CloudWatch Logs delivers rows without any.

use super::blocks::{Block, line_ends};
use super::rows::RowHeader;
use crate::error::StreamError;
use crate::format::Format;
use crate::formats::vpc_flow::{Columns, is_header};
use crate::frame::{Content, Frame};
use crate::outcome::Malformed;
use crate::settings::Limits;
use crate::tally::Issue;
use memchr::{memchr, memmem, memrchr};
use std::sync::Arc;

/// What the last header line says.
#[derive(Debug)]
pub(super) struct Header {
    limits: Limits,
    columns: Arc<Columns>,
    /// The line as it came.
    text: Vec<u8>,
}

/// What every header has in it, and no row.
const IN_HEADERS: &[u8] = b"dstaddr";

impl Header {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, columns: Arc::default(), text: Vec::new() }
    }

    fn take(&mut self, header: &[u8], line: u64, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let text = header.trim_ascii();
        // Measured like a row, with the blanks around it: a reader that has only a part cannot know that it ends in blanks.
        if header.strip_suffix(b"\n").unwrap_or(header).len() > self.limits.line_bytes_max {
            let problem = Malformed::TooLong { bytes_max: self.limits.line_bytes_max };
            frames.push(Frame::of_issues(vec![Issue { line, problem }]));
            return Ok(());
        }
        let columns = Columns::new(text)
            .map_err(|missing| StreamError::missing_columns(line, Format::VpcFlow, missing))?;
        self.columns = Arc::new(columns);
        self.text = [text, b"\n"].concat();
        Ok(())
    }
}

impl RowHeader for Header {
    /// Makes a frame of each run of rows between header lines.
    fn frames(&mut self, block: Block, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        let Block { bytes, first_line: mut line, issues } = block;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let end = next_header(rest).unwrap_or(rest.len());
            let (rows, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            if !rows.is_empty() {
                let block = Block { bytes: rows.to_vec(), first_line: line, issues: Vec::new() };
                frames.push(block.into_frame(Content::VpcFlowRows(Arc::clone(&self.columns)), self.limits));
                line += line_ends(rows);
            }
            let end = memchr(b'\n', behind).map_or(behind.len(), |at| at + 1);
            let (header, behind) = behind.split_at_checked(end).unwrap_or((behind, &[]));
            rest = behind;
            if !header.is_empty() {
                self.take(header, line, frames)?;
                line += line_ends(header);
            }
        }
        if !issues.is_empty() {
            frames.push(Frame::of_issues(issues));
        }
        Ok(())
    }

    fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Where the next header line starts.
fn next_header(bytes: &[u8]) -> Option<usize> {
    memmem::find_iter(bytes, IN_HEADERS).find_map(|at| {
        let start = bytes.get(..at).and_then(|before| memrchr(b'\n', before)).map_or(0, |before| before + 1);
        let line = bytes.get(start..).unwrap_or_default();
        let end = memchr(b'\n', line).unwrap_or(line.len());
        is_header(line.get(..end).unwrap_or_default().trim_ascii()).then_some(start)
    })
}
