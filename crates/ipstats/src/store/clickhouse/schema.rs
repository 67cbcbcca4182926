//! The tables, as SQL that every ClickHouse since 18.16 understands.
//!
//! ```text
//! connections (Null) ─▶ contacts        day, organization, ip, device → last contact        max
//!                    ├▶ minutes         day, organization, ip, minute → first contact in it min
//!                    └▶ first_contacts  organization, ip → first contact ever               min
//! checkpoints                           organization, name → how far a source was read      the latest
//! schema_version                        a view: what the tables are
//! ```
//!
//! All that views keep are joins, so rows may come twice, late and in any order, from us or from others. `contacts` and
//! `minutes` are partitioned by day, and a day is dropped when it has expired; nothing expires by the servers' own clocks,
//! because the clock of the data may be pinned. Times are `DateTime('UTC')`: the time zone of a server changes nothing.
//!
//! On a cluster, each of these tables but the version is `Distributed` over tables of the same name with `_local` behind it.

use super::shards::SHARDING_KEY;
use crate::config::{ClickHouseAccess, Layout};

/// What the tables are; a server says it in `schema_version`. Never reused.
pub(super) const VERSION: u32 = 1;

/// Asks a server what its tables are.
pub(super) const VERSION_QUESTION: &str = "SELECT toUInt32(version) FROM schema_version FORMAT RowBinary";

/// Tables that are partitioned by day.
pub(super) const BY_DAY: [&str; 2] = ["contacts", "minutes"];

/// Rows between marks of an index. A question reads few rows: an eighth of ClickHouse's default.
const INDEX_GRANULARITY: u32 = 1024;

/// A table or a view, as a server tells it and as it is made.
pub(super) struct Definition {
    pub(super) name: String,
    /// As in `system.tables`.
    pub(super) engine: String,
    /// As in `system.columns`, where they do not follow from another table.
    pub(super) columns: Option<&'static str>,
    pub(super) sql: String,
}

/// A table with a state.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// Without `MergeTree`.
    engine: &'static str,
    engine_argument: &'static str,
    partition: &'static str,
    order: &'static str,
    sharding_key: &'static str,
    /// What the view over `connections` puts into it.
    view: Option<&'static str>,
}

const CONNECTION_COLUMNS: &str =
    "organization FixedString(16), ip FixedString(16), device String, time DateTime('UTC')";

const TABLES: [Table; 4] = [
    Table {
        name: "contacts",
        columns: "day Date, organization FixedString(16), ip FixedString(16), device String, \
                  last AggregateFunction(max, DateTime('UTC'))",
        engine: "Aggregating",
        engine_argument: "",
        partition: " PARTITION BY day",
        order: "organization, ip, device",
        sharding_key: SHARDING_KEY,
        view: Some(
            "SELECT toDate(time) AS day, organization, ip, device, maxState(time) AS last \
             FROM {connections} GROUP BY day, organization, ip, device",
        ),
    },
    Table {
        name: "minutes",
        columns: "day Date, organization FixedString(16), ip FixedString(16), minute UInt32, \
                  first AggregateFunction(min, DateTime('UTC'))",
        engine: "Aggregating",
        engine_argument: "",
        partition: " PARTITION BY day",
        order: "organization, ip, minute",
        sharding_key: SHARDING_KEY,
        view: Some(
            "SELECT toDate(time) AS day, organization, ip, toUInt32(intDiv(toUInt32(time), 60)) AS minute, \
             minState(time) AS first FROM {connections} GROUP BY day, organization, ip, minute",
        ),
    },
    Table {
        name: "first_contacts",
        columns: "organization FixedString(16), ip FixedString(16), first AggregateFunction(min, DateTime('UTC'))",
        engine: "Aggregating",
        engine_argument: "",
        partition: "",
        order: "organization, ip",
        sharding_key: SHARDING_KEY,
        view: Some(
            "SELECT organization, ip, minState(time) AS first FROM {connections} GROUP BY organization, ip",
        ),
    },
    Table {
        name: "checkpoints",
        columns: "organization FixedString(16), name String, position String, forgotten UInt8, version UInt64",
        engine: "Replacing",
        engine_argument: "version",
        partition: "",
        order: "organization, name",
        sharding_key: "cityHash64(organization)",
        view: None,
    },
];

/// What makes the database, to be done outside of it. Doing it again changes nothing.
pub(super) fn database(access: &ClickHouseAccess) -> String {
    format!("CREATE DATABASE IF NOT EXISTS {}{}", quoted(&access.database), on_cluster(&access.layout))
}

/// What makes the tables, in this order. Doing it again changes nothing.
pub(super) fn tables(access: &ClickHouseAccess) -> Vec<Definition> {
    let (layout, database) = (&access.layout, &access.database);
    let on_cluster = on_cluster(layout);
    let local = local_suffix(layout.cluster().is_some());
    let define = |what: &str, name: String, engine: String, columns, rest: &str| {
        let sql = format!("CREATE {what} IF NOT EXISTS {}.{name}{on_cluster}{rest}", quoted(database));
        Definition { name, engine, columns, sql }
    };
    let null = format!(" ({CONNECTION_COLUMNS}) ENGINE = Null");
    let name = format!("connections{local}");
    let mut definitions = vec![define("TABLE", name, "Null".to_owned(), Some(CONNECTION_COLUMNS), &null)];
    for table in &TABLES {
        let name = format!("{}{local}", table.name);
        let engine = table.engine_on(layout);
        let made = format!(
            " ({}) ENGINE = {engine}{}{} ORDER BY ({}) SETTINGS index_granularity = {INDEX_GRANULARITY}",
            table.columns,
            table.arguments_on(layout, database),
            table.partition,
            table.order,
        );
        let to = format!(" TO {}.{name} AS ", quoted(database));
        definitions.push(define("TABLE", name, engine, Some(table.columns), &made));
        if let Some(view) = table.view {
            let view = view.replace("{connections}", &format!("{}.connections{local}", quoted(database)));
            let (name, engine) = (format!("connections_to_{}", table.name), "MaterializedView".to_owned());
            definitions.push(define("MATERIALIZED VIEW", name, engine, None, &format!("{to}{view}")));
        }
    }
    if let Some(cluster) = layout.cluster() {
        let columns_and_keys = TABLES.iter().map(|table| (table.name, table.columns, table.sharding_key));
        for (name, columns, key) in
            columns_and_keys.chain([("connections", CONNECTION_COLUMNS, SHARDING_KEY)])
        {
            let made = format!(
                " ({columns}) ENGINE = Distributed('{cluster}', '{database}', '{name}_local', {key})"
            );
            definitions.push(define(
                "TABLE",
                name.to_owned(),
                "Distributed".to_owned(),
                Some(columns),
                &made,
            ));
        }
    }
    // Last: who finds a version finds tables.
    let version = format!(" AS SELECT toUInt32({VERSION}) AS version");
    let name = "schema_version".to_owned();
    definitions.push(define("VIEW", name, "View".to_owned(), Some("version UInt32"), &version));
    definitions
}

/// What drops a day, written as `2017-08-29`, from a table of [`BY_DAY`].
pub(super) fn drop_day(access: &ClickHouseAccess, table: &str, day: &str) -> String {
    let local = local_suffix(access.layout.cluster().is_some());
    let (database, on_cluster) = (quoted(&access.database), on_cluster(&access.layout));
    format!("ALTER TABLE {database}.{table}{local}{on_cluster} DROP PARTITION '{day}'")
}

/// What stands behind the names of tables that hold rows themselves.
pub(super) const fn local_suffix(is_sharded: bool) -> &'static str {
    if is_sharded { "_local" } else { "" }
}

impl Definition {
    /// Whether a table of this `engine` with these `columns` is what is defined. A service that keeps tables for others may
    /// say that it shares them.
    pub(super) fn is_met_by(&self, engine: &str, columns: &str) -> bool {
        let shared = engine.strip_prefix("Shared");
        let is_engine = engine == self.engine || shared.is_some_and(|kind| self.engine.ends_with(kind));
        is_engine && self.columns.is_none_or(|expected| expected == columns)
    }
}

impl Table {
    fn engine_on(&self, layout: &Layout) -> String {
        let replicated = if matches!(layout, Layout::Replicated { .. }) { "Replicated" } else { "" };
        format!("{replicated}{}MergeTree", self.engine)
    }

    fn arguments_on(&self, layout: &Layout, database: &str) -> String {
        let Self { name, engine_argument, .. } = self;
        let Layout::Replicated { .. } = layout else { return format!("({engine_argument})") };
        let separator = if engine_argument.is_empty() { "" } else { ", " };
        format!(
            "('/clickhouse/tables/{{shard}}/{database}/{name}', '{{replica}}'{separator}{engine_argument})"
        )
    }
}

/// Servers pass statements on to each other through ZooKeeper or Keeper, which only replicated clusters have.
fn on_cluster(layout: &Layout) -> String {
    match layout {
        Layout::Replicated { cluster } => format!(" ON CLUSTER {}", quoted(cluster)),
        Layout::Single | Layout::Sharded { .. } => String::new(),
    }
}

/// An identifier; the configuration lets no backtick through.
fn quoted(name: &str) -> String {
    format!("`{name}`")
}
