//! What only the operator sees, without a token: `GET /metrics`, `GET /sources` and what `ipstats copy` needs.
//!
//! It is told on a socket in the data folder, to the user of the service and to root, and where `metrics_listen` is set also
//! there. Whoever reaches that address reads the metrics; `/sources` shows paths and what is wrong with records of all
//! organizations, so it is for this machine alone.

use super::app::App;
use super::entrance::{ClientAddress, Entrance};
use super::error::{self, ApiError};
use super::operator_pieces;
use crate::auth::Figures;
use crate::clock::Clock;
use crate::metrics::States;
use crate::sources::{Board, Moment, SourceReport, SourcesReport};
use crate::store::Health;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use std::sync::Arc;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the operator's routes look at.
#[derive(Clone)]
struct Watched {
    app: Arc<App>,
    board: Board,
}

/// The routes of the operator, over `app` and the sources on `board`.
pub fn operator_router(app: &Arc<App>, board: Board) -> Entrance {
    let routes = Router::new()
        .route("/metrics", get(page))
        .route("/sources", get(sources))
        .fallback(error::unknown_route)
        .with_state(Watched { app: Arc::clone(app), board })
        .merge(operator_pieces::routes(app));
    Entrance::to_operator(Arc::clone(app), routes)
}

async fn sources(
    State(Watched { app, board }): State<Watched>,
    client: Option<Extension<ClientAddress>>,
) -> Result<Json<SourcesReport>, ApiError> {
    // Over the socket there is no address.
    if client.is_some_and(|Extension(ClientAddress(address))| !address.is_loopback()) {
        return Err(ApiError::OperatorOnly);
    }
    Ok(Json(SourcesReport { sources: reports(&app, &board) }))
}

fn reports(app: &App, board: &Board) -> Vec<SourceReport> {
    let moment = Moment { now: Clock::System.now(), data_now: app.data_clock.now() };
    let fetched = board.accounts();
    let fetched = fetched.iter().map(|(entry, account)| SourceReport::of_entry(entry, account, moment));
    let keys = app.ingest_accounts();
    fetched.chain(keys.iter().map(|(key, account)| SourceReport::of_key(key, account, moment))).collect()
}

async fn page(State(Watched { app, board }): State<Watched>) -> Result<impl IntoResponse, ApiError> {
    let states = States {
        is_accepting: matches!(app.store.health(), Ok(Health::Accepting)),
        // A store that is busy or closed has no figures to show; the page says the rest.
        store: app.store.figures().await.unwrap_or_default(),
        audit: app.audit_figures(),
        callers: app.limiter.callers(),
        are_limits_shared: app.limiter.is_shared_now(),
        tokens: tokens(app.auth_figures()),
        issuers: app.issuer_figures(),
        sources: reports(&app, &board),
    };
    let page = app.metrics.page(&states).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], page))
}

/// Tokens that were looked at, by what came of it.
fn tokens(figures: &Figures) -> Vec<(&'static str, u64)> {
    let accepted = [("verified", figures.verified()), ("remembered", figures.remembered())];
    accepted.into_iter().chain(figures.refused()).collect()
}
