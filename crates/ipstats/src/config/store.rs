//! Where connections are kept: the table `[store]`.

use super::duration::Duration;
use super::password::Password;
use super::reader::Section;
use super::server_url::ServerUrl;
use super::values::{InvalidValue, Name, words};
use crate::secret::Secret;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where connections are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreBackend {
    /// The engine in the data folder.
    #[default]
    Embedded,
    /// A ClickHouse server or cluster.
    ClickHouse(ClickHouseAccess),
}

/// How to reach ClickHouse, and how it is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickHouseAccess {
    /// The HTTP interfaces of its servers; at least one.
    pub urls: Vec<ServerUrl>,
    /// The database that holds the tables.
    pub database: String,
    /// Who we are there; the user `default` without a password where it is not said.
    pub login: Option<ClickHouseLogin>,
    /// PEM certificates to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether those of the system are not trusted.
    pub ca_only: bool,
    /// How the tables are spread over servers.
    pub layout: Layout,
    /// Replicas that must have a batch before it is acknowledged; at least 1.
    pub insert_quorum: u32,
    /// Longest wait for an answer or an acknowledgement, tries on several servers included.
    pub timeout: std::time::Duration,
}

/// A user of ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickHouseLogin {
    /// Its name.
    pub username: String,
    password: Password,
}

/// How tables are spread over servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One server.
    Single,
    /// Shards of a cluster that the servers' own configuration names, each a single server.
    Sharded {
        /// The name of the cluster.
        cluster: String,
    },
    /// Shards with replicas, kept equal through ZooKeeper or ClickHouse Keeper.
    Replicated {
        /// The name of the cluster.
        cluster: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum BackendName {
    #[default]
    Embedded,
    ClickHouse,
}

words!(BackendName: "embedded" => Self::Embedded, "clickhouse" => Self::ClickHouse);

/// A name that needs no care in SQL.
struct Identifier(String);

/// A number of replicas.
struct Quorum(u32);

const DEFAULT_DATABASE: &str = "ipstats";
/// Shorter than the patience of those who send: shippers give up after 10 to 90 s, and then learn nothing.
const DEFAULT_TIMEOUT_SECONDS: i64 = 8;
const DEFAULT_QUORUM_REPLICATED: u32 = 2;

/// The table `[store]`; `password` is the variable that holds the password, if it is set.
pub(super) fn read(mut section: Section<'_>, password: Option<&str>, folder: &Path) -> StoreBackend {
    let backend = section.read::<BackendName>("backend").unwrap_or_default();
    let access = match backend {
        BackendName::Embedded => None,
        BackendName::ClickHouse => clickhouse(&mut section, password, folder),
    };
    section.finish();
    access.map_or(StoreBackend::Embedded, StoreBackend::ClickHouse)
}

fn clickhouse(section: &mut Section<'_>, password: Option<&str>, folder: &Path) -> Option<ClickHouseAccess> {
    let urls = section.read_list::<ServerUrl>("urls");
    if urls.as_ref().map_or(!section.is_said("urls"), Vec::is_empty) {
        section
            .problem("urls", "name at least one server, such as [\"https://clickhouse-1.example.net:8443\"]");
    }
    let plain_http = section.read_flag("plain_http").unwrap_or(false);
    for url in urls.iter().flatten().filter(|url| !plain_http && !url.keeps_secrets()) {
        section.problem("urls", format_args!(
            "{} is not encrypted: the password and all connections would travel in clear; use https, or say \
             plain_http = true where the network is trusted", url.as_str()
        ));
    }
    let database = section.read::<Identifier>("database");
    let username = section.read::<Name>("username").map(|name| name.0);
    let password_file = section.read_path("password_file", folder);
    let password = Password::find(password, password_file);
    if username.is_none() && password.is_some() {
        section.problem("username", "is missing: a password needs its user name");
    }
    if username.is_some() && password.is_none() {
        section.problem(
            "password_file",
            "is missing: a user name needs its password, in a file or in IPSTATS_STORE_PASSWORD",
        );
    }
    let layout = layout(section);
    let insert_quorum = section.read_number::<Quorum>("insert_quorum").map(|quorum| quorum.0);
    let is_replicated = matches!(layout, Layout::Replicated { .. });
    if insert_quorum.is_some_and(|quorum| quorum > 1) && !is_replicated {
        section.problem("insert_quorum", "needs replicated = true");
    }
    let default_quorum = if is_replicated { DEFAULT_QUORUM_REPLICATED } else { 1 };
    let timeout = section.read::<Duration>("timeout");
    let (ca_file, ca_only) = section.read_ca(folder);
    let timeout = timeout.map_or(DEFAULT_TIMEOUT_SECONDS, |timeout| timeout.seconds).max(1);
    Some(ClickHouseAccess {
        urls: urls?,
        database: database.map_or_else(|| DEFAULT_DATABASE.to_owned(), |name| name.0),
        login: username.zip(password).map(|(username, password)| ClickHouseLogin { username, password }),
        ca_file,
        ca_only,
        layout,
        insert_quorum: insert_quorum.unwrap_or(default_quorum),
        timeout: std::time::Duration::from_secs(timeout.unsigned_abs()),
    })
}

fn layout(section: &mut Section<'_>) -> Layout {
    let cluster = section.read::<Identifier>("cluster").map(|name| name.0);
    let replicated = section.read_flag("replicated").unwrap_or(false);
    match cluster {
        None => {
            if replicated {
                section.problem("replicated", "needs the name of the cluster: cluster = \"…\"");
            }
            Layout::Single
        }
        Some(cluster) if replicated => Layout::Replicated { cluster },
        Some(cluster) => Layout::Sharded { cluster },
    }
}

impl ClickHouseLogin {
    /// The password. A file is read each time, so that a new password is taken up.
    pub fn password(&self) -> io::Result<Secret> {
        self.password.read()
    }

    /// The file that holds the password, where it is one.
    pub(super) fn password_file(&self) -> Option<&Path> {
        self.password.file()
    }
}

impl Layout {
    /// The cluster, where there is one.
    pub fn cluster(&self) -> Option<&str> {
        match self {
            Self::Single => None,
            Self::Sharded { cluster } | Self::Replicated { cluster } => Some(cluster),
        }
    }
}

impl FromStr for Identifier {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new(text, "a name of 1 to 64 letters, digits, hyphens and underscores"))
        }
    }
}

impl FromStr for Quorum {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse::<u32>().ok().filter(|number| (1..=99).contains(number));
        number.map(Self).ok_or_else(|| InvalidValue::new(text, "a whole number of replicas from 1 to 99"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Flags};
    use super::*;
    use std::fs;

    fn store(text: &str, environment: &[(&str, &str)]) -> Result<StoreBackend, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ipstats.toml");
        fs::write(&file, format!("[store]\n{text}")).unwrap();
        let flags = Flags { config: Some(file), ..Flags::default() };
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load_in(&flags, &environment).map(|config| config.store).map_err(|error| error.to_string())
    }

    fn access(text: &str, environment: &[(&str, &str)]) -> ClickHouseAccess {
        match store(text, environment).unwrap() {
            StoreBackend::ClickHouse(access) => access,
            StoreBackend::Embedded => panic!("embedded"),
        }
    }

    #[test]
    fn a_cluster_is_described_in_a_few_lines() {
        assert_eq!(store("", &[]), Ok(StoreBackend::Embedded));
        let text = "backend = 'clickhouse'\nurls = ['https://a:8443', 'https://b:8443']\n\
            username = 'ipstats'\ncluster = 'main'\nreplicated = true\ntimeout = '5 s'";
        let found = access(text, &[("IPSTATS_STORE_PASSWORD", "s3cret")]);
        assert_eq!(found.layout, Layout::Replicated { cluster: "main".to_owned() });
        assert_eq!(
            (found.insert_quorum, found.timeout.as_secs(), found.database.as_str()),
            (2, 5, "ipstats")
        );
        assert_eq!(found.login.as_ref().unwrap().password().unwrap().reveal(), "s3cret");
        assert!(!format!("{found:?}").contains("s3cret"));
    }

    #[test]
    fn everything_may_come_from_the_environment() {
        let found = access(
            "",
            &[("IPSTATS_STORE_BACKEND", "clickhouse"), ("IPSTATS_STORE_URLS", "http://127.0.0.1:8123")],
        );
        assert_eq!((found.layout, found.insert_quorum, found.login), (Layout::Single, 1, None));
    }

    #[test]
    fn what_is_missing_or_unsafe_is_said_with_its_place() {
        for (text, expected) in [
            ("backend = 'redis'", "one of embedded, clickhouse"),
            ("urls = ['http://127.0.0.1:8123']", "unknown key store.urls"),
            ("backend = 'clickhouse'", "name at least one server"),
            ("backend = 'clickhouse'\nurls = ['http://ch:8123']", "plain_http = true"),
            ("backend = 'clickhouse'\nurls = ['https://a']\nusername = 'u'", "IPSTATS_STORE_PASSWORD"),
            ("backend = 'clickhouse'\nurls = ['https://a']\nreplicated = true", "cluster = "),
            ("backend = 'clickhouse'\nurls = ['https://a']\ninsert_quorum = '2'", "replicated = true"),
            ("backend = 'clickhouse'\nurls = ['https://a']\ndatabase = 'a`b'", "letters, digits"),
        ] {
            let problems = store(text, &[]).unwrap_err();
            assert!(problems.contains(expected), "{text}: {problems}");
        }
        assert!(store("backend = 'clickhouse'\nurls = ['http://ch:8123']\nplain_http = true", &[]).is_ok());
        let problems = store("backend = 'clickhouse'", &[("IPSTATS_STORE_URLS", "clickhouse")]).unwrap_err();
        assert!(
            problems.contains("IPSTATS_STORE_URLS: \"clickhouse\"") && !problems.contains("name at least"),
            "{problems}"
        );
    }
}
