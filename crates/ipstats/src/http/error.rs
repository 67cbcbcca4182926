//! What goes wrong at the API, and what the client sees of it: one enum, one match.

use super::ingest::KeyRefused;
use super::ingest::plain::IngestAnswer;
use crate::answer::NoAnswer;
use crate::audit::Full;
use crate::auth::{Forbidden, TokenRefused};
use crate::config::RateLimit;
use crate::ingest::{UnknownEncoding, UploadError};
use crate::limit::NoRoom;
use crate::store::StoreError;
use crate::telemetry::chain;
use crate::visible::Visible;
use axum::Extension;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ipstats_formats::FormatChoice;
use ipstats_model::InvalidIpAddress;
use serde::Serialize;
use std::error::Error;
use utoipa::ToSchema;
use uuid::Uuid;

/// After how many seconds a client may try again when the service is busy.
const RETRY_SECONDS: u32 = 1;

/// After how many seconds when the keys of an issuer cannot be fetched; sooner they are not asked for again.
const KEYS_RETRY_SECONDS: u32 = 10;

/// Most characters of what a client sent that are sent back.
const TEXT_CHARS_MAX: usize = 100;

/// An error of the API.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("Unauthorized: {0}.")]
    Unauthorized(TokenRefused),
    #[error("API calls quota exceeded! maximum allowed {limit}")]
    TooManyRequests { limit: RateLimit, retry_after_seconds: u32 },
    #[error("Too many applications are calling at once. Try again later.")]
    TooManyCallers { source: NoRoom, retry_after_seconds: u32 },
    #[error("The token cannot be checked: {}. Try again later.", TokenRefused::KeysUnavailable)]
    KeysUnavailable,
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    InvalidIpAddress(#[from] InvalidIpAddress),
    #[error("{0} This is a network; ask for one address of it, without the prefix length.")]
    Network(InvalidIpAddress),
    #[error("lookBackHours {0}; it must be a whole number of hours from 1 to 720, given once.")]
    InvalidLookBackHours(String),
    #[error("The query option {0} is not supported.")]
    UnknownQueryOption(String),
    #[error("{0}.")]
    Format(String),
    #[error("OData-MaxVersion {0} asks for a version before 4.0, which is the one this service speaks.")]
    Version(String),
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error(
        "Unauthorized: {0}. An ingest key is expected, as 'Authorization: Bearer <key>' or as a Basic password."
    )]
    IngestKey(KeyRefused),
    #[error("The format in the path is unknown; known are {}.", FormatChoice::names().collect::<Vec<_>>().join(", "))]
    UnknownFormat,
    #[error("The body cannot be read: {0}.")]
    UnknownEncoding(#[from] UnknownEncoding),
    #[error("The content type {0} is not supported here.")]
    UnknownContentType(String),
    #[error("Not everything was recorded: {0}.")]
    TooLarge(UploadError),
    #[error("{share} was recorded: {0}.", share = if .0.is_of_no_log() { "Nothing" } else { "Not everything" })]
    UnreadableLog(UploadError),
    #[error("{error}")]
    Partly {
        #[source]
        error: Box<Self>,
        /// What became of what came before.
        recorded: Box<IngestAnswer>,
    },
    #[error("This is for the machine that the service runs on. Run ipstats there.")]
    OperatorOnly,
    #[error("The body is not a frame of `ipstats copy`; the other side may run another version.")]
    CopyFrame,
    #[error("{0}.")]
    CopyAhead(String),
    #[error("Not implemented: this service answers IP statistics, not this operation.")]
    NotImplemented,
    #[error("The request must name its host once.")]
    HostUnclear,
    #[error("Not everything was recorded: {0}.")]
    BrokenOff(UploadError),
    #[error("There is nothing at {0}.")]
    UnknownRoute(String),
    #[error("The method {0} is not supported here.")]
    MethodNotAllowed(Method),
    #[error("The request took too long.")]
    Timeout,
    #[error("The service is not available right now. Try again later.")]
    Unavailable(#[source] StoreError),
    #[error("The service is not available right now. Try again later.")]
    NotAudited(#[from] Full),
    #[error("The service could not answer.")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

/// What the log is told about a failed request; the client is told the same `target`.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) target: Uuid,
    pub(super) code: &'static str,
    /// Nothing is wrong with the service: there was no room for one more.
    pub(super) is_crowding: bool,
    /// The message and the chain of its causes.
    pub(super) detail: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Body<'a> {
    error: Fields<'a>,
    /// Of a log that was not taken to its end: what became of what came before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    recorded: Option<&'a IngestAnswer>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ErrorFields)]
struct Fields<'a> {
    /// What programs key on.
    code: &'a str,
    /// What people read.
    message: &'a str,
    /// Stands in the log of the service, too.
    target: Uuid,
}

/// What a client sent, as a message shows it: at most 100 characters of it.
pub(super) fn excerpt(text: &str) -> String {
    // As many bytes are no more characters.
    if text.len() <= TEXT_CHARS_MAX {
        return text.to_owned();
    }
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// An extension of the answers to paths that lead nowhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoRoute;

pub(super) async fn unknown_route(uri: Uri) -> (Extension<NoRoute>, ApiError) {
    (Extension(NoRoute), ApiError::UnknownRoute(excerpt(uri.path())))
}

pub(super) async fn method_not_allowed(method: Method) -> ApiError {
    ApiError::MethodNotAllowed(method)
}

impl ApiError {
    pub(super) fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Partly { error, .. } => error.status_and_code(),
            Self::Unauthorized(_) | Self::IngestKey(_) => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::TooManyRequests { .. } => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Self::Forbidden(_) | Self::OperatorOnly => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::InvalidIpAddress(_) | Self::Network(_) => (StatusCode::BAD_REQUEST, "InvalidIpAddress"),
            Self::InvalidLookBackHours(_) => (StatusCode::BAD_REQUEST, "InvalidInput"),
            Self::UnknownQueryOption(_) | Self::Format(_) | Self::Version(_) => {
                (StatusCode::BAD_REQUEST, "ODataError")
            }
            Self::NoAnswer(no_answer @ NoAnswer::InvalidIpAddress(_)) => {
                (StatusCode::BAD_REQUEST, no_answer.code())
            }
            Self::NoAnswer(no_answer @ NoAnswer::NotFound(_)) => (StatusCode::NOT_FOUND, no_answer.code()),
            Self::UnknownFormat | Self::UnreadableLog(_) | Self::HostUnclear => {
                (StatusCode::BAD_REQUEST, "BadRequest")
            }
            Self::CopyFrame => (StatusCode::BAD_REQUEST, "InvalidCopyFrame"),
            Self::CopyAhead(_) => (StatusCode::BAD_REQUEST, "TimeAheadOfClock"),
            Self::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            Self::UnknownEncoding(_) | Self::UnknownContentType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType")
            }
            // Shippers send again what was answered by this, and drop what was answered by 400.
            Self::BrokenOff(_) => (StatusCode::REQUEST_TIMEOUT, "RequestTimeout"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge"),
            Self::UnknownRoute(_) => (StatusCode::NOT_FOUND, "NotFound"),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::Timeout
            | Self::Unavailable(_)
            | Self::KeysUnavailable
            | Self::NotAudited(_)
            | Self::TooManyCallers { .. } => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        }
    }

    fn is_crowding(&self) -> bool {
        matches!(self, Self::TooManyCallers { .. } | Self::Unavailable(StoreError::Busy { .. }))
    }

    /// A header that the status asks for. (`Allow` is added by the router, which knows the methods.)
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Partly { error, .. } => error.header(),
            Self::Unauthorized(refused) => Some((WWW_AUTHENTICATE, challenge(*refused))),
            Self::IngestKey(_) => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::TooManyRequests { retry_after_seconds, .. }
            | Self::TooManyCallers { retry_after_seconds, .. } => {
                Some((RETRY_AFTER, (*retry_after_seconds).into()))
            }
            Self::Timeout | Self::Unavailable(_) | Self::NotAudited(_) => {
                Some((RETRY_AFTER, RETRY_SECONDS.into()))
            }
            Self::KeysUnavailable => Some((RETRY_AFTER, KEYS_RETRY_SECONDS.into())),
            _ => None,
        }
    }
}

/// The challenge of RFC 6750, section 3: without an error code when no token was shown.
fn challenge(refused: TokenRefused) -> HeaderValue {
    let bare = HeaderValue::from_static("Bearer");
    match refused {
        TokenRefused::Missing => bare,
        _ => HeaderValue::try_from(format!(r#"Bearer error="invalid_token", error_description="{refused}""#))
            .unwrap_or(bare),
    }
}

impl From<TokenRefused> for ApiError {
    fn from(refused: TokenRefused) -> Self {
        match refused {
            TokenRefused::KeysUnavailable => Self::KeysUnavailable,
            refused => Self::Unauthorized(refused),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy { .. } | StoreError::Closed | StoreError::Read(_) | StoreError::Write(_) => {
                Self::Unavailable(error)
            }
            StoreError::PieceAhead(ahead) => Self::CopyAhead(ahead.to_string()),
            StoreError::Defect(_) => Self::Internal(error.into()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let (target, message) = (Uuid::new_v4(), self.to_string());
        let recorded = if let Self::Partly { recorded, .. } = &self { Some(&**recorded) } else { None };
        let body = Body { error: Fields { code, message: &message, target }, recorded };
        // Strings and a GUID always serialize; were it not so, an empty body would still carry the status.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        let mut response = (status, [(CONTENT_TYPE, content_type)], body).into_response();
        response.headers_mut().extend(self.header());
        response.extensions_mut().insert(Failure {
            target,
            code,
            is_crowding: self.is_crowding(),
            detail: logged(&self),
        });
        response
    }
}

/// An error and its causes, for the log. What the client sent may be in it: it cannot begin a new line, steer a terminal or
/// turn the direction of reading.
pub(super) fn logged(error: &(dyn Error + 'static)) -> String {
    Visible(chain(error)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_room_is_no_error_of_the_service() {
        let failure = |error: ApiError| error.into_response().extensions().get::<Failure>().cloned().unwrap();
        let no_room = NoRoom { callers: 1, free_at: std::time::Duration::ZERO };
        assert!(
            failure(ApiError::TooManyCallers { source: no_room, retry_after_seconds: 1 }).is_crowding
                && failure(StoreError::Busy { waiting: 1 }.into()).is_crowding
                && !failure(StoreError::Closed.into()).is_crowding
        );
    }

    #[test]
    fn the_log_gets_the_causes_on_one_line() {
        let error = ApiError::from(StoreError::Read("the store cannot be read: disk on fire".into()));
        let expected = "The service is not available right now. Try again later.: the store cannot be read: ";
        let text = logged(&error);
        assert!(text.starts_with(expected) && text.ends_with("disk on fire"), "{text}");
        let error =
            ApiError::from("1.2.3.4\nINFO all is well".parse::<ipstats_model::CanonicalIp>().unwrap_err());
        assert!(!logged(&error).contains('\n'));
        let error = ApiError::UnknownRoute("/\u{202e}\u{2028}\u{1b}x".to_owned());
        assert_eq!(logged(&error), "There is nothing at /\\u{202e}\\u{2028}\\u{1b}x.");
    }
}
