//! What is printed about one IP, whoever answered.

use crate::answer::{Answer, NoAnswer};
use ipstats_model::Timestamp;
use serde::Serialize;
use std::borrow::Cow;

/// One IP that was asked for.
pub(super) struct Entry {
    /// The text that was asked for.
    pub(super) asked: String,
    pub(super) found: Result<Answer, Nothing>,
    /// The first contact ever; only a data folder knows it.
    pub(super) first_ever: Option<Timestamp>,
}

/// An IP without an answer, and why: as in the errors of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Nothing {
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
}

/// A line about an IP without an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorLine<'a> {
    ip_address: &'a str,
    error: &'a Nothing,
}

impl Entry {
    /// The body that the API answers, or the error with its IP, on one line.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        match &self.found {
            Ok(answer) => Ok(String::from_utf8_lossy(&answer.to_json()).into_owned()),
            Err(error) => serde_json::to_string(&ErrorLine { ip_address: &self.asked, error }),
        }
    }

    /// Whether the question itself failed. An IP that was not contacted is an answer.
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.found, Err(nothing) if !nothing.is_not_found())
    }
}

impl Nothing {
    /// Nobody contacted the IP in the last 30 days.
    pub(super) fn is_not_found(&self) -> bool {
        self.code == "ResourceNotFound"
    }

    /// What was asked for is no IP address.
    pub(super) fn is_invalid(&self) -> bool {
        self.code == "InvalidIpAddress"
    }
}

impl From<NoAnswer> for Nothing {
    fn from(error: NoAnswer) -> Self {
        Self { code: Cow::Borrowed(error.code()), message: error.to_string() }
    }
}
