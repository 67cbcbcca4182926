//! Answers in the encoding of the request.

use super::media_type;
use crate::http::error::ApiError;
use crate::http::ingest::reshaped;
use crate::ingest::envelope::otlp::Encoding;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde::Serialize;

/// Everything that can be read is durable.
pub(super) struct Answered {
    pub(super) encoding: Encoding,
    pub(super) malformed: u64,
    /// What is wrong with the first malformed one.
    pub(super) problem: Option<String>,
}

/// An error, for a client of OpenTelemetry.
pub(super) struct OtlpError(pub(super) Encoding, pub(super) ApiError);

/// `ExportLogsServiceResponse`.
#[derive(Message, Serialize)]
struct LogsResponse {
    #[prost(message, optional, tag = "1")]
    #[serde(rename = "partialSuccess", skip_serializing_if = "Option::is_none")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    #[serde(serialize_with = "as_text")]
    rejected_log_records: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`.
#[derive(Message, Serialize)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let partial_success = self.problem.map(|error_message| PartialSuccess {
            rejected_log_records: i64::try_from(self.malformed).unwrap_or(i64::MAX),
            error_message,
        });
        let body = written(self.encoding, &LogsResponse { partial_success });
        let content_type = HeaderValue::from_static(media_type(self.encoding));
        ([(CONTENT_TYPE, content_type)], body).into_response()
    }
}

impl IntoResponse for OtlpError {
    fn into_response(self) -> Response {
        let Self(encoding, error) = self;
        // 408 is no status that a client of OpenTelemetry tries again; 503 is.
        let status = match error.status_and_code().0 {
            StatusCode::REQUEST_TIMEOUT => StatusCode::SERVICE_UNAVAILABLE,
            status => status,
        };
        let body = written(encoding, &Status { code: code(status), message: error.to_string() });
        let mut response = reshaped(error, media_type(encoding), body);
        *response.status_mut() = status;
        response
    }
}

/// The code of gRPC that comes nearest.
fn code(status: StatusCode) -> i32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::INTERNAL_SERVER_ERROR => 13,
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        _ => 3,
    }
}

fn written<M: Message + Serialize>(encoding: Encoding, message: &M) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => message.encode_to_vec(),
        Encoding::Json => serde_json::to_vec(message).unwrap_or_default(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn as_text<S: serde::Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
