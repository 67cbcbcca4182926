//! The way to ClickHouse: statements over its HTTP interface, and what came of them.

use super::error::Failure;
use crate::config::{ClickHouseAccess, ClickHouseLogin};
use bytes::Bytes;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder};
use std::time::{Duration, Instant};

/// Longest wait for a connection.
const CONNECT_SECONDS_MAX: u64 = 3;

/// Longest answer, in bytes: some million names of devices.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// What a server is asked to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    /// Rows of an insert.
    pub(super) rows: Option<Bytes>,
    pub(super) settings: Vec<(&'static str, String)>,
    /// Whether it is about no database, because ours may not exist yet.
    pub(super) is_outside: bool,
}

/// What all servers are reached with.
pub(super) struct Link {
    http: Client,
    database: String,
    login: Option<ClickHouseLogin>,
}

/// The certificates to trust cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("store.ca_file {file}: {reason}")]
pub(super) struct CaError {
    file: String,
    reason: String,
}

impl Link {
    pub(super) fn new(access: &ClickHouseAccess) -> Result<Self, CaError> {
        let mut builder = Client::builder()
            .user_agent(concat!("ipstats/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX).min(access.timeout))
            // A server may give a connection up at any time; a statement that was cut off by that is sent again.
            .pool_idle_timeout(Duration::from_secs(2))
            .no_proxy();
        let file = access.ca_file.as_ref().map(|file| file.display().to_string());
        let failed = |reason: String| CaError { file: file.clone().unwrap_or_default(), reason };
        if let Some(file) = &access.ca_file {
            let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
            if certificates.is_empty() {
                return Err(failed("there is no certificate in it (PEM is expected)".to_owned()));
            }
            builder = if access.ca_only {
                builder.tls_certs_only(certificates)
            } else {
                builder.tls_certs_merge(certificates)
            };
        }
        let http = builder.build().map_err(|error| failed(crate::telemetry::chain(&error)))?;
        Ok(Self { http, database: access.database.clone(), login: access.login.clone() })
    }

    /// The database that holds the tables.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Sends a statement to the server at `url`; its answer. Ends at `deadline`. What was broken off is sent once more: every
    /// statement may be carried out twice.
    pub(super) async fn send(
        &self,
        url: &str,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        match self.send_once(url, statement, deadline).await {
            Err(Failure::BrokenOff(_)) => self.send_once(url, statement, deadline).await,
            outcome => outcome,
        }
    }

    async fn send_once(
        &self,
        url: &str,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Timeout);
        }
        let mut query = vec![("wait_end_of_query", "1".to_owned())];
        if !statement.is_outside {
            query.push(("database", self.database.clone()));
        }
        if statement.is_question() {
            query.extend(limits(left));
        }
        let mut response = self.request(url, query, statement)?.timeout(left).send().await?;
        let (status, mut answer) = (response.status(), Vec::new());
        while let Some(part) = response.chunk().await? {
            if answer.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(Failure::TooLong { bytes_max: ANSWER_BYTES_MAX });
            }
            answer.extend_from_slice(&part);
        }
        if status.is_success() { Ok(answer) } else { Err(Failure::refused(status, &answer)) }
    }

    /// A request with `statement`, and what it needs to be let in; `query` is more of its URL.
    pub(super) fn request(
        &self,
        url: &str,
        mut query: Vec<(&'static str, String)>,
        statement: &Statement,
    ) -> Result<RequestBuilder, Failure> {
        query.extend(statement.settings.iter().cloned());
        let body = match &statement.rows {
            None => Bytes::from(statement.sql.clone()),
            Some(rows) => {
                query.push(("query", statement.sql.clone()));
                rows.clone()
            }
        };
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        self.signed(self.http.post(format!("{url}/?{query}")).body(body))
    }

    /// A request with who we are.
    fn signed(&self, request: RequestBuilder) -> Result<RequestBuilder, Failure> {
        let Some(login) = &self.login else { return Ok(request) };
        let password = login.password().map_err(|error| Failure::Password(error.to_string()))?;
        let header = |text: &str| {
            let mut value = HeaderValue::try_from(text)
                .map_err(|_| Failure::Password("it has characters that no header can have".to_owned()))?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        };
        Ok(request
            .header("X-ClickHouse-User", header(&login.username)?)
            .header("X-ClickHouse-Key", header(password.reveal())?))
    }
}

impl Statement {
    pub(super) const fn is_question(&self) -> bool {
        self.rows.is_none() && !self.is_outside
    }
}

/// Settings of a question that is waited for as long as `left`: whoever does not wait for the answer any more should not have it
/// computed, and a server gives up waiting for another before we give up waiting for it. A server that is there says
/// so in time, and only one that hangs says nothing.
fn limits(left: Duration) -> [(&'static str, String); 3] {
    let seconds = left.as_secs().saturating_sub(1).max(1);
    let of_another = (seconds / 2).max(1);
    [
        ("max_execution_time", seconds.to_string()),
        ("receive_timeout", of_another.to_string()),
        ("send_timeout", of_another.to_string()),
    ]
}
