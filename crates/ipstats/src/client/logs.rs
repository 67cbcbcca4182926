//! Logs, sent to a service.

use super::courier::{Courier, Reply};
use super::error::{ApiError, ClientError, Step};
use super::log_body::{Failure, streamed};
use crate::config::ServerUrl;
use crate::ingest_key::IngestKey;
use ipstats_formats::FormatChoice;
use reqwest::StatusCode;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

/// Longest time for one log, until all of it is on the service's disk.
const LOG_SECONDS_MAX: u64 = 3600;

/// Sends logs to one service.
pub struct Logs {
    url: ServerUrl,
    key: IngestKey,
    courier: Courier,
}

/// What a service says about a log: every record is in one of the four counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogAnswer {
    /// Connections counted.
    pub counted: u64,
    /// Records that are no connections, by the name of the reason.
    pub not_a_connection: BTreeMap<String, u64>,
    /// Connections that are too old, or in the future.
    pub outside_retention: u64,
    /// Records that cannot be read.
    pub malformed: u64,
    /// The first of these.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// Whose log it is: the key says it.
    pub organization: Option<String>,
    /// The newest of all connections.
    pub newest_event: Option<String>,
    /// The oldest of all connections.
    pub oldest_event: Option<String>,
    /// What else the service reports about the log.
    #[serde(default)]
    pub note: Option<String>,
}

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Issue {
    /// The line where it begins.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
}

/// A log that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It cannot be read.
    #[error(transparent)]
    Log(#[from] io::Error),
    /// The service refuses this log; it may take others.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What became of the records that came before, as far as the service says.
        recorded: Option<Box<LogAnswer>>,
    },
    /// The service takes none.
    #[error(transparent)]
    Service(#[from] ClientError),
}

impl Logs {
    /// Logs to the service at `url`, sent under `key`.
    pub fn new(url: ServerUrl, key: IngestKey, courier: Courier) -> Self {
        Self { url, key, courier }
    }

    /// Sends the log that `open` opens, compressed or not, as it is. It is opened again whenever it has to be sent again,
    /// which is harmless: nothing is counted twice.
    pub fn send(
        &self,
        format: FormatChoice,
        mut open: impl FnMut() -> io::Result<Box<dyn Read + Send>>,
    ) -> Result<LogAnswer, NotTaken> {
        let url = format!("{}/api/ingest/{format}", self.url.base());
        let failure = Failure::default();
        let reply: Result<Reply, NotTaken> = self.courier.carry(Step::Log, &self.url, |http| {
            // Waiting does not help against what is wrong with the log itself.
            failure.take()?;
            let log = streamed(open().map_err(NotTaken::Log)?, &failure, self.courier.runtime());
            let request = http.post(&url).bearer_auth(self.key.reveal());
            Ok(request.timeout(Duration::from_secs(LOG_SECONDS_MAX)).body(log))
        });
        failure.take()?;
        self.read(&reply?)
    }

    fn read(&self, reply: &Reply) -> Result<LogAnswer, NotTaken> {
        match reply.status {
            StatusCode::OK => serde_json::from_slice(&reply.body).map_err(|error| {
                let reason = error.to_string();
                ClientError::NotTheApi { step: Step::Log, url: self.url.clone(), reason }.into()
            }),
            StatusCode::BAD_REQUEST
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                let error = ApiError::in_reply(reply);
                Err(error.map_or_else(
                    || ClientError::of(Step::Log, &self.url, reply).into(),
                    |error| NotTaken::Refused { message: error.message, recorded: recorded(reply) },
                ))
            }
            _ => Err(ClientError::of(Step::Log, &self.url, reply).into()),
        }
    }
}

/// What an error says about the records that came before it.
fn recorded(reply: &Reply) -> Option<Box<LogAnswer>> {
    #[derive(Deserialize)]
    struct Body {
        recorded: Option<Box<LogAnswer>>,
    }
    serde_json::from_slice::<Body>(&reply.body).ok()?.recorded
}
