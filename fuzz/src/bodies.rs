//! Bodies of requests, in the protocol of each. The first byte chooses the size of the pieces in which a body arrives, and the
//! longest record.

use super::pieces::Pieces;
use ipstats::ingest::envelope::otlp::Encoding;
use ipstats::ingest::envelope::{DecodedBody, bulk as bulk_api, hec as collector, otlp};
use ipstats::ingest::{Delivery, Encodings, Sink, UploadError, UploadPlan, UploadReport, upload as take_in};
use ipstats::store::StoreError;
use ipstats_formats::{FormatChoice, Limits, Settings, Tally};
use ipstats_model::{Batch, Recorded};
use std::fmt::Debug;

/// Most bytes of a decoded body.
const BYTES_MAX: u64 = 1 << 20;

/// What came of a body.
type Outcome<T> = (Tally, u64, Result<T, String>);

/// Counts all as connections inside the retention.
struct Counting;

impl Sink for Counting {
    fn record(&self, batch: &Batch) -> Result<Recorded, StoreError> {
        Ok(Recorded { counted: batch.len() as u64, ..Recorded::default() })
    }
}

/// A log as a body.
pub fn upload(data: &[u8]) {
    however_it_arrives(data, |body, settings| {
        let plan = UploadPlan {
            encodings: Encodings::default(),
            format: FormatChoice::Auto,
            settings: settings.clone(),
            bytes_max: BYTES_MAX,
        };
        take_in(body, &plan, &Counting)
    });
}

/// A request of the bulk API.
pub fn bulk(data: &[u8]) {
    enveloped(data, |body, delivery| {
        let items = bulk_api::read(body, delivery)?;
        let malformed = items.items.iter().filter(|(_, fate)| *fate == bulk_api::Fate::Malformed).count();
        assert!(items.problems.len() <= malformed);
        Ok(items.items)
    });
}

/// Events for Splunk's collector.
pub fn hec(data: &[u8]) {
    enveloped(data, collector::read);
}

/// Log records of OpenTelemetry, as protobuf.
pub fn otlp_protobuf(data: &[u8]) {
    enveloped(data, |body, delivery| otlp::read(Encoding::Protobuf, body, delivery));
}

/// Log records of OpenTelemetry, as JSON.
pub fn otlp_json(data: &[u8]) {
    enveloped(data, |body, delivery| otlp::read(Encoding::Json, body, delivery));
}

fn enveloped<T: Debug + PartialEq>(
    data: &[u8],
    unwrap: impl Fn(DecodedBody, &mut Delivery<'_>) -> Result<T, UploadError>,
) {
    however_it_arrives(data, |body, settings| {
        let mut delivery = Delivery::new(FormatChoice::Auto, settings, &Counting);
        let done = DecodedBody::new(body, &Encodings::default(), BYTES_MAX)
            .and_then(|body| unwrap(body, &mut delivery));
        delivery.finish().unwrap();
        (delivery.into_report(), done)
    });
}

/// Nothing panics, what is counted is what was recorded, and the pieces in which a body arrives do not show.
fn however_it_arrives<T: Debug + PartialEq>(
    data: &[u8],
    read: impl Fn(Pieces, &Settings) -> (UploadReport, Result<T, UploadError>),
) {
    let Some((knob, body)) = data.split_first() else { return };
    let line_bytes_max = if *knob < 128 { Limits::default().line_bytes_max } else { 64 };
    let settings = Settings { limits: Limits { line_bytes_max }, ..Settings::default() };
    let outcome = |piece_bytes| -> Outcome<T> {
        let (UploadReport { tally, recorded, .. }, end) = read(Pieces::new(body, piece_bytes), &settings);
        (tally, recorded.counted, end.map_err(|error| error.to_string()))
    };
    let whole = outcome(body.len().max(1));
    let pieces = outcome(usize::from(knob % 32) + 1);
    assert_eq!(whole, pieces, "{} bytes at a time", knob % 32 + 1);
    assert_eq!(whole.1, whole.0.connections());
}
