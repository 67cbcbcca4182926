//! Dropping days that have expired: whole partitions, which costs nothing and works on every version.
//!
//! Any number of processes may do it at once; a day that is gone is dropped without effect. How far it goes is asked of the
//! data and of the clock, and at most two days go at once: a clock that jumps ahead costs nothing that is within
//! retention of the newest contact.

use super::Shared;
use super::error::{ClickHouseError, Failure};
use super::link::Statement;
use super::row_binary::Values;
use super::schema;
use crate::config::Layout;
use ipstats_model::{Day, Timestamp, retention_start};

/// Days that are dropped in one go.
const DAYS_MAX: usize = 2;

impl Shared {
    /// Drops the oldest days on which nothing is within retention any more; how many.
    pub(super) async fn drop_expired(&self, now: Timestamp) -> Result<usize, ClickHouseError> {
        let Some(newest) = self.newest_event().await? else { return Ok(0) };
        let horizon = retention_start(now.min(newest)).day();
        let mut dropped = 0;
        for day in self.days_before(horizon).await? {
            for table in schema::BY_DAY {
                self.change(schema::drop_day(&self.access, table, &day.to_string())).await?;
            }
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Does something to the tables of all servers.
    pub(super) async fn change(&self, sql: String) -> Result<(), ClickHouseError> {
        let statement = Statement { sql, is_outside: true, ..Statement::default() };
        match self.access.layout {
            // Each server for itself; without a keeper nobody passes it on.
            Layout::Sharded { .. } => self.servers.change_on_every_server(&statement).await,
            Layout::Single | Layout::Replicated { .. } => self.servers.change(&statement).await,
        }
    }

    async fn days_before(&self, horizon: Day) -> Result<Vec<Day>, ClickHouseError> {
        let mut days = Vec::new();
        for table in schema::BY_DAY {
            let sql = format!(
                "SELECT DISTINCT toUInt16(day) AS number FROM {table} WHERE day < toDate({}) ORDER BY number \
                 LIMIT {DAYS_MAX} FORMAT RowBinary",
                horizon.index()
            );
            let answer = self.ask(sql).await?;
            let mut values = Values::new(&answer);
            while !values.is_empty() {
                let number = values.u16().map_err(|failure: Failure| self.unreadable(failure))?;
                days.push(Day::from_index(number.into()));
            }
        }
        days.sort_unstable();
        days.dedup();
        days.truncate(DAYS_MAX);
        Ok(days)
    }
}
