//! What `--from` and `--to` name.
//!
//! Two stores are named at once, so what the environment says about *the* store says nothing here: of `IPSTATS_*` only
//! the password of ClickHouse counts.

use crate::config::{Config, Environment, Flags, StoreBackend};
use anyhow::{Context, bail};
use std::fs;
use std::path::Path;

/// In every data folder with an embedded store.
const VERSION_FILE: &str = "format-version";

/// The store to read: it must be there.
pub(super) fn source(place: &Path) -> anyhow::Result<Config> {
    let config = named(place).context("--from")?;
    if is_embedded(&config) && !config.data_dir.join(VERSION_FILE).exists() {
        bail!(
            "--from: {} is no data folder of ipstats: nothing was ever stored in it",
            config.data_dir.display()
        );
    }
    Ok(config)
}

/// The store to write: a folder may be new or empty, or a data folder.
pub(super) fn target(place: &Path) -> anyhow::Result<Config> {
    let config = named(place).context("--to")?;
    let folder = &config.data_dir;
    // Only files of ours may be there: a first start makes some before there is a store.
    let is_strange = |folder: &Path| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| !OURS.iter().any(|ours| name == *ours))
    };
    if is_embedded(&config) && !folder.join(VERSION_FILE).exists() && is_strange(folder) {
        bail!(
            "--to: {} is no data folder of ipstats and has other files in it: name a new folder",
            folder.display()
        );
    }
    Ok(config)
}

/// What is in a data folder beside the store, the beginning of one that was broken off included.
const OURS: [&str; 5] =
    ["LOCK", "format-version.new", "first-start.toml", "signing-key.pem", "operator.sock"];

/// Whether both are one store, as far as their names tell.
pub(super) fn are_the_same(one: &Config, other: &Config) -> bool {
    match (&one.store, &other.store) {
        (StoreBackend::Embedded, StoreBackend::Embedded) => {
            let path = |config: &Config| fs::canonicalize(&config.data_dir).ok();
            one.data_dir == other.data_dir || (path(one).is_some() && path(one) == path(other))
        }
        (StoreBackend::ClickHouse(one), StoreBackend::ClickHouse(other)) => {
            one.database == other.database && one.urls.iter().any(|url| other.urls.contains(url))
        }
        _ => false,
    }
}

/// A store as a message names it.
pub(super) fn name(config: &Config) -> String {
    match &config.store {
        StoreBackend::Embedded => format!("the data folder {}", config.data_dir.display()),
        StoreBackend::ClickHouse(access) => format!("the database {}", access.database),
    }
}

fn named(place: &Path) -> anyhow::Result<Config> {
    let of_process = Environment::of_process();
    let environment: Environment =
        of_process.get(PASSWORD).map(|value| (PASSWORD.to_owned(), value.to_owned())).into_iter().collect();
    // What is not there can only be a folder that is to be made: a configuration has to be there.
    let is_file = place.is_file() || place.extension().is_some_and(|extension| extension == "toml");
    let place = place.to_owned();
    let flags = if is_file {
        Flags { config: Some(place), ..Flags::default() }
    } else {
        Flags { data_dir: Some(place), ..Flags::default() }
    };
    Ok(Config::load_in(&flags, &environment)?)
}

const PASSWORD: &str = "IPSTATS_STORE_PASSWORD";

fn is_embedded(config: &Config) -> bool {
    matches!(config.store, StoreBackend::Embedded)
}
