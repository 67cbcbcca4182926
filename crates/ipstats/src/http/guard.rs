//! What surrounds handlers: one line in the log, a stop for panics, and for questions a limit of time.

use super::error::{ApiError, Failure};
use super::response_headers;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::{Duration, Instant};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, Span, info_span};

/// Longest time from a request's head to its answer.
const REQUEST_SECONDS_MAX: u64 = 30;

/// Bounds the time of each request to `router`.
pub(super) fn limit_time<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(middleware::from_fn(give_up))
}

/// Logs each request to `router` and stops panics.
pub(super) fn around<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(CatchPanicLayer::custom(panicked)).layer(middleware::from_fn(watch))
}

/// The panic itself is logged by the panic hook; the client learns nothing of it.
fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    ApiError::Internal("a handler panicked".into()).into_response()
}

async fn give_up(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), next.run(request)).await;
    answer.unwrap_or_else(|_| ApiError::Timeout.into_response())
}

/// Writes the line of a request. The query is left out: clients put secrets there.
async fn watch(request: Request, next: Next) -> Response {
    let span = info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
        organization = tracing::field::Empty,
        application = tracing::field::Empty,
    );
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    response_headers::complete(response.headers_mut());
    log(&span, &response, started.elapsed());
    response
}

fn log(span: &Span, response: &Response, elapsed: Duration) {
    let status = response.status().as_u16();
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| match response.extensions().get::<Failure>() {
        None => tracing::info!(status, micros, "answered"),
        Some(Failure { target, code, detail }) if status >= 500 => {
            tracing::error!(status, micros, code, %target, "{detail}");
        }
        Some(Failure { target, code, detail }) => {
            tracing::info!(status, micros, code, %target, "{detail}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use tower::ServiceExt;

    async fn answer(path: &str) -> (StatusCode, String) {
        let router = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("the secret of the inside") }))
            .route("/endless", get(std::future::pending::<&'static str>));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = around(limit_time(router)).oneshot(request).await.unwrap();
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
}
