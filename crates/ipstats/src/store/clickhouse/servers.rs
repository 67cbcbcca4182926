//! The servers of ClickHouse, by their HTTP interfaces: who is there, who holds what, and asking another where one is away.
//!
//! All waits end with the configured timeout. A server that was away is asked last for a while.

mod stream;

use super::error::{ClickHouseError, Failure};
use super::row_binary::Values;
use super::schema;
use super::shards::{self, Shard, Shards};
use crate::config::{ClickHouseAccess, ClickHouseLogin};
use bytes::Bytes;
use ipstats_model::{CanonicalIp, Organization};
use parking_lot::Mutex;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(super) use stream::mark_column;

/// Longest wait for a connection.
const CONNECT_SECONDS_MAX: u64 = 3;

/// For how long a server that was away is asked last.
const AWAY_SECONDS: u64 = 5;

/// Longest wait for a change of tables: a cluster does it when its last server has heard of it.
const CHANGE_SECONDS_MAX: u64 = 180;

/// Longest answer, in bytes: some million names of devices.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Pauses between tries of an insert: the first, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The servers.
pub(super) struct Servers {
    http: Client,
    hosts: Vec<Host>,
    database: String,
    cluster: Option<String>,
    login: Option<ClickHouseLogin>,
    timeout: Duration,
    turn: AtomicUsize,
}

struct Host {
    url: String,
    away_until: Mutex<Option<Instant>>,
    about: Mutex<Option<About>>,
}

/// What a server told about itself.
#[derive(Debug, Clone)]
struct About {
    /// The shards of its cluster.
    shards: Arc<Shards>,
    /// The one that it is a replica of.
    own: Option<u32>,
}

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

/// The certificates to trust cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("store.ca_file {file}: {reason}")]
pub(super) struct CaError {
    file: String,
    reason: String,
}

impl Servers {
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
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| failed(crate::telemetry::chain(&error)))?;
        let host = |url: &crate::config::ServerUrl| Host {
            url: url.base().to_owned(),
            away_until: Mutex::default(),
            about: Mutex::default(),
        };
        Ok(Self {
            http,
            hosts: access.urls.iter().map(host).collect(),
            database: access.database.clone(),
            cluster: access.layout.cluster().map(str::to_owned),
            login: access.login.clone(),
            timeout: access.timeout,
            turn: AtomicUsize::new(0),
        })
    }

    /// The database that holds the tables.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Whether tables are spread over shards.
    pub(super) const fn is_sharded(&self) -> bool {
        self.cluster.is_some()
    }

    /// Asks servers in turn until one answers.
    pub(super) async fn ask(&self, statement: &Statement) -> Result<Vec<u8>, ClickHouseError> {
        let tries = self.by_presence(|_| true).into_iter().map(|host| (host, statement.clone()));
        self.first_answer(tries.collect(), self.deadline()).await.map_err(ClickHouseError::of)
    }

    /// Asks about one IP: a server of its shard for what lies there, where one is known; any server for the whole cluster
    /// otherwise, and where the first did not answer. `statement` makes the statement for one shard's tables, or for all.
    pub(super) async fn ask_about(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        statement: impl Fn(Reach) -> Statement,
    ) -> Result<Vec<u8>, ClickHouseError> {
        let deadline = self.deadline();
        let mut said = Vec::new();
        if self.is_sharded() {
            let holds = |host: &Host| {
                let about = host.about.lock().clone();
                about.is_some_and(|about| {
                    about.own.is_some() && about.own == about.shards.of(organization, ip)
                })
            };
            let local = statement(Reach::Shard);
            let tries = self.by_presence(holds).into_iter().map(|host| (host, local.clone())).collect();
            match self.first_answer(tries, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failures) => said = failures,
            }
        }
        let whole = statement(Reach::All);
        let tries = self.by_presence(|_| true).into_iter().map(|host| (host, whole.clone())).collect();
        self.first_answer(tries, deadline).await.map_err(|failures| {
            said.extend(failures);
            ClickHouseError::of(said)
        })
    }

    /// As [`ask`](Self::ask), again and again while that may help and the timeout has not passed. For what may be done twice.
    pub(super) async fn insist(&self, statement: &Statement) -> Result<(), ClickHouseError> {
        let deadline = self.deadline();
        let mut pause = PAUSE_FIRST;
        loop {
            let tries = self.by_presence(|_| true).into_iter().map(|host| (host, statement.clone()));
            let failures = match self.first_answer(tries.collect(), deadline).await {
                Ok(_) => return Ok(()),
                Err(failures) => ClickHouseError::of(failures),
            };
            if !failures.may_pass() || Instant::now() + pause >= deadline {
                return Err(failures);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Lets one server do what changes tables, which may take longer than anything else.
    pub(super) async fn change(&self, statement: &Statement) -> Result<(), ClickHouseError> {
        let deadline = Instant::now() + Duration::from_secs(CHANGE_SECONDS_MAX);
        let tries = self.by_presence(|_| true).into_iter().map(|host| (host, statement.clone()));
        self.first_answer(tries.collect(), deadline).await.map(drop).map_err(ClickHouseError::of)
    }

    /// As [`change`](Self::change), on every server; the first failure.
    pub(super) async fn change_everywhere(&self, statement: &Statement) -> Result<(), ClickHouseError> {
        let deadline = Instant::now() + Duration::from_secs(CHANGE_SECONDS_MAX);
        for host in &self.hosts {
            let done = self.send(host, statement, deadline).await;
            done.map_err(|failure| ClickHouseError::of(vec![(host.url.clone(), failure)]))?;
        }
        Ok(())
    }

    /// Looks at every server: whether it answers with tables of this version, and what it is a part of. The failures, one
    /// for each server that cannot be used; the number of servers that can.
    pub(super) async fn look(&self) -> (usize, Vec<(String, Failure)>) {
        let (mut present, mut failures) = (0, Vec::new());
        for host in &self.hosts {
            match self.look_at(host).await {
                Ok(about) => {
                    *host.about.lock() = Some(about);
                    *host.away_until.lock() = None;
                    present += 1;
                }
                Err(failure) => {
                    host.note(&failure);
                    failures.push((host.url.clone(), failure));
                }
            }
        }
        (present, failures)
    }

    async fn look_at(&self, host: &Host) -> Result<About, Failure> {
        let deadline = Instant::now() + self.timeout.min(Duration::from_secs(AWAY_SECONDS));
        let statement = |sql: String| Statement { sql, ..Statement::default() };
        let version = self.send(host, &statement(schema::VERSION_QUESTION.to_owned()), deadline).await;
        let version = version.map_err(|failure| {
            if failure.is_missing_table() { Failure::Schema(self.database.clone()) } else { failure }
        })?;
        if Values::new(&version).u32()? != schema::VERSION {
            return Err(Failure::Schema(self.database.clone()));
        }
        let Some(cluster) = &self.cluster else {
            return Ok(About { shards: Arc::default(), own: None });
        };
        let sql = format!(
            "SELECT toUInt32(shard_num), toUInt32(shard_weight), toUInt8(max(is_local)), {} FROM system.clusters \
             WHERE cluster = '{cluster}' GROUP BY shard_num, shard_weight ORDER BY shard_num FORMAT RowBinary",
            shards::PROBE_QUESTION
        );
        let answer = self.send(host, &statement(sql), deadline).await?;
        let (mut values, mut all, mut own) = (Values::new(&answer), Vec::new(), None);
        while !values.is_empty() {
            let shard = Shard { number: values.u32()?, weight: values.u32()? };
            let is_own = values.u8()? == 1;
            // A server that computes another hash is asked to find IPs by itself.
            if values.u64()? == shards::probe() && is_own {
                own = Some(shard.number);
            }
            all.push(shard);
        }
        Ok(About { shards: Arc::new(Shards::new(all)), own })
    }

    /// Tries one after the other; the answer of the first that has one, or what all of them said.
    async fn first_answer(
        &self,
        tries: Vec<(&Host, Statement)>,
        deadline: Instant,
    ) -> Result<Vec<u8>, Vec<(String, Failure)>> {
        let mut failures = Vec::new();
        let mut left = tries.len();
        for (host, statement) in tries {
            // A server that hangs leaves time for the next one to answer; an insert may really take that long.
            let now = Instant::now();
            let time_left = deadline.saturating_duration_since(now);
            let share = if left > 1 && statement.is_question() { time_left / 2 } else { time_left };
            left -= 1;
            match self.send(host, &statement, now + share).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    host.note(&failure);
                    failures.push((host.url.clone(), failure));
                }
            }
        }
        Err(failures)
    }

    async fn send(&self, host: &Host, statement: &Statement, deadline: Instant) -> Result<Vec<u8>, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Timeout);
        }
        let mut query = vec![("wait_end_of_query", "1".to_owned())];
        if !statement.is_outside {
            query.push(("database", self.database.clone()));
        }
        query.extend(statement.settings.iter().cloned());
        if statement.is_question() {
            // Whoever does not wait for the answer any more should not have it computed.
            query.push(("max_execution_time", left.as_secs().max(1).to_string()));
        }
        let request = self.request(host, query, statement)?.timeout(left);
        let mut response = request.send().await?;
        let (status, mut answer) = (response.status(), Vec::new());
        while let Some(part) = response.chunk().await? {
            if answer.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(Failure::TooLong { bytes_max: ANSWER_BYTES_MAX });
            }
            answer.extend_from_slice(&part);
        }
        if status.is_success() { Ok(answer) } else { Err(Failure::refused(status, &answer)) }
    }

    /// A request with `statement`, and what it needs to be let in.
    fn request(
        &self,
        host: &Host,
        mut query: Vec<(&'static str, String)>,
        statement: &Statement,
    ) -> Result<RequestBuilder, Failure> {
        let body = match &statement.rows {
            None => Bytes::from(statement.sql.clone()),
            Some(rows) => {
                query.push(("query", statement.sql.clone()));
                rows.clone()
            }
        };
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mut request = self.http.post(format!("{}/?{query}", host.url)).body(body);
        if let Some(login) = &self.login {
            let password = login.password().map_err(|error| Failure::Password(error.to_string()))?;
            let header = |text: &str| {
                let header = HeaderValue::try_from(text);
                header.map(|mut value| {
                    value.set_sensitive(true);
                    value
                })
            };
            let unusable = |_| Failure::Password("it has characters that no header can have".to_owned());
            request = request
                .header("X-ClickHouse-User", header(&login.username).map_err(unusable)?)
                .header("X-ClickHouse-Key", header(password.reveal()).map_err(unusable)?);
        }
        Ok(request)
    }

    /// The hosts that `fit`, each in its turn first, and those last that were away a moment ago.
    fn by_presence(&self, fit: impl Fn(&Host) -> bool) -> Vec<&Host> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.hosts.len().max(1);
        let in_turn = self.hosts.iter().cycle().skip(turn).take(self.hosts.len());
        let mut hosts: Vec<_> = in_turn.filter(|host| fit(host)).collect();
        let now = Instant::now();
        hosts.sort_by_key(|host| host.away_until.lock().is_some_and(|until| until > now));
        hosts
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

impl Statement {
    const fn is_question(&self) -> bool {
        self.rows.is_none() && !self.is_outside
    }
}

impl Host {
    fn note(&self, failure: &Failure) {
        if failure.is_absence() {
            *self.away_until.lock() = Some(Instant::now() + Duration::from_secs(AWAY_SECONDS));
        }
    }
}

/// Which tables a statement is to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of one shard.
    Shard,
    /// Those of the whole cluster, or of the only server.
    All,
}
