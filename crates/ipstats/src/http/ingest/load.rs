//! From the body of a request to durable records.

use super::body_reader::{Beginning, BodyReader, PacedBody, pipe};
use crate::clock::Clock;
use crate::config::IngestSource;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::ingest::envelope::DecodedBody;
use crate::ingest::{
    Delivery, Encodings, OtherFormat, Outcomes, SourceError, StoreSink, TrailingBytes, UploadError,
    UploadReport,
};
use crate::metrics::Metrics;
use crate::sources::Account;
use crate::store::{Store, StoreError};
use axum::body::{Body, HttpBody as _};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use ipstats_model::Organization;
use std::pin::pin;
use std::sync::Arc;

/// The report about a body, and the result of reading it.
pub(super) type Outcome<T> = (UploadReport, Result<T, UploadError>);

/// Lets `work` read `body` on a thread where it may block, and adds the outcome to the key's statistics. The work continues to
/// its end even if the client disconnects. A body that is longer than `bytes_max` by its head is not asked for.
pub(super) async fn load<T: Send + 'static>(
    app: &App,
    source: &Arc<IngestSource>,
    body: Body,
    bytes_max: u64,
    work: impl FnOnce(BodyReader, &IngestSource, &StoreSink<'_>) -> Outcome<T> + Send + 'static,
) -> Result<Outcome<T>, ApiError> {
    if body.size_hint().lower() > bytes_max {
        return Err(UploadError::TooLarge { bytes_max }.into());
    }
    let (source, clock, account) = (Arc::clone(source), app.data_clock.clone(), app.sender(source));
    let (organization, refusals) = (source.organization, Arc::clone(&account));
    let work = move |store: &Store, reader| {
        let sink = StoreSink { store, organization, clock };
        let (report, end) = work(reader, &source, &sink);
        note_outcome(&account, &source, &report, end.as_ref().err());
        (report, end)
    };
    let done = run(app, organization, body, work).await;
    if matches!(done, Err(StoreError::Busy { .. })) {
        refusals.refused();
    }
    let (report, end) = done?;
    count(&app.metrics, &report.outcomes());
    Ok((report, end))
}

/// Runs `work` on the body when it is in memory, where it is small, or else while it arrives.
async fn run<T: Send + 'static>(
    app: &App,
    organization: Organization,
    body: Body,
    work: impl FnOnce(&Store, BodyReader) -> T + Send + 'static,
) -> Result<T, StoreError> {
    let mut memory = app.small_bodies().reserve(organization).ok_or(StoreError::Busy { waiting: 0 })?;
    let mut body = PacedBody::new(body);
    let first = match body.read_beginning(&mut memory).await {
        Beginning::Whole(reader) => {
            let work = move |store: &Store| {
                let done = work(store, reader);
                drop(memory);
                done
            };
            return app.store.load_from_memory(organization, work).await;
        }
        Beginning::First(first) => first,
    };
    let (writer, reader) = pipe(first);
    let mut load = pin!(app.store.load(organization, move |store| work(store, reader)));
    tokio::select! {
        // It may end before the body does: refused, or no log.
        done = &mut load => done,
        () = body.forward(writer) => load.await,
    }
}

/// As [`load`], for a body of records in envelopes, at most `bytes_max` long when it is decoded.
pub(super) async fn deliver<T: Send + 'static>(
    app: &App,
    source: &Arc<IngestSource>,
    encodings: Encodings,
    body: Body,
    bytes_max: u64,
    unwrap: impl FnOnce(DecodedBody, &mut Delivery<'_>) -> Result<T, UploadError> + Send + 'static,
) -> Result<(UploadReport, T), ApiError> {
    let (report, end) = load(app, source, body, bytes_max, move |reader, source, sink| {
        let mut delivery = Delivery::new(source.format, &source.settings, sink);
        let mut trailing = TrailingBytes::default();
        let done = DecodedBody::new(reader, &encodings, bytes_max).and_then(|body| {
            trailing = body.trailing();
            unwrap(body, &mut delivery)
        });
        // Also what came before an error: it need not come again.
        let recorded = delivery.finish();
        let report = UploadReport { warning: trailing.warning(), ..delivery.into_report() };
        (report, recorded.map_err(UploadError::Record).and(done))
    })
    .await?;
    Ok((report, end?))
}

/// What the sender of a log should know beside the outcomes.
pub(super) fn notes(report: &UploadReport) -> Option<String> {
    let other_format = report.other_format.map(another_format);
    let advice = if other_format.is_none() { report.outcomes().advice() } else { None };
    let notes: Vec<String> = other_format.into_iter().chain(advice).chain(report.warning.clone()).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// The sentence about a log that seems to have another format, with the fix for its sender.
fn another_format(other: OtherFormat) -> String {
    format!("{}; send it as {} or auto", other.about("the log"), other.looks_like)
}

/// What the sender says that it compressed the body with.
pub(super) fn encodings(headers: &HeaderMap) -> Result<Encodings, ApiError> {
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?"));
    Ok(Encodings::read(values)?)
}

fn note_outcome(
    account: &Account,
    source: &IngestSource,
    report: &UploadReport,
    error: Option<&UploadError>,
) {
    let now = Clock::System.now();
    if let Some(why) = account.add(&report.tally, report.recorded, now) {
        tracing::warn!(source = source.name, "records come in, and none of them counts: {why}");
    }
    let other_format = report.other_format.map(another_format);
    let troubles: Vec<String> =
        error.map(ToString::to_string).into_iter().chain(other_format.clone()).collect();
    match troubles.as_slice() {
        [] => drop(account.recovered()),
        troubles => drop(account.trouble(troubles.join("; "), now)),
    }
    if let Some(warning) = &report.warning {
        tracing::warn!(source = source.name, "{warning}");
    }
    account.set_warning(report.warning.as_ref().map(|warning| format!("the last log: {warning}")));
    if let Some(why) = other_format {
        tracing::warn!(source = source.name, "{why}");
    }
    // Most protocols cannot report it in their answer.
    if let Some(issue) = report.tally.issues().first() {
        let (malformed, records) = (report.tally.malformed(), report.tally.records());
        tracing::info!(
            source = source.name,
            malformed,
            records,
            "some records are malformed; the first: {issue}"
        );
    }
}

fn count(metrics: &Metrics, outcomes: &Outcomes) {
    metrics.count_records("counted", outcomes.counted);
    metrics.count_records("not_a_connection", outcomes.not_connections());
    metrics.count_records("outside_retention", outcomes.outside_retention);
    metrics.count_records("malformed", outcomes.malformed);
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => Self::TooLarge(error),
            UploadError::Source(SourceError::Read(_)) => Self::BrokenOff(error),
            UploadError::Source(_) | UploadError::Envelope(_) => Self::UnreadableLog(error),
            UploadError::Record(error) => error.into(),
        }
    }
}
