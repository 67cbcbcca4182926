//! What is kept of each request: its line in the audit log, its part in the metrics, and an event in the log.

use super::app::App;
use super::entrance::ClientAddress;
use super::error::{ApiError, Failure, excerpt};
use super::trail::Trail;
use super::{framing, response_headers};
use crate::audit::{Actor, Asked, Entry, Place};
use crate::operation::Operation;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What metrics call a request whose client went away before it was answered.
const CLIENT_GONE: u16 = 499;

/// A request that is being answered. Dropped without an answer, it is kept as one whose client went away.
struct Watched {
    app: Arc<App>,
    operation: Operation,
    method: Method,
    uri: Uri,
    client: Option<IpAddr>,
    trail: Trail,
    place: Option<Place>,
    unix_millis: i64,
    began: Duration,
    is_answered: bool,
}

/// Watches one request.
pub(super) async fn watch(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let operation = operation(request.extensions());
    let (place, refused) = match app.audit_place(operation) {
        Ok(place) => (place, None),
        Err(full) => (None, Some(full)),
    };
    let watched = Watched::new(app, operation, place, &mut request);
    let mut response = match refused {
        None => framing::run(request, next).await,
        Some(full) => ApiError::NotAudited(full).into_response(),
    };
    response_headers::complete(response.headers_mut());
    watched.answered(&response);
    response
}

/// The operation behind a route (`http/mod.rs`).
fn operation(extensions: &Extensions) -> Operation {
    let Some(route) = extensions.get::<MatchedPath>() else { return Operation::Unknown };
    match route.as_str() {
        "/api/ips/{ip}/stats" | "/api/v1.0/ips/{ip}/stats" => Operation::IpStats,
        "/api/ingest/{format}" => Operation::Ingest,
        "/{tenant}/oauth2/token" | "/{tenant}/oauth2/v2.0/token" => Operation::Token,
        "/healthz" | "/readyz" => Operation::Health,
        path if is_of_shippers(path) => Operation::Ingest,
        _ => Operation::Description,
    }
}

/// Where shippers send to in the protocols of others (`http/ingest/`).
fn is_of_shippers(route: &str) -> bool {
    route == "/v1/logs" || route.starts_with("/elastic") || route.starts_with("/services/collector")
}

impl Watched {
    fn new(app: Arc<App>, operation: Operation, place: Option<Place>, request: &mut Request) -> Self {
        let trail = Trail::default();
        request.extensions_mut().insert(trail.clone());
        Self {
            operation,
            method: request.method().clone(),
            uri: request.uri().clone(),
            client: request.extensions().get::<ClientAddress>().map(|client| client.0),
            trail,
            place,
            unix_millis: app.token_clock.unix_millis(),
            began: app.token_clock.elapsed(),
            is_answered: false,
            app,
        }
    }

    fn answered(mut self, response: &Response) {
        self.is_answered = true;
        self.keep(Some(response.status().as_u16()), response.extensions().get::<Failure>());
    }

    fn keep(&mut self, status: Option<u16>, failure: Option<&Failure>) {
        let elapsed = self.app.token_clock.elapsed().saturating_sub(self.began);
        self.app.metrics.count_request(self.operation, status.unwrap_or(CLIENT_GONE), elapsed);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let known = self.trail.take();
        self.log(status, failure, known.actor.as_ref(), micros);
        let Some(place) = self.place.take() else { return };
        let asked = match known.question {
            Some((ip, look_back)) => Some(Asked::Ip { ip, look_back_hours: look_back.hours() }),
            None if self.operation == Operation::IpStats => Some(Asked::Text(ip_as_sent(&self.uri))),
            None => None,
        };
        place.record(Entry {
            unix_millis: self.unix_millis,
            operation: self.operation,
            actor: known.actor,
            client: self.client,
            asked,
            status,
            code: failure.map(|failure| failure.code),
            target: failure.map(|failure| failure.target),
            micros,
        });
    }

    /// The event in the log. The query is left out: clients put secrets there. Where there is an audit log, what went as
    /// it should is not told twice.
    fn log(&self, status: Option<u16>, failure: Option<&Failure>, actor: Option<&Actor>, micros: u64) {
        macro_rules! event {
            ($level:ident, $($fields:tt)*) => {
                tracing::$level!(
                    method = %self.method,
                    path = self.uri.path(),
                    organization = actor.map(|actor| tracing::field::display(actor.organization())),
                    application = actor.and_then(Actor::application),
                    client = self.client.map(tracing::field::display),
                    micros,
                    $($fields)*
                )
            };
        }
        let is_told = self.operation.is_decision() && self.app.is_audited();
        match (status, failure) {
            (Some(status @ 500..), Some(Failure { target, code, detail, is_crowding: true })) => {
                event!(warn, status, code, %target, "{detail}");
            }
            (Some(status @ 500..), Some(Failure { target, code, detail, .. })) => {
                event!(error, status, code, %target, "{detail}");
            }
            (Some(status), Some(Failure { target, code, detail, .. })) if is_told => {
                event!(debug, status, code, %target, "{detail}");
            }
            (Some(status), Some(Failure { target, code, detail, .. })) => {
                event!(info, status, code, %target, "{detail}");
            }
            (Some(status), None) if is_told => event!(debug, status, "answered"),
            (Some(status), None) => event!(info, status, "answered"),
            (None, _) => event!(info, "the client went away before it was answered"),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.is_answered {
            self.keep(None, None);
        }
    }
}

/// What stands before `/stats`.
fn ip_as_sent(uri: &Uri) -> String {
    let segment = uri.path().rsplit('/').nth(1).unwrap_or_default();
    excerpt(&percent_decode_str(segment).decode_utf8_lossy())
}
