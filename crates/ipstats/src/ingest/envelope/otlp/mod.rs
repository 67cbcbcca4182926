//! OpenTelemetry's `ExportLogsServiceRequest`, as protobuf or JSON: log records in scopes in resources.
//!
//! One log record at a time becomes more than the bytes it is: an empty one takes two of them, and many times as much once it
//! is read.

mod json;
mod protobuf;
mod record;

use super::DecodedBody;
use crate::ingest::{Delivery, UploadError};
use crate::store::StoreError;
use record::LogRecord;

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// How much longer than a record a log record may be, which escapes it and has attributes besides.
const ENVELOPE_FACTOR_MAX: usize = 2;

/// Reads all log records of `body`.
pub fn read(encoding: Encoding, body: DecodedBody, delivery: &mut Delivery<'_>) -> Result<(), UploadError> {
    let body = body.whole()?;
    let visit = |record: &[u8]| -> Result<(), Stop> {
        if record.len() > ENVELOPE_FACTOR_MAX * delivery.record_bytes_max() {
            delivery.too_long();
            return Ok(());
        }
        let record = match encoding {
            Encoding::Protobuf => protobuf::record(record),
            Encoding::Json => json::record(record),
        };
        match record {
            Ok(record) => drop(delivery.read(&record.into_record())?),
            // Those next to it are none the worse.
            Err(problem) => delivery.unreadable(format!("no LogRecord: {problem}")),
        }
        Ok(())
    };
    let read = match encoding {
        Encoding::Protobuf => protobuf::each_record(&body, visit),
        Encoding::Json => json::each_record(&body, visit),
    };
    read.map_err(|stop| match stop {
        Stop::Envelope(problem) => {
            UploadError::Envelope(format!("it is no ExportLogsServiceRequest: {problem}"))
        }
        Stop::Record(error) => UploadError::Record(error),
    })
}

/// Why a request is not read on.
#[derive(Debug)]
enum Stop {
    /// It is not what it should be.
    Envelope(String),
    /// Nothing more can be recorded.
    Record(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Record(error)
    }
}

impl From<prost::DecodeError> for Stop {
    fn from(error: prost::DecodeError) -> Self {
        Self::Envelope(error.to_string())
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Self::Envelope(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Encodings, Sink};

    use ipstats_formats::{FormatChoice, Settings};
    use ipstats_model::{Batch, Recorded};
    use std::io::Cursor;

    struct Counted;

    impl Sink for Counted {
        fn record(&self, batch: &Batch) -> Result<Recorded, StoreError> {
            Ok(Recorded { counted: batch.len() as u64, ..Recorded::default() })
        }
    }

    /// Records, and malformed ones among them.
    fn read_all(encoding: Encoding, body: &[u8]) -> Result<(u64, u64), String> {
        let settings = Settings::default();
        let mut delivery = Delivery::new(FormatChoice::Auto, &settings, &Counted);
        let body = DecodedBody::new(Cursor::new(body.to_vec()), &Encodings::default(), 1 << 30).unwrap();
        read(encoding, body, &mut delivery).map_err(|error| error.to_string())?;
        delivery.finish().unwrap();
        let report = delivery.into_report();
        Ok((report.tally.records(), report.tally.malformed()))
    }

    #[test]
    fn empty_records_are_events_of_another_kind_in_either_encoding() {
        // Two scopes of two empty records each; what is not known is skipped.
        let scope = [0x12, 0x02, 0x12, 0x00];
        let resource = [&[0x0a, 0x01, 0x00, 0x12, 0x04, 0x12, 0x00, 0x12, 0x00][..], &scope].concat();
        let length = u8::try_from(resource.len()).unwrap();
        let protobuf = [&[0x0a, length][..], &resource, &[0x7a, 0x00]].concat();
        assert_eq!(read_all(Encoding::Protobuf, &protobuf), Ok((3, 0)));
        let json = br#"{"x":[1],"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[{},{"body":null}]},{"scope":{},
                       "logRecords":[{}]},{"logRecords":null},{}]},{"scopeLogs":[]}]}"#;
        assert_eq!(read_all(Encoding::Json, json), Ok((3, 0)));
        assert_eq!(read_all(Encoding::Protobuf, b""), Ok((0, 0)));
        assert_eq!(read_all(Encoding::Json, b"{}"), Ok((0, 0)));
    }

    #[test]
    fn a_record_that_is_too_long_is_one_malformed_record() {
        let long = "x".repeat(3 << 20);
        let json = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"stringValue":"{long}"}}}},{{}}]}}]}}]}}"#
        );
        assert_eq!(read_all(Encoding::Json, json.as_bytes()), Ok((2, 1)));
    }

    #[test]
    fn a_record_of_a_wrong_shape_is_one_malformed_record() {
        for wrong in ["7", "null", "[]", r#"{"body":7}"#, r#"{"body":"text"}"#] {
            let json =
                format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{}},{wrong},{{}}]}}]}}]}}"#);
            assert_eq!(read_all(Encoding::Json, json.as_bytes()), Ok((3, 1)), "{wrong}");
        }
        // The one in the middle has a number where its body should be.
        let scope = [0x12, 0, 0x12, 2, 0x28, 1, 0x12, 0];
        let protobuf = [&[0x0a, 10, 0x12, 8][..], &scope].concat();
        assert_eq!(read_all(Encoding::Protobuf, &protobuf), Ok((3, 1)));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for json in ["", "[]", "{", "7", r#"{"resourceLogs":7}"#, r#"{"resourceLogs":[7]}"#, "{} {}"] {
            let problem = read_all(Encoding::Json, json.as_bytes()).unwrap_err();
            assert!(problem.starts_with("it is no ExportLogsServiceRequest: "), "{json}: {problem}");
        }
        let cut_length = [0x0a, 0x05, 0x12];
        let number_for_message = [0x08, 0x01];
        let endless_groups = [0x1b; 10_000];
        for bytes in [&cut_length[..], &number_for_message, &endless_groups, b"nonsense"] {
            let problem = read_all(Encoding::Protobuf, bytes).unwrap_err();
            assert!(problem.starts_with("it is no ExportLogsServiceRequest: "), "{bytes:?}: {problem}");
        }
    }
}
