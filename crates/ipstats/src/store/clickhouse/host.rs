//! One server of ClickHouse: what it is a part of, and whether it is there.

use super::error::Failure;
use super::link::{Link, Statement};
use super::row_binary::Values;
use super::schema;
use super::shards::{self, Shard, Shards};
use ipstats_model::{CanonicalIp, Organization};
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// For how long a server that was away is asked last.
const AWAY_SECONDS: u64 = 5;

/// For how long the result of a look is believed: looks that go on are closer together than that.
const BELIEVED_SECONDS: u64 = 10;

/// A server.
pub(super) struct Host {
    url: String,
    condition: Mutex<Condition>,
}

#[derive(Default)]
struct Condition {
    away_until: Option<Instant>,
    /// Why the last look found that it cannot be used, and until when that is believed.
    lost: Option<(Failure, Instant)>,
    about: Option<About>,
}

/// What a server told about itself.
#[derive(Default)]
struct About {
    /// The shards of its cluster.
    shards: Shards,
    /// The one that it is a replica of.
    own: Option<u32>,
    /// Whether it computes the hash that we compute; otherwise it is asked to find IPs by itself.
    computes_as_we_do: bool,
}

impl Host {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), condition: Mutex::default() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Lets the server do something, and remembers if it was away.
    pub(super) async fn send(
        &self,
        link: &Link,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let outcome = link.send(&self.url, statement, deadline).await;
        if let Err(failure) = &outcome {
            self.note(failure);
        }
        outcome
    }

    /// Remembers if it was away.
    pub(super) fn note(&self, failure: &Failure) {
        if failure.is_absence() {
            self.condition.lock().away_until = Some(Instant::now() + Duration::from_secs(AWAY_SECONDS));
        }
    }

    /// Whether it was away a moment ago.
    pub(super) fn is_away(&self) -> bool {
        let condition = self.condition.lock();
        let now = Instant::now();
        condition.away_until.is_some_and(|until| until > now) || condition.lost_at(now).is_some()
    }

    /// Why a look found a moment ago that it cannot be used.
    pub(super) fn lost(&self) -> Option<Failure> {
        self.condition.lock().lost_at(Instant::now()).cloned()
    }

    /// Whether an IP lies in the shard that this server is a replica of, as it told; and how many replicas that shard has.
    pub(super) fn holds(&self, organization: Organization, ip: CanonicalIp) -> Option<u32> {
        let condition = self.condition.lock();
        let about = condition.about.as_ref().filter(|about| about.computes_as_we_do)?;
        let shard = about.shards.of(organization, ip)?;
        (about.own == Some(shard.number)).then_some(shard.replicas)
    }

    /// The shards of its cluster, as it told.
    pub(super) fn shards(&self) -> Option<Vec<Shard>> {
        self.condition.lock().about.as_ref().map(|about| about.shards.all().to_vec())
    }

    /// The shard that it is a replica of, as it told.
    pub(super) fn shard(&self) -> Option<u32> {
        self.condition.lock().about.as_ref()?.own
    }

    /// Whether it answers with tables of this version, and what it is a part of.
    pub(super) async fn look(
        &self,
        link: &Link,
        cluster: Option<&str>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let told = self.ask_about_itself(link, cluster, deadline).await;
        let (about, outcome) = match told {
            Ok(about) => (Some(about), self.check_tables(link, deadline).await),
            // What it was a part of is still true.
            Err(failure) => (None, Err(failure)),
        };
        let mut condition = self.condition.lock();
        condition.about = about.or_else(|| condition.about.take());
        condition.lost = match &outcome {
            // A server that says that it has too much to do is there.
            Err(failure) if failure.is_absence() || !failure.may_pass() => {
                Some((failure.clone(), Instant::now() + Duration::from_secs(BELIEVED_SECONDS)))
            }
            _ => None,
        };
        if condition.lost.is_none() {
            condition.away_until = None;
        }
        outcome
    }

    async fn ask_about_itself(
        &self,
        link: &Link,
        cluster: Option<&str>,
        deadline: Instant,
    ) -> Result<About, Failure> {
        let Some(cluster) = cluster else { return Ok(About::default()) };
        // Known before there is a database.
        let (sql, is_outside) = (shards_question(cluster), true);
        let question = Statement { sql, is_outside, ..Statement::default() };
        let about = About::read(&link.send(&self.url, &question, deadline).await?)?;
        about.ok_or_else(|| Failure::NoCluster(cluster.to_owned()))
    }

    async fn check_tables(&self, link: &Link, deadline: Instant) -> Result<(), Failure> {
        let question = Statement { sql: schema::VERSION_QUESTION.to_owned(), ..Statement::default() };
        let database = || link.database().to_owned();
        let foreign = || Failure::Foreign {
            database: database(),
            table: "schema_version".to_owned(),
            found: "it tells no version".to_owned(),
            wanted: "a view of version UInt32".to_owned(),
        };
        let answer = link.send(&self.url, &question, deadline).await.map_err(|failure| match failure {
            _ if failure.is_missing_table() => Failure::NoTables(database()),
            _ if failure.is_missing_column() => foreign(),
            _ => failure,
        })?;
        match Values::new(&answer).u32() {
            Ok(schema::VERSION) => Ok(()),
            Ok(found) => Err(Failure::OtherTables { database: database(), found }),
            Err(_) => Err(foreign()),
        }
    }
}

impl About {
    /// The answer to [`shards_question`]; nothing where there is no such cluster.
    fn read(answer: &[u8]) -> Result<Option<Self>, Failure> {
        let mut values = Values::new(answer);
        let (mut all, mut about) = (Vec::new(), Self::default());
        while !values.is_empty() {
            let shard = Shard { number: values.u32()?, weight: values.u32()?, replicas: values.u32()? };
            if values.u8()? == 1 {
                about.own = Some(shard.number);
            }
            about.computes_as_we_do = values.u64()? == shards::probe();
            all.push(shard);
        }
        let is_there = !all.is_empty();
        about.shards = Shards::new(all);
        Ok(is_there.then_some(about))
    }
}

fn shards_question(cluster: &str) -> String {
    format!(
        "SELECT toUInt32(shard_num), toUInt32(shard_weight), toUInt32(count()), toUInt8(max(is_local)), {} \
         FROM system.clusters WHERE cluster = '{cluster}' GROUP BY shard_num, shard_weight ORDER BY shard_num \
         FORMAT RowBinary",
        shards::PROBE_QUESTION
    )
}

impl Condition {
    fn lost_at(&self, now: Instant) -> Option<&Failure> {
        self.lost.as_ref().filter(|(_, until)| *until > now).map(|(failure, _)| failure)
    }
}
