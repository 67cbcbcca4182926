//! Records that arrive one by one, each in an envelope of its own: what shippers deliver.
//!
//! A stream has one format; what a shipper delivers need not. An agent sends events of every kind it knows, and most
//! shippers put the line they read into a field of an object of theirs. So each JSON record is recognized by itself, the
//! line inside an envelope before the envelope, and a JSON object that is no format of ours is another event. Rows of
//! tables (Zeek TSV, CSV) are read below the header that came last.

use crate::error::StreamError;
use crate::fields::json::{self, Nested};
use crate::fields::scalar::Scalar;
use crate::format::{Format, FormatChoice};
use crate::formats::{Grammar, grammar};
use crate::framer::{Framer, JsonKeys};
use crate::outcome::{Malformed, NotAConnection};
use crate::settings::Settings;
use crate::tally::Tally;
use ipstats_model::Batch;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::str;

/// Reads the records of one delivery, in their order.
#[derive(Debug)]
pub struct LooseRecords {
    choice: FormatChoice,
    /// The number of the record that came last, counted from 1.
    number: u64,
    /// What reads the rows of a table, once one has begun.
    table: Option<Framer>,
}

/// Where a shipper puts the line it read: Beats, Logstash, Vector and rsyslog; Fluent Bit; Elastic Agent; syslog-ng; Cribl.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    message: Scalar<'a>,
    #[serde(borrow)]
    log: Scalar<'a>,
    #[serde(borrow)]
    event: Nested<Original<'a>>,
    #[serde(borrow, rename = "event.original")]
    event_original: Scalar<'a>,
    #[serde(borrow, rename = "MESSAGE")]
    syslog_message: Scalar<'a>,
    #[serde(borrow, rename = "_raw")]
    raw: Scalar<'a>,
}

/// The names of the fields of [`Envelope`]: what has none of them is not looked into.
const ENVELOPE_KEYS: [&str; 6] = ["message", "log", "original", "event.original", "MESSAGE", "_raw"];

#[derive(Deserialize, Default)]
#[serde(default)]
struct Original<'a> {
    #[serde(borrow)]
    original: Scalar<'a>,
}

impl LooseRecords {
    /// A reader of records that have formats of `choice`.
    pub const fn new(choice: FormatChoice) -> Self {
        Self { choice, number: 0, table: None }
    }

    /// Reads one record: connections into `batch`, the outcome into `tally`, with the number of the record as its line.
    /// The error is the outcome too: the sender of a malformed record may want to know.
    pub fn read(
        &mut self,
        record: &[u8],
        settings: &Settings,
        batch: &mut Batch,
        tally: &mut Tally,
    ) -> Result<(), Malformed> {
        let mut own = Tally::default();
        let read = match self.framed(record, settings, batch, &mut own) {
            Err(problem) => Err(problem),
            Ok(()) => own.issues().first().map_or(Ok(()), |issue| Err(issue.problem.clone())),
        };
        self.number += 1;
        if let Err(problem) = &read
            && own.malformed() == 0
        {
            own.malformed_at(self.number, problem.clone());
        }
        tally.merge(&own.on_line(self.number));
        read
    }

    /// The delivery is at its end: a row of a table that is not complete is malformed.
    pub fn finish(&mut self, settings: &Settings, batch: &mut Batch, tally: &mut Tally) {
        let Some(mut table) = self.table.take() else { return };
        let (mut frames, mut own) = (Vec::new(), Tally::default());
        // What could end it was told with the row that did.
        let _ = table.finish(&mut frames);
        frames.iter().for_each(|frame| frame.parse(settings, batch, &mut own));
        tally.merge(&own.on_line(self.number));
    }

    /// Counts a record that was not even kept: it is longer than a record may be.
    pub fn too_long(&mut self, settings: &Settings, tally: &mut Tally) -> Malformed {
        let problem = Malformed::TooLong { bytes_max: settings.limits.line_bytes_max };
        self.malformed(problem.clone(), tally);
        problem
    }

    /// Counts a record whose rest never came.
    pub fn cut_off(&mut self, tally: &mut Tally) {
        self.malformed(Malformed::CutOff, tally);
    }

    /// Counts a record that cannot be taken out of its envelope.
    pub fn malformed(&mut self, problem: Malformed, tally: &mut Tally) {
        self.number += 1;
        tally.malformed_at(self.number, problem);
    }

    /// Counts what came in place of a record and is none, such as a line of text for people.
    pub fn other_event(&mut self, tally: &mut Tally) {
        self.number += 1;
        tally.not_a_connection_for(NotAConnection::OtherEvent);
    }

    fn framed(
        &mut self,
        record: &[u8],
        settings: &Settings,
        batch: &mut Batch,
        tally: &mut Tally,
    ) -> Result<(), Malformed> {
        let bytes_max = settings.limits.line_bytes_max;
        if record.len() > bytes_max {
            return Err(Malformed::TooLong { bytes_max });
        }
        let text = str::from_utf8(record).map_err(|_| Malformed::NotUtf8)?;
        if !is_json(text) {
            return self.row(text, settings, batch, tally);
        }
        let keys = JsonKeys::new(record);
        if let Some(line) = self.line_inside(text, &keys) {
            return if is_json(&line) {
                self.json(&line, &JsonKeys::new(line.as_bytes()), settings, batch, tally)
            } else {
                self.row(&line, settings, batch, tally)
            };
        }
        self.json(text, &keys, settings, batch, tally)
    }

    /// The line that a shipper put into `text`, if it is a record of a format that is admitted.
    fn line_inside(&self, text: &str, keys: &JsonKeys<'_>) -> Option<String> {
        if !ENVELOPE_KEYS.iter().any(|key| keys.has(key)) {
            return None;
        }
        let envelope: Envelope<'_> = json::object(text).ok()?;
        let original = envelope.event.0.map(|event| event.original).unwrap_or_default();
        let fields = [
            envelope.message,
            envelope.log,
            original,
            envelope.event_original,
            envelope.syslog_message,
            envelope.raw,
        ];
        fields.into_iter().find_map(|field| match field {
            Scalar::Text(line) if self.is_record(&line) => Some(line.into_owned()),
            _ => None,
        })
    }

    fn is_record(&self, line: &str) -> bool {
        if is_json(line) {
            return self.recognized(&JsonKeys::new(line.as_bytes())).is_some();
        }
        self.table.is_some() || line.starts_with('#')
    }

    fn recognized(&self, keys: &JsonKeys<'_>) -> Option<Format> {
        let formats = Format::ALL.into_iter().filter(|format| self.choice.admits(*format));
        formats.into_iter().find(|format| match grammar(*format) {
            Grammar::Json(json) => (json.recognizes)(keys),
            _ => false,
        })
    }

    fn json(
        &mut self,
        text: &str,
        keys: &JsonKeys<'_>,
        settings: &Settings,
        batch: &mut Batch,
        tally: &mut Tally,
    ) -> Result<(), Malformed> {
        let format = match (self.recognized(keys), self.choice) {
            (Some(format), _) => format,
            (None, FormatChoice::Exactly(format)) if matches!(grammar(format), Grammar::Json(_)) => format,
            _ => {
                check_json(text)?;
                tally.not_a_connection_for(NotAConnection::OtherEvent);
                return Ok(());
            }
        };
        let mut whole = Framer::new(format.into(), settings.limits);
        let mut frames = Vec::new();
        let end = whole.feed(text.as_bytes(), &mut frames).and_then(|()| whole.finish(&mut frames));
        frames.iter().for_each(|frame| frame.parse(settings, batch, tally));
        end.map_err(unreadable)
    }

    fn row(
        &mut self,
        text: &str,
        settings: &Settings,
        batch: &mut Batch,
        tally: &mut Tally,
    ) -> Result<(), Malformed> {
        let mut table = self.table.take().unwrap_or_else(|| Framer::new(self.choice, settings.limits));
        let mut frames = Vec::new();
        let end = table
            .feed(text.as_bytes(), &mut frames)
            .and_then(|()| table.feed(b"\n", &mut frames))
            .and_then(|()| table.cut(&mut frames));
        frames.iter().for_each(|frame| frame.parse(settings, batch, tally));
        // A table that cannot be read ends here; another header may begin one that can.
        self.table = end.is_ok().then_some(table);
        end.map_err(unreadable)
    }
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn check_json(text: &str) -> Result<(), Malformed> {
    let parsed = serde_json::from_str::<IgnoredAny>(text);
    parsed.map(|_| ()).map_err(|error| Malformed::NotJson { reason: error.to_string() })
}

fn unreadable(error: StreamError) -> Malformed {
    let reason = match error {
        // A record has no line; and where the sender names the format, only it knows.
        StreamError::NotRecognized { start, .. } => {
            format!("neither JSON nor a row below a header: it starts with {start:?}")
        }
        StreamError::NoHeader { .. } => {
            "a row without a header before it in the same delivery: send the #fields line \
                                         with it, or the log as JSON"
                .to_owned()
        }
        other => other.to_string(),
    };
    Malformed::Stream { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEEK: &str =
        r#"{"ts":1504011600.5,"id.orig_h":"10.0.0.1","id.resp_h":"8.8.8.8","conn_state":"SF"}"#;
    const OWN: &str = r#"{"device":"d","ip":"1.2.3.4","time":1504011600}"#;

    /// Reads `records`; the devices of the connections, and what became of all.
    fn read(choice: FormatChoice, records: &[&str]) -> (Vec<String>, Tally, Vec<Option<Malformed>>) {
        let (mut loose, settings) = (LooseRecords::new(choice), Settings::default());
        let (mut batch, mut tally) = (Batch::new(), Tally::default());
        let outcomes = records
            .iter()
            .map(|record| loose.read(record.as_bytes(), &settings, &mut batch, &mut tally).err())
            .collect();
        loose.finish(&settings, &mut batch, &mut tally);
        assert_eq!(tally.connections(), batch.len() as u64);
        (batch.devices().map(str::to_owned).collect(), tally, outcomes)
    }

    fn in_field(field: &str, line: &str) -> String {
        serde_json::json!({ "@timestamp": "2026-01-01T00:00:00Z", field: line }).to_string()
    }

    #[test]
    fn each_record_is_recognized_by_itself() {
        let other = r#"{"metric":"cpu","value":1}"#;
        let (devices, tally, outcomes) = read(FormatChoice::Auto, &[other, OWN, ZEEK, "{\"a\":", "nothing"]);
        assert_eq!(devices, ["d", "10.0.0.1"]);
        assert_eq!(tally.not_a_connection().collect::<Vec<_>>(), [(NotAConnection::OtherEvent, 1)]);
        assert_eq!((tally.malformed(), tally.records()), (2, 5));
        assert_eq!(tally.issues().iter().map(|issue| issue.line).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(
            outcomes.iter().map(Option::is_some).collect::<Vec<_>>(),
            [false, false, false, true, true]
        );
    }

    #[test]
    fn the_line_in_an_envelope_is_the_record() {
        for field in ["message", "log", "event.original", "MESSAGE", "_raw"] {
            assert_eq!(read(FormatChoice::Auto, &[&in_field(field, ZEEK)]).0, ["10.0.0.1"], "{field}");
        }
        let nested = serde_json::json!({ "event": { "original": OWN }, "log": { "offset": 7 } }).to_string();
        assert_eq!(read(FormatChoice::Auto, &[&nested]).0, ["d"]);
        // A record that has a text of its own is itself.
        let own = OWN.replacen('{', r#"{"message":"logged in",  "#, 1);
        assert_eq!(read(FormatChoice::Auto, &[&own]).0, ["d"]);
        // What is not admitted is not looked for.
        let exactly = FormatChoice::Exactly(Format::IpstatsNdjson);
        let (devices, tally, _) = read(exactly, &[&in_field("message", ZEEK)]);
        assert_eq!((devices.len(), tally.malformed()), (0, 1));
    }

    #[test]
    fn rows_are_read_below_their_header() {
        let zeek = ["#fields\tts\tid.orig_h\tid.resp_h\tconn_state", "1504011600\t10.0.0.9\t8.8.8.8\tSF"];
        assert_eq!(read(FormatChoice::Auto, &zeek).0, ["10.0.0.9"]);
        let wrapped = zeek.map(|line| in_field("message", line));
        assert_eq!(read(FormatChoice::Auto, &[&wrapped[0], OWN, &wrapped[1]]).0, ["d", "10.0.0.9"]);
        assert_eq!(read(FormatChoice::Auto, &["device,ip,time", "a,1.2.3.4,1504011600"]).0, ["a"]);

        let (_, tally, outcomes) = read(FormatChoice::Zeek, &[zeek[1], zeek[0], zeek[1]]);
        assert_eq!((tally.malformed(), tally.connections()), (1, 1), "{outcomes:?}");
    }

    #[test]
    fn a_record_may_hold_several_and_all_are_counted() {
        let list = format!("[{OWN},{ZEEK},{{\"device\":1}}]");
        let (devices, tally, _) = read(FormatChoice::Exactly(Format::IpstatsNdjson), &[&list]);
        assert_eq!((devices.len(), tally.records(), tally.malformed()), (1, 3, 2));
    }

    #[test]
    fn what_nobody_can_read_is_malformed_and_never_more() {
        let (deep, long) = (format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)), "x".repeat(2 << 20));
        let (_, tally, outcomes) = read(FormatChoice::Auto, &[&deep, &long, "\u{0}\u{1}", ""]);
        assert_eq!(tally.connections(), 0);
        assert!(matches!(outcomes[1], Some(Malformed::TooLong { .. })), "{outcomes:?}");
        assert!(outcomes[2].is_some() && outcomes[3].is_none(), "{outcomes:?}");
        let mut tally = Tally::default();
        let read = LooseRecords::new(FormatChoice::Auto).read(
            b"{\"device\":\"\xff\"}",
            &Settings::default(),
            &mut Batch::new(),
            &mut tally,
        );
        assert_eq!((read, tally.malformed()), (Err(Malformed::NotUtf8), 1));
    }
}
