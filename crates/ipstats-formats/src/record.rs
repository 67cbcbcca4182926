//! One record, however it arrived: recognized, taken out of its envelopes, read.
//!
//! A stream has one layout, but its records need not have one format: agents ship events of every kind, and most shippers
//! put the record they carry into a field of an object of theirs. So each JSON record is recognized by itself. The format of
//! the last record is tried first: most streams have one format, and recognizing costs as much as reading.
//!
//! Invariant: the outcome of a JSON record does not depend on the records before it, nor on the transport. (A record with the
//! marks of two formats is the exception: it is read as the one that is tried first.)

use crate::envelope::{self, Inner};
use crate::error::StreamError;
use crate::format::{Format, FormatChoice};
use crate::formats::{self, grammar, mapped, vpc_flow};
use crate::grammar::{Grammar, JsonFormat};
use crate::json_keys::JsonKeys;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Reader, Rejected, Rules};
use crate::settings::Settings;
use crate::stream::Framer;
use crate::tally::Tally;
use ipstats_model::Batch;
use serde::de::IgnoredAny;
use std::str;

/// Envelopes inside each other that are opened.
const DEPTH_MAX: usize = 12;

/// Reads single records in their order: the messages of a connection, a request or a partition.
#[derive(Debug)]
pub struct RecordReader {
    rules: Rules,
    /// The number of the last record, counted from 1.
    number: u64,
    records: Records,
    /// Reads the rows of a table, after a header arrived.
    table: Option<Framer>,
}

/// Reads records; keeps what is most likely true of the next one.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    choice: FormatChoice,
    recent: Option<&'static JsonFormat>,
    /// Whether the last record was in an envelope: its own format is then not tried first.
    in_envelope: bool,
    /// Whether the current record holds a row whose columns are not known.
    holds_bare_row: bool,
}

/// Reads the rows of tables that arrive as text inside of JSON; nothing where the text is not a row.
trait Rows {
    fn row(&mut self, text: &str, reader: &mut Reader<'_>) -> Option<Outcome>;
}

/// Rows that need no header before them.
struct KnownRows;

/// Rows below a header that arrived earlier, too.
struct TableRows<'a> {
    choice: FormatChoice,
    table: &'a mut Option<Framer>,
}

impl RecordReader {
    /// A reader of records that have formats of `choice`.
    pub fn new(choice: FormatChoice, settings: &Settings) -> Self {
        let records = Records::new(settings.choice(choice));
        Self { rules: Rules::new(settings), number: 0, records, table: None }
    }

    /// Reads one record: connections into `batch`, the outcome into `tally`, with the number of the record as its line.
    /// A malformed record is returned as well: its sender may want to know.
    pub fn read(
        &mut self,
        record: &[u8],
        settings: &Settings,
        batch: &mut Batch,
        tally: &mut Tally,
    ) -> Result<(), Malformed> {
        self.number += 1;
        let Self { rules, number, records, table } = self;
        let reader = &mut Reader::new(settings, rules, batch, tally);
        reader.record(*number, |reader| {
            let text = text(record, reader)?;
            let mut rows = TableRows { choice: records.choice, table };
            if is_json(text) {
                records.json(text, &mut rows, reader)
            } else if text.is_empty() {
                // An empty record is not counted.
                Err(Rejected::Counted)
            } else {
                rows.line(text, reader)
            }
        });
        reader.take_problem().map_or(Ok(()), Err)
    }

    /// The delivery is at its end: an incomplete row of a table is malformed.
    pub fn finish(&mut self, settings: &Settings, batch: &mut Batch, tally: &mut Tally) {
        let Some(mut table) = self.table.take() else { return };
        let (mut frames, mut own) = (Vec::new(), Tally::default());
        // An error was counted with the row that caused it.
        let _ = table.finish(&mut frames);
        frames.iter().for_each(|frame| frame.parse(settings, batch, &mut own));
        tally.merge(&own.on_line(self.number));
    }

    /// Forgets the header of a table: the next record is of another sender.
    pub fn forget_table(&mut self) {
        self.table = None;
    }

    /// Counts a record that was not kept: it is longer than a record may be.
    pub fn too_long(&mut self, settings: &Settings, tally: &mut Tally) -> Malformed {
        let problem = Malformed::TooLong { bytes_max: settings.limits.line_bytes_max };
        self.malformed(problem.clone(), tally);
        problem
    }

    /// Counts a record whose rest never arrived.
    pub fn cut_off(&mut self, tally: &mut Tally) {
        self.malformed(Malformed::CutOff, tally);
    }

    /// Counts a record that cannot be taken out of its envelope.
    pub fn malformed(&mut self, problem: Malformed, tally: &mut Tally) {
        self.number += 1;
        tally.malformed_at(self.number, problem);
    }

    /// Counts a message that carries no record, such as a line of text for people.
    pub fn other_event(&mut self, tally: &mut Tally) {
        self.number += 1;
        tally.not_a_connection_for(NotAConnection::OtherEvent);
    }
}

impl Records {
    pub(crate) const fn new(choice: FormatChoice) -> Self {
        Self { choice, recent: None, in_envelope: false, holds_bare_row: false }
    }

    /// Reads a JSON record of a stream.
    pub(crate) fn read(&mut self, record: &[u8], reader: &mut Reader<'_>) -> Outcome {
        let text = text(record, reader)?;
        self.json(text, &mut KnownRows, reader)
    }

    fn json(&mut self, text: &str, rows: &mut impl Rows, reader: &mut Reader<'_>) -> Outcome {
        self.holds_bare_row = false;
        match self.recognized(text, 0, rows, reader) {
            Some(Err(Rejected::NotAConnection(NotAConnection::NoRemoteIp))) | None if self.holds_bare_row => {
                return Err(Malformed::NoColumns.into());
            }
            Some(outcome) => return outcome,
            None => {}
        }
        match envelope::elements(text).as_slice() {
            [] => self.unrecognized(text, reader),
            elements => self.count_others(elements, reader),
        }
    }

    /// Reads a record whose keys show no format: as the one that was asked for, else it is another event.
    fn unrecognized(&self, text: &str, reader: &mut Reader<'_>) -> Outcome {
        if let FormatChoice::Exactly(format) = self.choice
            && let Grammar::Json(json) = grammar(format)
        {
            return (json.record)(text, reader);
        }
        if !is_json(text) {
            return Err(Malformed::NotJson { reason: "does not start with {".to_owned() }.into());
        }
        check_json(text)?;
        Err(NotAConnection::OtherEvent.into())
    }

    /// Reads `text` if it is a record of an admitted format, or an envelope of one.
    fn recognized(
        &mut self,
        text: &str,
        depth: usize,
        rows: &mut impl Rows,
        reader: &mut Reader<'_>,
    ) -> Option<Outcome> {
        let text = text.trim_ascii();
        if !text.starts_with('{') {
            return text.starts_with('[').then(|| self.list(text, depth, rows, reader)).flatten();
        }
        // A record as the last one: where that one was in an envelope, it was at another depth.
        let mut tried = None;
        if let Some(recent) = self.recent.filter(|_| !self.in_envelope || depth > 0) {
            let outcome = (recent.record)(text, reader);
            if recent.is_certain(&outcome) && !(recent.wraps && holds_json_text(text)) {
                self.in_envelope = depth > 0;
                return Some(outcome);
            }
            tried = Some((recent, outcome));
        }
        self.by_keys(text, tried, depth, rows, reader)
    }

    /// Reads `text` as what its keys show.
    fn by_keys(
        &mut self,
        text: &str,
        mut tried: Option<(&'static JsonFormat, Outcome)>,
        depth: usize,
        rows: &mut impl Rows,
        reader: &mut Reader<'_>,
    ) -> Option<Outcome> {
        let keys = JsonKeys::new(text.as_bytes());
        let choice = self.choice;
        let format = match choice {
            FormatChoice::Exactly(Format::Mapped) => Some(&mapped::JSON),
            _ => formats::json_formats()
                .find(|format| choice.admits(format.format) && (format.recognizes)(&keys)),
        };
        let outcome = format.map(|format| {
            let known = tried.take_if(|(tried, _)| tried.format == format.format);
            (format, known.map_or_else(|| (format.record)(text, reader), |(_, outcome)| outcome))
        });
        // Only reading a record shows whether the map fits it.
        let is_other =
            |outcome: &Outcome| matches!(outcome, Err(Rejected::NotAConnection(NotAConnection::OtherEvent)));
        let outcome =
            outcome.filter(|(format, outcome)| format.format != Format::Mapped || !is_other(outcome));
        match outcome {
            Some((format, outcome))
                if !format.wraps
                    || (format.is_certain(&outcome) || is_malformed(&outcome)) && !holds_json_text(text) =>
            {
                self.keep(format, depth);
                Some(outcome)
            }
            outcome => {
                let inner = self.inside(&keys, depth, rows, reader);
                inner.or_else(|| {
                    let (format, outcome) = outcome?;
                    self.keep(format, depth);
                    Some(outcome)
                })
            }
        }
    }

    /// Reads the record inside the envelope that has these keys.
    fn inside(
        &mut self,
        keys: &JsonKeys<'_>,
        depth: usize,
        rows: &mut impl Rows,
        reader: &mut Reader<'_>,
    ) -> Option<Outcome> {
        if depth == DEPTH_MAX {
            return None;
        }
        if let Some(table) = envelope::table_rows(keys) {
            return self.elements(table.iter().map(String::as_str), depth + 1, rows, reader);
        }
        for inner in envelope::inner(keys) {
            let outcome = match &inner {
                Inner::Text(text) if is_json(text) => self.recognized(text, depth + 1, rows, reader),
                // A map reads JSON and CSV, and rows of nothing else.
                Inner::Text(_) if self.choice == FormatChoice::Exactly(Format::Mapped) => None,
                Inner::Text(text) => {
                    let outcome = rows.row(text, reader);
                    self.holds_bare_row |= outcome.is_none() && is_zeek_row(text);
                    outcome
                }
                Inner::Object(object) => self.recognized(object, depth + 1, rows, reader),
                Inner::List(list) => self.list(list, depth + 1, rows, reader),
            };
            if outcome.is_some() {
                return outcome;
            }
        }
        None
    }

    fn list(
        &mut self,
        list: &str,
        depth: usize,
        rows: &mut impl Rows,
        reader: &mut Reader<'_>,
    ) -> Option<Outcome> {
        self.elements(envelope::elements(list).into_iter(), depth, rows, reader)
    }

    /// Reads the elements of an array as records, if one of them is recognized.
    fn elements<'t>(
        &mut self,
        elements: impl Iterator<Item = &'t str>,
        depth: usize,
        rows: &mut impl Rows,
        reader: &mut Reader<'_>,
    ) -> Option<Outcome> {
        if depth == DEPTH_MAX {
            return None;
        }
        let (mut others, mut is_list) = (Vec::new(), false);
        for element in elements {
            match self.recognized(element, depth + 1, rows, reader) {
                Some(outcome) => {
                    is_list = true;
                    reader.count(outcome);
                }
                None => others.push(element),
            }
        }
        is_list.then(|| self.count_others(&others, reader))
    }

    /// Counts records of no known format, one by one.
    fn count_others(&self, records: &[&str], reader: &mut Reader<'_>) -> Outcome {
        for record in records {
            let outcome = self.unrecognized(record, reader);
            reader.count(outcome);
        }
        Err(Rejected::Counted)
    }

    fn keep(&mut self, format: &'static JsonFormat, depth: usize) {
        self.recent = Some(format);
        self.in_envelope = depth > 0;
    }
}

impl JsonFormat {
    /// Whether a record with this outcome has this format beyond doubt: its fields show it.
    fn is_certain(&self, outcome: &Outcome) -> bool {
        match outcome {
            Err(Rejected::NotAConnection(NotAConnection::OtherEvent)) => self.knows_other_events,
            Err(Rejected::NotAConnection(NotAConnection::NoRemoteIp) | Rejected::Malformed(_)) => false,
            Ok(()) | Err(Rejected::NotAConnection(_) | Rejected::Counted) => true,
        }
    }
}

impl Rows for KnownRows {
    fn row(&mut self, text: &str, reader: &mut Reader<'_>) -> Option<Outcome> {
        let line = text.trim_end_matches(['\r', '\n']).as_bytes();
        match reader.columns() {
            Some(columns) if line.contains(&b'\t') => Some(columns.read(line, reader)),
            _ if vpc_flow::is_default_row(line) => Some(vpc_flow::Columns::default().read(line, reader)),
            _ => None,
        }
    }
}

impl Rows for TableRows<'_> {
    fn row(&mut self, text: &str, reader: &mut Reader<'_>) -> Option<Outcome> {
        let is_row = if self.table.is_some() { text.contains('\t') } else { text.starts_with('#') };
        let is_row = is_row || vpc_flow::is_header(text.trim_ascii().as_bytes());
        if is_row && reader.columns().is_none() {
            Some(self.line(text, reader))
        } else {
            KnownRows.row(text, reader)
        }
    }
}

impl TableRows<'_> {
    /// Reads a line of a table: a header, or a row.
    fn line(&mut self, text: &str, reader: &mut Reader<'_>) -> Outcome {
        let choice = self.choice;
        let open = |choice, reader: &Reader<'_>| Framer::of_source(choice, reader.settings());
        let mut table = self.table.take().unwrap_or_else(|| open(choice, reader));
        let mut frames = Vec::new();
        let end = table
            .feed(text.as_bytes(), &mut frames)
            .and_then(|()| table.feed(b"\n", &mut frames))
            .and_then(|()| table.cut(&mut frames));
        reader.read_frames(&frames);
        if end.is_ok() && table.held_bytes() > 0 {
            // A quote that is not closed would swallow the rows after it.
            reader.count(Err(Malformed::CutOff.into()));
            let mut below_header = open(table.rest_choice(), reader);
            let _ = below_header.feed(table.header(), &mut Vec::new());
            table = below_header;
        }
        // A table that cannot be read ends here; another header may start one that can.
        *self.table = end.is_ok().then_some(table);
        Err(end.map_or_else(|error| unreadable(error).into(), |()| Rejected::Counted))
    }
}

/// Whether a field of a record holds JSON as text: where that is a record, it counts in place of its envelope.
fn holds_json_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let starts_object = |at: usize| matches!(bytes.get(at + 2), Some(b'\\' | b' '));
    memchr::memmem::find_iter(bytes, b"\"{").any(starts_object)
}

const fn is_malformed(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Rejected::Malformed(_)))
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// The text of a record.
fn text<'a>(record: &'a [u8], reader: &Reader<'_>) -> Result<&'a str, Malformed> {
    let bytes_max = reader.settings().limits.line_bytes_max;
    if record.len() > bytes_max {
        return Err(Malformed::TooLong { bytes_max });
    }
    str::from_utf8(record).map(str::trim_ascii).map_err(|_| Malformed::NotUtf8)
}

fn check_json(text: &str) -> Result<(), Malformed> {
    let parsed = serde_json::from_str::<IgnoredAny>(text);
    parsed.map(|_| ()).map_err(|error| {
        if error.is_eof() { Malformed::CutOff } else { Malformed::NotJson { reason: error.to_string() } }
    })
}

/// Why a table that arrives row by row cannot be read.
fn unreadable(error: StreamError) -> Malformed {
    let reason = match error {
        // A record has no line; and where the sender names the format, only the sender knows it.
        StreamError::NotRecognized { start, .. } => {
            if is_zeek_row(&start) {
                return Malformed::NoColumns;
            }
            format!("neither JSON nor a row below a header: it starts with {start:?}")
        }
        StreamError::NoHeader { .. } => return Malformed::NoColumns,
        other => other.to_string(),
    };
    Malformed::Stream { reason }
}

/// Whether a text looks like a row of a Zeek log: it starts with a time, to the microsecond, and a tab.
fn is_zeek_row(text: &str) -> bool {
    let Some((time, _)) = text.split_once('\t') else { return false };
    let Some((seconds, fraction)) = time.split_once('.') else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(seconds) && is_number(fraction)
}

#[cfg(test)]
mod tests;
