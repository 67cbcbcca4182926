//! What surrounds every request: somebody who keeps its line in the audit log, its part in the metrics and an event in the
//! log; a stop for panics; and for all but logs a limit of time.
//!
//! One function does it, and not a stack of layers: each layer costs several allocations, and questions are short.

use super::app::App;
use super::entrance::Admission;
use super::error::{ApiError, Failure, NoRoute, excerpt};
use super::trail::Trail;
use super::{framing, ip_stats, other_operations, response_headers};
use crate::audit::{Actor, Asked, Entry, Place};
use crate::clock::Moment;
use crate::operation::Operation;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use percent_encoding::percent_decode_str;
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tower::Service;

/// Longest time from a request's head to its answer. A log may take longer.
const REQUEST_SECONDS_MAX: u64 = 30;

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
    came: Moment,
    is_answered: bool,
}

/// The answer of `routes` to `request`; always one, and never without its line.
pub(super) async fn answer(
    app: Arc<App>,
    routes: Router,
    admission: Admission,
    request: Request,
) -> Response {
    let operation = operation(request.uri().path());
    let (place, refused) = match app.audit_place(operation) {
        Ok(place) => (place, None),
        Err(full) => (None, Some(full)),
    };
    let mut watched = Watched::new(app, operation, place, admission.client, &request);
    let is_last = framing::is_last(&request);
    let mut response = match refused {
        Some(full) => ApiError::NotAudited(full).into_response(),
        None if admission.is_host_unclear => ApiError::HostUnclear.into_response(),
        None => surely(operation, routed(&watched, routes, request)).await,
    };
    response_headers::complete(response.headers_mut(), is_last);
    if response.extensions().get::<NoRoute>().is_some() {
        watched.led_nowhere();
    }
    watched.answered(&response);
    response
}

/// The answer of the routes. The one question that is asked all the time need not be looked up there.
async fn routed(watched: &Watched, mut routes: Router, mut request: Request) -> Response {
    if watched.operation == Operation::IpStats && ip_stats::is_answered_unrouted(&request) {
        let head = ip_stats::Head::of(&request);
        return ip_stats::answer(&watched.app, &watched.trail, watched.came, head).await.into_response();
    }
    if watched.operation == Operation::NotImplemented {
        let refused = other_operations::refuse(&watched.app, &watched.trail, watched.came, request.headers());
        return refused.await.into_response();
    }
    request.extensions_mut().insert(watched.trail.clone());
    match routes.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// What `answer` becomes, or why there is none.
async fn surely(operation: Operation, answer: impl Future<Output = Response>) -> Response {
    // The panic itself is logged by the panic hook; the client learns nothing of it.
    let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind());
    let answer = match poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
        // Most answers are there at once, and nobody has to look at a clock for them.
        Poll::Ready(answer) => Ok(answer),
        Poll::Pending if operation == Operation::Ingest => Ok(answer.await),
        Poll::Pending => tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), answer).await,
    };
    match answer {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => ApiError::Internal("a handler panicked".into()).into_response(),
        Err(_elapsed) => ApiError::Timeout.into_response(),
    }
}

/// What a path asks for if a route has it: routes are asked only when the request has a place (`http/mod.rs`).
fn operation(path: &str) -> Operation {
    let is_one = |segment: &str| !segment.is_empty() && !segment.contains('/');
    let between = |start, end| path.strip_prefix(start).and_then(|rest: &str| rest.strip_suffix(end));
    if ip_stats::address_in(path).is_some() {
        return Operation::IpStats;
    }
    if other_operations::includes(path) {
        return Operation::NotImplemented;
    }
    if path.strip_prefix("/api/ingest/").is_some_and(is_one) || is_of_shippers(path) {
        return Operation::Ingest;
    }
    if ["/oauth2/token", "/oauth2/v2.0/token"].iter().any(|end| between("/", *end).is_some_and(is_one)) {
        return Operation::Token;
    }
    if matches!(path, "/healthz" | "/readyz") {
        return Operation::Health;
    }
    Operation::Description
}

/// Where shippers send to in the protocols of others (`http/ingest/`).
fn is_of_shippers(path: &str) -> bool {
    let is_below =
        |start| path.strip_prefix(start).is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'));
    path == "/v1/logs" || is_below("/elastic") || is_below("/services/collector")
}

impl Watched {
    fn new(
        app: Arc<App>,
        operation: Operation,
        place: Option<Place>,
        client: Option<IpAddr>,
        request: &Request,
    ) -> Self {
        app.request_opened();
        Self {
            operation,
            method: request.method().clone(),
            uri: request.uri().clone(),
            client,
            trail: Trail::default(),
            place,
            came: app.token_clock.moment(),
            is_answered: false,
            app,
        }
    }

    /// There is nothing at the path.
    fn led_nowhere(&mut self) {
        self.operation = Operation::Unknown;
        self.place = None;
    }

    fn answered(mut self, response: &Response) {
        self.is_answered = true;
        self.keep(Some(response.status().as_u16()), response.extensions().get::<Failure>());
    }

    fn keep(&mut self, status: Option<u16>, failure: Option<&Failure>) {
        let elapsed = self.app.token_clock.elapsed().saturating_sub(self.came.elapsed);
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
            unix_millis: self.came.unix_millis,
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
        let is_told = self.place.is_some();
        match (status, failure) {
            (Some(status), Some(Failure { target, code, detail, is_crowding: true }))
                if is_service_error(status) =>
            {
                event!(warn, status, code, %target, "{detail}");
            }
            (Some(status), Some(Failure { target, code, detail, .. })) if is_service_error(status) => {
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

/// Whether a status reports an error of the service: a client that asks for another operation of Defender causes none.
fn is_service_error(status: u16) -> bool {
    status >= 500 && status != StatusCode::NOT_IMPLEMENTED.as_u16()
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.is_answered {
            self.keep(None, None);
        }
        self.app.request_closed();
    }
}

fn ip_as_sent(uri: &Uri) -> String {
    let address = ip_stats::address_in(uri.path()).unwrap_or_default();
    excerpt(&percent_decode_str(address).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt;

    async fn answer(path: &str) -> (StatusCode, String) {
        let router = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("the secret of the inside") }))
            .route("/endless", get(std::future::pending::<&'static str>));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.oneshot(request).map(Result::unwrap);
        let response = surely(operation(path), answer).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let (status, body) = answer("/panic").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("InternalServerError") && !body.contains("inside"), "{body}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_end_is_given_up() {
        let (status, body) = answer("/endless").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("took too long"), "{body}");
    }

    #[test]
    fn not_implemented_is_not_a_service_error() {
        let statuses = [404, 429, 500, 501, 503];
        assert_eq!(statuses.map(is_service_error), [false, false, true, false, true]);
    }

    #[test]
    fn a_path_tells_the_operation() {
        for (expected, paths) in [
            (
                Operation::IpStats,
                &[
                    "/api/ips/x/stats",
                    "/api/v1.0/ips/1.2.3.4/stats",
                    "/api/ips/%2F/stats",
                    "/api/ips/8.8.8.8/32/stats",
                ][..],
            ),
            (Operation::NotImplemented, &["/api/alerts", "/api/v1.0/files/x/stats", "/api/ips/x/alerts"]),
            (Operation::Ingest, &["/api/ingest/auto", "/elastic", "/elastic/_bulk", "/v1/logs"]),
            (Operation::Ingest, &["/services/collector", "/services/collector/event/1.0"]),
            (Operation::Token, &["/contoso/oauth2/token", "/contoso/oauth2/v2.0/token"]),
            (Operation::Health, &["/healthz", "/readyz"]),
            (
                Operation::Description,
                &["/", "/api", "/api/ips//stats", "/api/ips/a/b/stats", "/api/ips/x/stats/", "/api/ingest/"],
            ),
            (
                Operation::Description,
                &["/oauth2/token", "/a/b/oauth2/token", "/elastics", "/services/collectors"],
            ),
        ] {
            for path in paths {
                assert_eq!(operation(path), expected, "{path}");
            }
        }
    }
}
