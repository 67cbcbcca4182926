//! `GET /metrics`, on a listener of its own: whoever reaches it reads it, without a token.

use super::app::App;
use super::entrance::Entrance;
use super::error::{self, ApiError};
use crate::auth::Figures;
use crate::metrics::States;
use crate::store::Health;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes of the listener for metrics.
pub fn metrics_router(app: &Arc<App>) -> Entrance {
    let routes = Router::new().route("/metrics", get(page)).fallback(error::unknown_route);
    Entrance::new(Arc::clone(app), routes.with_state(Arc::clone(app)))
}

async fn page(State(app): State<Arc<App>>) -> Result<impl IntoResponse, ApiError> {
    let states = States {
        is_accepting: matches!(app.store.health(), Ok(Health::Accepting)),
        // A store that is busy or closed has no figures to show; the page says the rest.
        store: app.store.figures().await.unwrap_or_default(),
        audit: app.audit_figures(),
        callers: app.limiter.callers(),
        tokens: tokens(app.auth_figures()),
        issuers: app.issuer_figures(),
    };
    let page = app.metrics.page(&states).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], page))
}

/// Tokens that were looked at, by what came of it.
fn tokens(figures: &Figures) -> Vec<(&'static str, u64)> {
    let accepted = [("verified", figures.verified()), ("remembered", figures.remembered())];
    accepted.into_iter().chain(figures.refused()).collect()
}
