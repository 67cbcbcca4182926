//! `ipstats clickhouse init`: what is missing of the database and its tables.
//!
//! Nothing is created before every server has answered and there is nothing in the way: a user without rights, a cluster that
//! servers do not know, tables of others or for another layout, servers that nobody named.

use super::error::{ClickHouseError, Failure};
use super::link::Statement;
use super::row_binary::Values;
use super::schema::{self, Definition};
use super::{ClickHouseOpenError, Shared, connect};
use crate::config::{ClickHouseAccess, Layout};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a table is, as a server tells it.
struct Found {
    engine: String,
    /// Names and types, separated by commas.
    columns: String,
}

/// The statements that [`init`] carries out, in this order.
pub fn init_statements(access: &ClickHouseAccess) -> Vec<String> {
    let mut statements = vec![schema::database(access)];
    statements.extend(schema::tables(access).into_iter().map(|table| table.sql));
    statements
}

/// Creates what is missing of the database and its tables. Doing it again changes nothing. Where servers are away and the others
/// have everything, nothing is done: which, and why. Blocks.
pub fn init(access: &ClickHouseAccess) -> Result<Vec<String>, ClickHouseOpenError> {
    let (shared, runtime) = connect(access)?;
    let done = runtime.block_on(shared.init());
    runtime.shutdown_background();
    done
}

impl Shared {
    async fn init(&self) -> Result<Vec<String>, ClickHouseOpenError> {
        let away = self.left_for_later().await?;
        if !away.is_empty() {
            return Ok(away);
        }
        self.check_named()?;
        self.check_place().await?;
        for (number, sql) in init_statements(&self.access).into_iter().enumerate() {
            let failed = |error| ClickHouseOpenError::Init(self.broken_off(&error, &sql, number));
            self.change(sql.clone()).await.map_err(failed)?;
        }
        match self.look().await.1.first() {
            None => Ok(Vec::new()),
            Some((url, failure)) => Err(ClickHouseOpenError::Refused(format!("{url}: {failure}"))),
        }
    }

    /// Servers that are away while the others have everything: nothing is to be done before they are there again.
    async fn left_for_later(&self) -> Result<Vec<String>, ClickHouseOpenError> {
        let (present, failures) = self.servers.look().await;
        let (without_tables, others): (Vec<_>, Vec<_>) =
            failures.into_iter().partition(|(_, failure)| matches!(failure, Failure::NoTables(_)));
        let all_away = others.iter().all(|(_, failure)| failure.may_pass());
        let said: Vec<_> = others.iter().map(|(url, failure)| format!("{url}: {failure}")).collect();
        if all_away && (said.is_empty() || (present > 0 && without_tables.is_empty())) {
            return Ok(said);
        }
        let why = if all_away { "init needs every server that store.urls names; " } else { "" };
        Err(ClickHouseOpenError::Refused(format!("{} ({why}nothing was created)", said.join("; "))))
    }

    /// Without a keeper nobody passes statements on.
    fn check_named(&self) -> Result<(), ClickHouseOpenError> {
        let Layout::Sharded { cluster } = &self.access.layout else { return Ok(()) };
        let (shards, urls) = (self.servers.shards_named(), self.access.urls.len());
        let count: usize = shards.iter().map(|(shard, _)| shard.replicas as usize).sum();
        // A server may not recognize itself among those of its cluster.
        let is_known = shards.iter().map(|(_, named)| *named as usize).sum::<usize>() == urls;
        let missing = shards.iter().filter(|(shard, named)| is_known && *named < shard.replicas);
        let missing: Vec<_> = missing.map(|(shard, _)| shard.number.to_string()).collect();
        if urls >= count && missing.is_empty() {
            return Ok(());
        }
        let of_shards = if missing.is_empty() { "" } else { ", and too few of shard " };
        Err(ClickHouseOpenError::Refused(format!(
            "store.urls names {urls} URLs for the {count} servers of the cluster {cluster}{of_shards}{}: without a keeper, each \
             of them is set up by itself and has to be named (nothing was created)",
            missing.join(", ")
        )))
    }

    /// Whether what is to be created has its place on every server: nothing of somebody else, or of another layout.
    async fn check_place(&self) -> Result<(), ClickHouseOpenError> {
        let refused = |url: &str, failure: &dyn std::fmt::Display| {
            ClickHouseOpenError::Refused(format!("{url}: {failure} (nothing was created)"))
        };
        let found = self.found().await;
        for (url, found) in found.map_err(|error| refused(&self.access.database, &error))? {
            for wanted in schema::tables(&self.access) {
                if let Some(found) = found.get(&wanted.name)
                    && !wanted.is_met_by(&found.engine, &found.columns)
                {
                    return Err(refused(&url, &self.foreign(&wanted, found)));
                }
            }
        }
        if matches!(self.access.layout, Layout::Replicated { .. }) {
            let sql = "SELECT toUInt32(count()) FROM system.macros WHERE macro = 'shard' OR macro = 'replica' FORMAT RowBinary";
            // Whoever may not ask finds out later.
            for (url, answer) in self.servers.ask_each(&outside(sql)).await.unwrap_or_default() {
                if Values::new(&answer).u32().is_ok_and(|macros| macros < 2) {
                    return Err(refused(url, &Failure::NoMacros));
                }
            }
        }
        Ok(())
    }

    /// What each server has in the place of what is to be created.
    async fn found(&self) -> Result<Vec<(String, BTreeMap<String, Found>)>, ClickHouseError> {
        let database = &self.access.database;
        let tables = outside(&format!(
            "SELECT name, engine FROM system.tables WHERE database = '{database}' FORMAT RowBinary"
        ));
        let columns = outside(&format!(
            "SELECT table, name, type FROM system.columns WHERE database = '{database}' FORMAT RowBinary"
        ));
        let (tables, columns) =
            (self.servers.ask_each(&tables).await?, self.servers.ask_each(&columns).await?);
        let both = tables.into_iter().zip(columns).map(|((url, tables), (_, columns))| {
            let found = Found::read(&tables, &columns).map_err(|failure| self.unreadable(failure))?;
            Ok((url.to_owned(), found))
        });
        both.collect()
    }

    fn foreign(&self, wanted: &Definition, found: &Found) -> Failure {
        let (table, engine) = (wanted.name.clone(), wanted.engine.as_str());
        let (found, wanted) = match wanted.columns {
            Some(columns) if found.engine == engine => (found.columns.as_str(), columns),
            _ => (found.engine.as_str(), engine),
        };
        Failure::Foreign {
            database: self.access.database.clone(),
            table,
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        }
    }

    /// What is said when the statement with this number fails.
    fn broken_off(&self, error: &ClickHouseError, sql: &str, number: usize) -> String {
        let is_replicated = matches!(self.access.layout, Layout::Replicated { .. });
        let end = match number {
            0 => "(nothing was created)",
            _ => "(what is there already stays; mend this and repeat init)",
        };
        match (error.is_about_statement(), number) {
            (true, 0) if is_replicated => format!(
                "{error}: replicated = true needs <zookeeper> and <distributed_ddl> in the configuration of every server {end}"
            ),
            (true, _) => format!("{error} {end}\n{sql}"),
            (false, _) => format!("{error} {end}"),
        }
    }
}

impl Found {
    /// Answers of `system.tables` and `system.columns`.
    fn read(tables: &[u8], columns: &[u8]) -> Result<BTreeMap<String, Self>, Failure> {
        let (mut tables, mut columns) = (Values::new(tables), Values::new(columns));
        let mut all = BTreeMap::<String, Self>::new();
        while !tables.is_empty() {
            let (name, engine) = (tables.text()?, tables.text()?);
            all.insert(name, Self { engine, columns: String::new() });
        }
        while !columns.is_empty() {
            let (table, name, kind) = (columns.text()?, columns.text()?, columns.text()?);
            let Some(found) = all.get_mut(&table) else { continue };
            let separator = if found.columns.is_empty() { "" } else { ", " };
            let _ = write!(found.columns, "{separator}{name} {kind}");
        }
        Ok(all)
    }
}

/// A statement about what is not ours, or not there yet.
fn outside(sql: &str) -> Statement {
    Statement { sql: sql.to_owned(), is_outside: true, ..Statement::default() }
}
