//! Why a service gave no answer, and what to do about it.

use super::courier::Reply;
use crate::config::ServerUrl;
use crate::visible::Visible;
use reqwest::StatusCode;
use serde::Deserialize;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use tokio_rustls::rustls::{self, CertificateError};

/// How much of an answer is shown that has no form we know, in characters.
const EXCERPT_CHARS_MAX: usize = 200;

/// What was to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Get a token.
    Token,
    /// Ask about an IP.
    Statistics,
    /// Send a log.
    Log,
}

/// No answer that helps. Whoever sees it has a service to look at, or settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file with certificates cannot be used.
    #[error("certificates {}: {reason}", file.display())]
    CaFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up: {0}")]
    Tls(Unreachable),
    /// The system gives no threads.
    #[error("no thread could be started: {0}")]
    Threads(io::Error),
    /// The file with a token cannot be read.
    #[error("token file {}: {source}", file.display())]
    TokenFile {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// There was no connection, or it broke off.
    #[error("{step}: {url} cannot be reached: {cause}")]
    Unreachable {
        /// What was to be done.
        step: Step,
        /// Where.
        url: ServerUrl,
        /// Why not.
        cause: Unreachable,
    },
    /// The server refused, or is in trouble.
    #[error("{step}: {url} answers {status}{}{}", shown(.message), way_out(*.step, *.status))]
    Status {
        /// What was to be done.
        step: Step,
        /// Where.
        url: ServerUrl,
        /// What it answered.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// The server sends elsewhere. Secrets do not follow.
    #[error("{step}: {url} redirects to {}; name the right URL", Visible(.location))]
    Redirected {
        /// What was to be done.
        step: Step,
        /// Where.
        url: ServerUrl,
        /// Where the server points.
        location: String,
    },
    /// The answer is none of this API.
    #[error("{step}: the answer of {url} is not the expected one ({reason}): is this the right URL?")]
    NotTheApi {
        /// What was to be done.
        step: Step,
        /// Where.
        url: ServerUrl,
        /// What is odd about it.
        reason: String,
    },
}

/// Why a server cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreachable {
    reason: String,
    /// Whether waiting may help.
    pub(super) may_pass: bool,
}

/// The errors of this API and of token endpoints (RFC 6749, section 5.2), as far as people read them.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorBody {
    Api { error: ApiError },
    Token { error: String, error_description: Option<String> },
}

/// An error of the API.
#[derive(Debug, Deserialize)]
pub(super) struct ApiError {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

impl ClientError {
    /// What a reply says that is no success.
    pub(super) fn of(step: Step, url: &ServerUrl, reply: &Reply) -> Self {
        let url = url.clone();
        if reply.status.is_redirection() {
            let location = reply.location.clone().unwrap_or_else(|| "nowhere".to_owned());
            return Self::Redirected { step, url, location };
        }
        let message = match serde_json::from_slice(&reply.body) {
            Ok(ErrorBody::Api { error }) if error.message.starts_with(&error.code) => error.message,
            Ok(ErrorBody::Api { error }) => format!("{}: {}", error.code, error.message),
            Ok(ErrorBody::Token { error, error_description: Some(description) }) => {
                format!("{error}: {description}")
            }
            Ok(ErrorBody::Token { error, error_description: None }) => error,
            Err(_) if reply.is_json => String::new(),
            // A page of a proxy or of another server is of no use to anyone.
            Err(_) => "not in the words of this API: is this the right URL?".to_owned(),
        };
        Self::Status { step, url, status: reply.status, message }
    }
}

impl ApiError {
    /// The error in a reply, where it has the form of this API.
    pub(super) fn in_reply(reply: &Reply) -> Option<Self> {
        match serde_json::from_slice(&reply.body) {
            Ok(ErrorBody::Api { error }) => Some(error),
            _ => None,
        }
    }
}

impl From<reqwest::Error> for Unreachable {
    fn from(error: reqwest::Error) -> Self {
        // The URL is told beside it; a request that cannot be built will not build itself by waiting.
        let (is_builder, error) = (error.is_builder(), error.without_url());
        if let Some(tls) = tls_error(&error) {
            let advice = match tls {
                rustls::Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::Other(_),
                ) => " (trust its issuer with --ca-file)",
                rustls::Error::InvalidMessage(_) => " (does it speak TLS? otherwise use http://)",
                _ => "",
            };
            return Self { reason: format!("{tls}{advice}"), may_pass: false };
        }
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(&error) };
        Self { reason, may_pass: !is_builder }
    }
}

/// The cause below all others, which is what the system or the peer said.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// What TLS has to say, where it is in the chain of causes. An `io::Error` hides what it holds from that chain.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let held: Option<&(dyn Error + 'static)> = held.map(|held| held as _);
        if let Some(tls) = error.downcast_ref().or_else(|| held.and_then(|held| held.downcast_ref())) {
            return Some(tls);
        }
        next = held.or_else(|| error.source());
    }
    None
}

fn shown(message: &str) -> String {
    let excerpt: String = message.chars().take(EXCERPT_CHARS_MAX).collect();
    if excerpt.is_empty() { excerpt } else { format!(" ({})", Visible(excerpt)) }
}

fn way_out(step: Step, status: StatusCode) -> &'static str {
    match (step, status.as_u16()) {
        (Step::Token, 400 | 401) => "; check the client id, its secret, the tenant and the token URL",
        (Step::Token, 404) | (Step::Statistics | Step::Log, 405) => "; check the URL",
        (Step::Statistics, 401) => "; is the token one for this service, and still valid?",
        (Step::Statistics, 403) => "; give the application the permission Ip.Read.All",
        (Step::Log, 401) => "; check the ingest key",
        (_, 429) => "; try again later, or ask for a larger quota",
        (_, 502..=504) => "; it did not get better in time (--retry-seconds)",
        _ => "",
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "no token",
            Self::Statistics => "no statistics",
            Self::Log => "the log was not taken",
        })
    }
}
