//! `ipstats clickhouse init`: what it refuses, by the real binary with real servers, and that what it prints is what it does.

use super::cluster::{Cluster, Shards};
use super::query;
use super::server::{PASSWORD, Server};
use crate::cli::{Done, Place};
use crate::peer;

/// Every table and view that is not a server's own.
const TABLES: &str = "SELECT database, name, engine FROM system.tables WHERE database NOT IN ('system', 'INFORMATION_SCHEMA') \
                      ORDER BY database, name";

/// `ipstats clickhouse init` with these lines in `[store]`.
fn init(store: &str, arguments: &[&str]) -> Done {
    let place = Place::new();
    place.file("clickhouse.toml", format!("[store]\nbackend = 'clickhouse'\n{store}\n"));
    place.file("right", PASSWORD);
    place.file("wrong", "hunter2");
    let mut command = place.command(["clickhouse", "init", "--config", "clickhouse.toml"]);
    place.done(command.args(arguments).spawn().unwrap())
}

/// It is refused in one line that has all these `words`, before anything is created on any of `servers`.
pub(super) fn refused(servers: &[&Server], store: &str, words: &[&str]) {
    let there = || {
        servers.iter().map(|server| query(&server.url(), "SHOW DATABASES") + &query(&server.url(), TABLES))
    };
    let before: Vec<_> = there().collect();
    let done = init(store, &[]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{done:?}");
    for word in words.iter().chain(&["nothing was created"]) {
        assert!(done.err.contains(word), "no {word} in {}", done.err);
    }
    for word in ["CREATE", PASSWORD, "hunter2"] {
        assert!(!done.err.contains(word), "{word} in {}", done.err);
    }
    assert_eq!(done.err.trim().lines().count(), 1, "{}", done.err);
    assert_eq!(there().collect::<Vec<_>>(), before, "{store}");
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn refusals_name_the_place_and_the_way_out_and_create_nothing() {
    peer::place("clickhouse");
    let server = Server::start();
    let (url, ours) = (server.url(), |more: &str| format!("urls = ['{}']\n{more}", server.url()));
    let refused = |store: &str, words: &[&str]| refused(&[&server], store, words);

    let login = |name: &str, file: &str| ours(&format!("username = '{name}'\npassword_file = '{file}'"));
    for (name, file) in [("ipstats", "wrong"), ("nobody", "right")] {
        let words = [&url, "401", "store.username", "store.password_file", "IPSTATS_STORE_PASSWORD"];
        refused(&login(name, file), &words);
    }
    refused(&login("ipstats", "missing"), &[&url, "store.password_file cannot be read", "missing"]);
    refused(&login("reader", "right"), &[&url, "readonly", "store.username", "docs/scaling.md"]);

    let away = "http://127.0.0.1:1";
    refused(&format!("urls = ['{away}']"), &[away, "cannot be reached"]);
    let one_away = format!("urls = ['{url}', '{away}']");
    refused(&one_away, &[away, "cannot be reached", "every server that store.urls names"]);

    refused(&ours("cluster = 'elsewhere'"), &[&url, "elsewhere", "store.cluster", "remote_servers"]);

    for (database, version) in [("older", 0), ("newer", 2)] {
        query(&url, &format!("CREATE DATABASE {database}"));
        query(
            &url,
            &format!("CREATE VIEW {database}.schema_version AS SELECT toUInt32({version}) AS version"),
        );
        let version = format!("version {version},");
        refused(&ours(&format!("database = '{database}'")), &[&url, database, &version, "store.database"]);
    }
    for (number, foreign) in [
        "connections (device String) ENGINE = Memory",
        "contacts (day Date) ENGINE = MergeTree PARTITION BY day ORDER BY day",
        "schema_version (version String) ENGINE = Log",
    ]
    .into_iter()
    .enumerate()
    {
        let database = format!("foreign_{number}");
        query(&url, &format!("CREATE DATABASE {database}"));
        query(&url, &format!("CREATE TABLE {database}.{foreign}"));
        let table = foreign.split(' ').next().unwrap();
        refused(&ours(&format!("database = '{database}'")), &[&url, &database, table, "store.database"]);
    }
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn tables_are_made_once_and_for_one_layout() {
    peer::place("clickhouse");
    let shards = Shards::start([[1, 1], [1, 1]]);
    let [first, second] = &shards.servers;
    let both = [first, second];
    let urls = |urls: &[String]| format!("urls = ['{}']\ncluster = 'main'", urls.join("', '"));
    // No keeper: each server has to be named, once.
    let words = ["store.urls", "2 servers of the cluster main", "shard 2"];
    refused(&both, &urls(&[first.url()]), &words);
    refused(&both, &urls(&[first.url(), first.url().replace("127.0.0.1", "localhost")]), &words);
    refused(&both, &(urls(&[first.url()]) + "\nreplicated = true"), &["macros", "store.replicated"]);

    what_is_printed_is_what_is_done(&both, &shards.store(), 2);
    let before = both.map(|server| query(&server.url(), TABLES));
    let again = init(&shards.store(), &[]);
    assert_eq!((again.code, again.out.as_str()), (Some(0), ""), "{again:?}");
    assert_eq!(both.map(|server| query(&server.url(), TABLES)), before);
    // Once there are tables, a server that is away is no reason to hold a deployment up.
    let one_away = shards.store().replace(&second.url(), "http://127.0.0.1:1");
    let done = init(&one_away, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("http://127.0.0.1:1") && done.err.contains("repeat this"), "{}", done.err);

    let single = format!("urls = ['{}']", first.url());
    refused(&both, &single, &[&first.url(), "connections", "Distributed", "store.cluster", "store.database"]);
    let other = single + "\ndatabase = 'other'";
    what_is_printed_is_what_is_done(&[first], &other, 1);
    refused(
        &both,
        &(shards.store() + "\ndatabase = 'other'"),
        &["contacts", "AggregatingMergeTree", "store.cluster"],
    );
}

pub(super) fn what_a_cluster_prints_is_what_it_does(cluster: &Cluster) {
    let store = format!("{}\ndatabase = 'printed'", cluster.store());
    what_is_printed_is_what_is_done(&cluster.servers.each_ref(), &store, 1);
}

/// `--dry-run` prints statements and does nothing; done by hand on the first servers, as many as `by_hand` says, they make what
/// `init` makes in another database.
fn what_is_printed_is_what_is_done(servers: &[&Server], store: &str, by_hand: usize) {
    let before: Vec<_> = servers.iter().map(|server| query(&server.url(), TABLES)).collect();
    let printed = init(store, &["--dry-run"]);
    assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""), "{printed:?}");
    let there: Vec<_> = servers.iter().map(|server| query(&server.url(), TABLES)).collect();
    assert_eq!(there, before, "nothing is done");
    let statements: Vec<_> = printed.out.split(";\n").filter(|statement| !statement.is_empty()).collect();
    assert!(
        statements.len() > 8 && statements[0].starts_with("CREATE DATABASE IF NOT EXISTS"),
        "{statements:?}"
    );
    for server in &servers[..by_hand] {
        statements.iter().for_each(|statement| drop(query(&server.url(), statement)));
    }
    let database = store.split("database = '").nth(1).map_or("ipstats", |rest| rest.trim_end_matches('\''));
    let second_database = format!("{database}_done");
    let second = format!("{}\ndatabase = '{second_database}'", store.split("\ndatabase").next().unwrap());
    let done = init(&second, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let made = |server: &Server, database: &str| {
        let sql = format!(
            "SELECT name, create_table_query FROM system.tables WHERE database = '{database}' ORDER BY name"
        );
        let made = query(&server.url(), &sql).replace(database, "DATABASE");
        // Kept apart by its name in the keeper, too.
        assert!(made.lines().count() + 1 >= statements.len(), "{made}");
        made
    };
    for server in servers {
        assert_eq!(made(server, database), made(server, &second_database), "{}", server.url());
    }
    let again = init(store, &[]);
    assert_eq!(again.code, Some(0), "{again:?}");
}
