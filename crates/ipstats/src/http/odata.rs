//! What OData 4.0 asks of an answer: its headers.

use super::error::ApiError;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");

/// How much an answer says about its own type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    /// `@odata.context` only.
    Minimal,
    /// Nothing.
    None,
}

impl Metadata {
    /// What the client accepts: minimal, unless it asks for none.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut parameters = ranges.flat_map(|ranges| ranges.split([',', ';']));
        let none = parameters.any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("odata.metadata")
                    && value.trim().eq_ignore_ascii_case("none")
            })
        });
        if none { Self::None } else { Self::Minimal }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Minimal => "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8",
            Self::None => "application/json; odata.metadata=none; odata.streaming=true; charset=utf-8",
        })
    }
}

/// A successful answer.
pub(super) fn json(answer: &impl Serialize, metadata: Metadata) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(answer).map_err(|error| ApiError::Internal(error.into()))?;
    let headers = [(CONTENT_TYPE, metadata.content_type()), (ODATA_VERSION, HeaderValue::from_static("4.0"))];
    Ok((headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_left_out_only_when_asked_for() {
        for (accept, expected) in [
            ("application/json;odata.metadata=none", Metadata::None),
            ("text/html, application/json; charset=utf-8; OData.Metadata=None, */*", Metadata::None),
            ("application/json;odata.metadata=minimal", Metadata::Minimal),
            ("*/*", Metadata::Minimal),
            ("application/json;metadata=none", Metadata::Minimal),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Metadata::accepted(&headers), expected, "{accept}");
        }
        assert_eq!(Metadata::accepted(&HeaderMap::new()), Metadata::Minimal);
    }
}
