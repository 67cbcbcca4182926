//! `GET /healthz`: the process runs. `GET /readyz`: it answers questions and acknowledges records.

use super::app::App;
use crate::store::Health;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "getHealth",
    tag = "health",
    summary = "Whether the process runs",
    responses((status = 200, description = "It does.", body = String)),
    security(())
)]
pub(super) async fn live() -> &'static str {
    "ok\n"
}

#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadiness",
    tag = "health",
    summary = "Whether questions are answered and records acknowledged",
    responses(
        (status = 200, description = "They are.", body = Readiness),
        (status = 503, description = "They are not, for the reason given.", body = Readiness),
    ),
    security(())
)]
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let not_ready = |status, reason| (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { status, reason }));
    if app.is_closing() {
        return not_ready("closing", None);
    }
    match app.store.health() {
        Ok(Health::Accepting) => (StatusCode::OK, Json(Readiness { status: "ready", reason: None })),
        Ok(Health::Failed(reason)) => not_ready("failed", Some(reason)),
        Err(error) => not_ready("closed", Some(error.to_string())),
    }
}
