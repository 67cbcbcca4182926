//! The servers of ClickHouse: who is asked, and asking another where one is away.
//!
//! Every call ends at its deadline. Where the last look found that nobody is left who could do something, nobody is asked:
//! it fails at once, and works again as soon as a look finds a server.

mod stream;

use super::error::{ClickHouseError, Failure};
use super::host::Host;
use super::link::{CaError, Link, Statement};
use super::shards::Shard;
use crate::config::ClickHouseAccess;
use futures_util::future::join_all;
use ipstats_model::{CanonicalIp, Organization};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(super) use stream::mark_column;

/// Longest wait for the answer to a look at a server: they are questions that take a millisecond.
const LOOK_SECONDS_MAX: u64 = 3;

/// Longest wait for a change of tables: a cluster does it when its last server has heard of it, and says after 180 s which have
/// not.
const CHANGE_SECONDS_MAX: u64 = 190;

/// Pauses between tries of an insert: the first, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The servers.
pub(super) struct Servers {
    link: Link,
    hosts: Vec<Host>,
    cluster: Option<String>,
    timeout: Duration,
    turn: AtomicUsize,
    /// Whether they tell different shards: then rows lie where each of them thought, and all shards have to be asked.
    disagree: AtomicBool,
}

/// Which tables a statement is to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of one shard.
    Shard,
    /// Those of the whole cluster, or of the only server.
    All,
}

/// What each server said.
type Failures = Vec<(String, Failure)>;

impl Servers {
    pub(super) fn new(access: &ClickHouseAccess) -> Result<Self, CaError> {
        Ok(Self {
            link: Link::new(access)?,
            hosts: access.urls.iter().map(|url| Host::new(url.base())).collect(),
            cluster: access.layout.cluster().map(str::to_owned),
            timeout: access.timeout,
            turn: AtomicUsize::new(0),
            disagree: AtomicBool::new(false),
        })
    }

    /// The database that holds the tables.
    pub(super) fn database(&self) -> &str {
        self.link.database()
    }

    /// When what is begun now has to end.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Asks servers in turn until one answers.
    pub(super) async fn ask(
        &self,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Vec<u8>, ClickHouseError> {
        let failures = match self.all_lost() {
            Some(lost) => lost,
            None => match self.first_answer(&self.by_presence(|_| true), statement, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failures) => failures,
            },
        };
        Err(ClickHouseError::of(failures))
    }

    /// Asks about one IP: a server of its shard for what lies there, where one is known; any server for the whole cluster
    /// otherwise, and where the first did not answer. `statement` makes the statement for one shard's tables, or for all.
    pub(super) async fn ask_about(
        &self,
        organization: Organization,
        ip: CanonicalIp,
        statement: impl Fn(Reach) -> Statement,
        deadline: Instant,
    ) -> Result<Vec<u8>, ClickHouseError> {
        let mut replicas = 0;
        let of_shard = self.by_presence(|host| match host.holds(organization, ip) {
            Some(count) if !self.disagree.load(Ordering::Relaxed) => {
                replicas = count;
                true
            }
            _ => false,
        });
        let mut said = Failures::new();
        if !of_shard.is_empty() {
            let listed = u32::try_from(of_shard.len()).unwrap_or(u32::MAX);
            match all_lost(&of_shard) {
                // There is nobody whom other servers could ask.
                Some(lost) if listed >= replicas => return Err(ClickHouseError::of(lost)),
                Some(lost) => said = lost,
                None => match self.first_answer(&of_shard, &statement(Reach::Shard), deadline).await {
                    Ok(answer) => return Ok(answer),
                    Err(failures) => said = failures,
                },
            }
        }
        self.ask(&statement(Reach::All), deadline).await.map_err(|error| error.after(said))
    }

    /// As [`ask`](Self::ask), again and again while that may help and `deadline` has not passed. For what may be done twice.
    pub(super) async fn insist(
        &self,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<(), ClickHouseError> {
        let mut pause = PAUSE_FIRST;
        loop {
            let Err(failures) = self.ask(statement, deadline).await else { return Ok(()) };
            if !failures.may_pass() || self.all_lost().is_some() || Instant::now() + pause >= deadline {
                return Err(failures);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Fails where the last look found no server that can be used.
    pub(super) fn check_present(&self) -> Result<(), ClickHouseError> {
        self.all_lost().map_or(Ok(()), |lost| Err(ClickHouseError::of(lost)))
    }

    /// Lets one server do what changes tables, which may take longer than anything else.
    pub(super) async fn change(&self, statement: &Statement) -> Result<(), ClickHouseError> {
        let deadline = Instant::now() + Duration::from_secs(CHANGE_SECONDS_MAX);
        let changed = self.first_answer(&self.by_presence(|_| true), statement, deadline).await;
        changed.map(drop).map_err(ClickHouseError::of)
    }

    /// As [`change`](Self::change), on every server; the first failure.
    pub(super) async fn change_on_every_server(&self, statement: &Statement) -> Result<(), ClickHouseError> {
        let deadline = Instant::now() + Duration::from_secs(CHANGE_SECONDS_MAX);
        for host in &self.hosts {
            let done = host.send(&self.link, statement, deadline).await;
            done.map_err(|failure| ClickHouseError::of(vec![(host.url().to_owned(), failure)]))?;
        }
        Ok(())
    }

    /// Looks at every server: whether it answers with tables of this version, and what it is a part of. The failures, one
    /// for each server that cannot be used; the number of servers that can.
    pub(super) async fn look(&self) -> (usize, Failures) {
        let deadline = Instant::now() + self.timeout.min(Duration::from_secs(LOOK_SECONDS_MAX));
        let looks = self.hosts.iter().map(async |host| {
            let looked = host.look(&self.link, self.cluster.as_deref(), deadline).await;
            looked.err().map(|failure| (host.url().to_owned(), failure))
        });
        let failures: Failures = join_all(looks).await.into_iter().flatten().collect();
        self.compare_shards();
        (self.hosts.len() - failures.len(), failures)
    }

    /// Asks every server; the answers, or the first failure.
    pub(super) async fn ask_each(
        &self,
        statement: &Statement,
    ) -> Result<Vec<(&str, Vec<u8>)>, ClickHouseError> {
        let deadline = self.deadline();
        let answers = join_all(self.hosts.iter().map(async |host| {
            let answer = host.send(&self.link, statement, deadline).await;
            answer.map(|answer| (host.url(), answer)).map_err(|failure| (host.url().to_owned(), failure))
        }));
        answers
            .await
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|failure| ClickHouseError::of(vec![failure]))
    }

    /// What the servers of the cluster are, where one told, and how many of each shard are among these.
    pub(super) fn shards_named(&self) -> Vec<(Shard, u32)> {
        let shards = self.hosts.iter().find_map(Host::shards).unwrap_or_default();
        let named =
            |shard: &Shard| self.hosts.iter().filter(|host| host.shard() == Some(shard.number)).count();
        shards.into_iter().map(|shard| (shard, u32::try_from(named(&shard)).unwrap_or(u32::MAX))).collect()
    }

    /// Finds out, and tells once, whether servers have different shards in their configurations.
    fn compare_shards(&self) {
        let weights = |shards: Vec<Shard>| shards.iter().map(|shard| (shard.number, shard.weight)).collect();
        let told: Vec<Vec<_>> = self.hosts.iter().filter_map(|host| host.shards().map(weights)).collect();
        let disagree = told.windows(2).any(|pair| matches!(pair, [one, next] if one != next));
        if disagree && !self.disagree.swap(true, Ordering::Relaxed) {
            tracing::error!(
                cluster = self.cluster,
                "servers of ClickHouse tell different shards or weights of the cluster: rows may lie on any of them, so each \
                 question asks all; make remote_servers the same everywhere, then copy everything into a new database and \
                 restart with that"
            );
        }
    }

    /// Tries one after the other; the answer of the first that has one, or what all of them said.
    async fn first_answer(
        &self,
        hosts: &[&Host],
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failures> {
        let mut failures = Vec::new();
        let mut left = hosts.len();
        for host in hosts {
            // A server that hangs leaves time for the next one to answer; an insert may really take that long.
            let now = Instant::now();
            let time_left = deadline.saturating_duration_since(now);
            let share = if left > 1 && statement.is_question() { time_left / 2 } else { time_left };
            left -= 1;
            match host.send(&self.link, statement, now + share).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failures.push((host.url().to_owned(), failure)),
            }
        }
        Err(failures)
    }

    /// The hosts that `fit`, each in its turn first, and those last that were away a moment ago.
    fn by_presence(&self, fit: impl FnMut(&&Host) -> bool) -> Vec<&Host> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.hosts.len().max(1);
        let in_turn = self.hosts.iter().cycle().skip(turn).take(self.hosts.len());
        let mut hosts: Vec<_> = in_turn.filter(fit).collect();
        hosts.sort_by_cached_key(|host| host.is_away());
        hosts
    }

    fn all_lost(&self) -> Option<Failures> {
        all_lost(&self.hosts.iter().collect::<Vec<_>>())
    }
}

/// What the last looks found, where none of these servers can be used.
fn all_lost(hosts: &[&Host]) -> Option<Failures> {
    hosts.iter().map(|host| Some((host.url().to_owned(), host.lost()?))).collect()
}
