//! The embedded engine.

use super::conforms;
use ipstats::clock::Clock;
use ipstats::config::{Config, Environment, Flags};
use ipstats::store::Store;
use std::sync::Arc;

const HISTORIES: u32 = 150;

#[test]
fn the_embedded_engine_answers_as_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let config = Config::load_in(&flags, &Environment::default()).unwrap();
    let store = Arc::new(Store::open(&config, &Clock::System).unwrap());
    conforms(&store, HISTORIES);
    store.close_here().unwrap();
}
