//! What surrounds handlers: somebody who watches, a stop for panics, and for questions a limit of time.

use super::app::App;
use super::error::ApiError;
use super::watch;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;

/// Longest time from a request's head to its answer.
const REQUEST_SECONDS_MAX: u64 = 30;

/// Bounds the time of each request to `router`.
pub(super) fn limit_time<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(middleware::from_fn(give_up))
}

/// Watches each request to `router` (`watch.rs`) and stops panics.
pub(super) fn around(router: Router<Arc<App>>, app: &Arc<App>) -> Router<Arc<App>> {
    let watch = middleware::from_fn_with_state(Arc::clone(app), watch::watch);
    stop_panics(router).layer(watch)
}

fn stop_panics<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(CatchPanicLayer::custom(panicked))
}

/// The panic itself is logged by the panic hook; the client learns nothing of it.
fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    ApiError::Internal("a handler panicked".into()).into_response()
}

async fn give_up(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), next.run(request)).await;
    answer.unwrap_or_else(|_| ApiError::Timeout.into_response())
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
        let response = stop_panics(limit_time(router)).oneshot(request).await.unwrap();
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
