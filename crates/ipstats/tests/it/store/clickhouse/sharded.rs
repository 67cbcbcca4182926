//! Shards without a keeper: two servers that know each other and nobody else.

use super::cluster::Shards;
use super::failures::{ip, prevalence, send_until_taken};
use super::{HISTORIES_OF_A_CLUSTER, access, config, moves_there_and_back, query};
use crate::peer;
use crate::store::{conforms, new_organization};
use ipstats::clock::Clock;
use ipstats::store::{Store, init};
use std::sync::Arc;
use tempfile::TempDir;

/// IPs that are sent, and asked for.
const IPS: u32 = 200;

fn open(shards: &Shards) -> (Arc<Store>, TempDir) {
    let (config, folder) = config(&shards.store());
    init(access(&config)).unwrap();
    (Arc::new(Store::open(&config, &Clock::System).unwrap()), folder)
}

/// How many rows of `contacts` each shard has.
fn rows(shards: &Shards) -> [u64; 2] {
    let count = |sql: &str, url: &str| query(url, sql).trim().parse().unwrap();
    shards
        .servers
        .each_ref()
        .map(|server| count("SELECT count() FROM ipstats.contacts_local FINAL", &server.url()))
}

#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn shards_of_unequal_weights_without_a_keeper_answer_as_the_model() {
    peer::place("clickhouse");
    let mut shards = Shards::start([[1, 3], [1, 3]]);
    let (store, _folder) = open(&shards);
    a_shard_that_is_away_costs_only_its_own_answers(&mut shards, &store);
    conforms(&store, HISTORIES_OF_A_CLUSTER);
    moves_there_and_back(&store, 1);
    store.close_here().unwrap();
}

fn a_shard_that_is_away_costs_only_its_own_answers(shards: &mut Shards, store: &Store) {
    let organization = new_organization();
    let ips: Vec<_> = (0..IPS).map(ip).collect();
    send_until_taken(store, organization, "device", &ips);
    let of_shards = rows(shards);
    assert_eq!(of_shards.iter().sum::<u64>(), u64::from(IPS));
    assert!((20..80).contains(&of_shards[0]), "about a quarter: {of_shards:?}");
    for away in [0, 1] {
        shards.servers[away].kill();
        let mut answered = 0;
        for ip in &ips {
            match prevalence(store, organization, *ip) {
                Ok(devices) => {
                    assert_eq!(devices, 1, "of {ip}");
                    answered += 1;
                }
                Err(told) => assert!(told.contains(&shards.servers[away].url()), "{told}"),
            }
        }
        assert_eq!(answered, of_shards[1 - away], "what the other shard has, and nothing else");
        shards.servers[away].begin();
        send_until_taken(store, organization, "device", &ips);
    }
    for ip in ips {
        assert_eq!(prevalence(store, organization, ip), Ok(1), "of {ip}");
    }
}

/// Each server has its own opinion of where rows lie: then nobody knows, and all are asked.
#[test]
#[ignore = "needs .ci/peers/clickhouse.sh"]
fn servers_that_disagree_about_weights_answer_as_the_model() {
    peer::place("clickhouse");
    let shards = Shards::start([[1, 1], [1, 5]]);
    let (store, _folder) = open(&shards);
    conforms(&store, HISTORIES_OF_A_CLUSTER);
    assert!(rows(&shards).iter().all(|rows| *rows > 0), "{:?}", rows(&shards));
    store.close_here().unwrap();
}
