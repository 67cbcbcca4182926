//! Errors as Elasticsearch words them.

use crate::http::error::ApiError;
use crate::http::ingest::reshaped;
use crate::store::StoreError;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(super) const JSON: &str = "application/json";

/// An error of the API, for a client of Elasticsearch.
pub(super) struct ElasticError(ApiError);

impl<E: Into<ApiError>> From<E> for ElasticError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ElasticError {
    fn into_response(self) -> Response {
        let (status, kind) = match &self.0 {
            // Elasticsearch says 429 when its queues are full, and shippers hold back.
            ApiError::Unavailable(StoreError::Busy { .. }) => {
                (StatusCode::TOO_MANY_REQUESTS, "es_rejected_execution_exception")
            }
            error => (error.status_and_code().0, kind(error)),
        };
        let reason = self.0.to_string();
        let cause = json!({ "type": kind, "reason": reason });
        let body = json!({ "error": { "root_cause": [cause], "type": kind, "reason": reason }, "status": status.as_u16() });
        let mut response = reshaped(self.0, JSON, body.to_string());
        *response.status_mut() = status;
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"ipstats\", Bearer, ApiKey");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn kind(error: &ApiError) -> &'static str {
    match error {
        ApiError::IngestKey(_) => "security_exception",
        ApiError::TooLarge(_) => "content_too_long_exception",
        ApiError::Unavailable(_) | ApiError::Internal(_) => "process_cluster_event_timeout_exception",
        ApiError::UnknownRoute(_) | ApiError::MethodNotAllowed(_) => "invalid_index_name_exception",
        _ => "illegal_argument_exception",
    }
}
