//! ClickHouse: Debian's old one, and the current one.

mod cluster;
mod failures;
mod front;
pub(crate) mod gate;
mod init;
mod others;
mod retention;
pub(crate) mod server;
mod sharded;
mod slow;
mod tls;
mod trouble;

use super::conforms;
use super::copying::{embedded, moves};
use crate::peer;
use cluster::Cluster;
use front::Front;
use ipstats::clock::Clock;
use ipstats::config::{ClickHouseAccess, Config, Environment, Flags, StoreBackend};
use ipstats::store::Store;
use server::Server;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

/// Hundreds of questions wait for each other in the suite.
const PATIENT: &str = "timeout = '60 s'";

const HISTORIES: u32 = 12;
const HISTORIES_OF_A_CLUSTER: u32 = 3;

/// A configuration with a table `[store]` of these lines, and its folder.
pub(super) fn config(store: &str) -> (Config, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipstats.toml");
    fs::write(&file, format!("data_dir = 'data'\n[store]\nbackend = 'clickhouse'\n{store}\n")).unwrap();
    let flags = Flags { config: Some(file), ..Flags::default() };
    (Config::load_in(&flags, &Environment::default()).unwrap(), folder)
}

pub(super) fn access(config: &Config) -> &ClickHouseAccess {
    match &config.store {
        StoreBackend::ClickHouse(access) => access,
        StoreBackend::Embedded => panic!("the store is embedded"),
    }
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn one_old_server_answers_as_the_model() {
    peer::place("clickhouse");
    let server = Server::start();
    let (config, folder) = config(&format!(
        "urls = ['{}']\nusername = 'ipstats'\npassword_file = 'clickhouse.secret'\n{PATIENT}",
        server.url()
    ));
    fs::write(folder.path().join("clickhouse.secret"), format!("{}\n", server::PASSWORD)).unwrap();
    let refused = Store::open(&config, &Clock::System).err().unwrap().to_string();
    assert!(refused.contains("ipstats clickhouse init"), "{refused}");
    ipstats::store::init(access(&config)).unwrap();
    ipstats::store::init(access(&config)).unwrap();
    let store = Arc::new(Store::open(&config, &Clock::System).unwrap());
    conforms(&store, HISTORIES);
    moves_there_and_back(&store, HISTORIES / 4);
    others::a_row_by_hand_counts(&store, &server.url());
    retention::days_that_have_expired_are_dropped(&server.url());
    store.close_here().unwrap();
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn the_current_engine_answers_as_the_model() {
    let front = Front::start();
    let (config, _folder) = config(&format!("urls = ['{}']\n{PATIENT}", front.url));
    ipstats::store::init(access(&config)).unwrap();
    ipstats::store::init(access(&config)).unwrap();
    let store = Arc::new(Store::open(&config, &Clock::System).unwrap());
    conforms(&store, HISTORIES);
    moves_there_and_back(&store, HISTORIES / 4);
    others::text_counts(&store, &front.url);
    retention::days_that_have_expired_are_dropped(&front.url);
    store.close_here().unwrap();
}

/// Out of a folder into `store`, and out of it into another folder.
fn moves_there_and_back(store: &Store, cases: u32) {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, other] = folders.each_ref().map(|folder| embedded(folder.path()));
    moves(&one, store, cases);
    moves(store, &other, cases);
    for folder in [one, other] {
        folder.close_here().unwrap();
    }
}

/// What a server answers to a statement, in the form of text with tabs.
fn query(url: &str, sql: &str) -> String {
    let answer = reqwest::blocking::Client::new().post(url).body(sql.to_owned()).send().unwrap();
    let (status, text) = (answer.status(), answer.text().unwrap());
    assert!(status.is_success(), "{sql}: {text}");
    text
}

/// One test: a cluster takes seconds to start.
#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn a_cluster_answers_as_the_model_and_outlives_its_parts() {
    peer::place("clickhouse");
    let mut cluster = Cluster::start();
    let (config, _folder) = config(&cluster.store());
    ipstats::store::init(access(&config)).unwrap();
    let store = Arc::new(Store::open(&config, &Clock::System).unwrap());
    conforms(&store, HISTORIES_OF_A_CLUSTER);
    moves_there_and_back(&store, 1);
    init::what_a_cluster_prints_is_what_it_does(&cluster);
    failures::a_replica_that_is_killed_costs_no_record_and_no_answer(&mut cluster, &store);
    failures::a_shard_that_is_away_costs_only_its_own_answers(&mut cluster, &store);
    failures::a_replica_that_hangs_costs_no_record_and_no_answer(&cluster, &store);
    failures::a_replica_without_the_keeper_takes_nothing_and_catches_up(&cluster, &store);
    #[cfg(target_os = "linux")]
    failures::a_replica_whose_disk_is_full_takes_nothing_and_catches_up(&cluster, &store);
    failures::a_keeper_that_is_away_costs_no_record_and_no_answer(&mut cluster, &store);
    failures::a_cluster_that_is_started_again_has_everything(&mut cluster, &store);
    store.close_here().unwrap();
}
