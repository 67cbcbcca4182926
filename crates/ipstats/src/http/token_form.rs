//! The form of a token request, read as leniently as real clients need: whatever its `Content-Type` says, unknown
//! parameters ignored, the client proved in it or by HTTP Basic.

use super::token_error::TokenError;
use crate::secret::Secret;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

/// Who the client says it is, and its secret, where it shows one.
pub(super) struct Credentials {
    pub(super) client_id: String,
    pub(super) secret: Option<Secret>,
}

/// A form as it came.
pub(super) struct Form(pub(super) Bytes);

impl Form {
    /// The value of a parameter. An empty one is as good as none (RFC 6749, section 3.2), a repeated one is an error.
    pub(super) fn find(&self, name: &'static str) -> Result<Option<String>, TokenError> {
        let mut values =
            form_urlencoded::parse(&self.0).filter(|(key, value)| key == name && !value.is_empty());
        let value = values.next().map(|(_, value)| value.into_owned());
        if values.next().is_some() { Err(TokenError::Twice(name)) } else { Ok(value) }
    }

    /// `grant_type`; where it is missing and the body is not a form, the error names what it is.
    pub(super) fn grant_type(&self, headers: &HeaderMap) -> Result<String, TokenError> {
        let missing = || match self.other_type(headers) {
            Some(other) => TokenError::NotForm(other),
            None => TokenError::Missing("grant_type"),
        };
        self.find("grant_type")?.ok_or_else(missing)
    }

    /// Whether the client proves itself by an assertion (RFC 7521, section 4.2).
    pub(super) fn has_assertion(&self) -> bool {
        form_urlencoded::parse(&self.0).any(|(key, _)| key == "client_assertion")
    }

    /// What the body is instead of a form, by its beginning or else by its `Content-Type`.
    fn other_type(&self, headers: &HeaderMap) -> Option<&'static str> {
        let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let named = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if self.0.trim_ascii_start().starts_with(b"{")
            || named == "application/json"
            || named.ends_with("+json")
        {
            return Some("JSON");
        }
        match named.as_str() {
            "multipart/form-data" => Some("multipart/form-data"),
            "application/xml" | "text/xml" => Some("XML"),
            _ => None,
        }
    }

    pub(super) fn require(&self, name: &'static str) -> Result<String, TokenError> {
        self.find(name)?.ok_or(TokenError::Missing(name))
    }

    /// Client id and secret, from the `Authorization` header or else from the form.
    pub(super) fn credentials(&self, headers: &HeaderMap) -> Result<Credentials, TokenError> {
        let (in_form, secret_in_form) = (self.find("client_id")?, self.find("client_secret")?);
        let Some(header) = headers.get(AUTHORIZATION) else {
            // An assertion may name the client by itself.
            let missing = || {
                if self.has_assertion() { TokenError::Assertion } else { TokenError::Missing("client_id") }
            };
            let client_id = in_form.ok_or_else(missing)?;
            return Ok(Credentials { client_id, secret: secret_in_form.map(Secret::from) });
        };
        let (client_id, secret) = basic(header).ok_or(TokenError::Basic)?;
        if secret_in_form.is_some() || in_form.is_some_and(|in_form| in_form != client_id) {
            return Err(TokenError::TwoClients);
        }
        Ok(Credentials { client_id, secret: Some(secret.into()) })
    }
}

/// HTTP Basic (RFC 7617). Id and secret are percent-decoded (RFC 6749, section 2.3.1); a plus stays a plus, because most
/// clients do not encode at all.
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    Some((decode(client_id)?, decode(secret)?))
}
