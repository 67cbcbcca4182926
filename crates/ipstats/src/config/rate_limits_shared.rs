//! Where replicas of the service count calls together: the table `[rate_limits_shared]`.

use super::password::Password;
use super::rate_limit::RateLimit;
use super::reader::Section;
use super::server_url::is_this_machine;
use super::values::{InvalidValue, Name};
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

const KEY: &str = "rate_limits_shared";

/// The port of Redis and Valkey where a URL names none.
const DEFAULT_PORT: u16 = 6379;

/// Most replicas.
const REPLICAS_MAX: u32 = 1000;

/// The Redis or Valkey server that several replicas of the service count calls in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedLimits {
    /// The server.
    pub url: RedisUrl,
    /// Who we are there; the server's default user where it is not said.
    pub username: Option<String>,
    /// The password of that user, where it has one.
    pub password: Option<Password>,
    /// PEM certificates to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether those of the system are not trusted.
    pub ca_only: bool,
    /// How many replicas there are: what each may admit by itself while the server is away.
    pub replicas: NonZeroU32,
    /// How long this process waits for the server. Not a setting: tests wait longer, so that a busy machine changes no decision.
    pub time_limits: RedisTimeLimits,
}

/// Longest waits for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisTimeLimits {
    /// For a decision, the wait for its turn included.
    pub decision: Duration,
    /// For a connection, TLS and password included.
    pub connection: Duration,
}

impl Default for RedisTimeLimits {
    fn default() -> Self {
        Self { decision: Duration::from_millis(100), connection: Duration::from_secs(2) }
    }
}

/// A Redis or Valkey server and a database of it. It holds no user and no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl {
    text: String,
    host: String,
    port: u16,
    database: u16,
    is_encrypted: bool,
}

/// A number of replicas.
struct Replicas(NonZeroU32);

/// The table; `password` is the variable that holds the password, if it is set. Nothing where there is none.
pub(super) fn read(root: &mut Section<'_>, password: Option<&str>, folder: &Path) -> Option<SharedLimits> {
    let mut section = root.section(KEY);
    let url = section.read::<RedisUrl>("url");
    let username = section.read::<Name>("username").map(|name| name.0);
    let password = Password::find(password, section.read_path("password_file", folder));
    let (ca_file, ca_only) = section.read_ca(folder);
    let replicas = section.read_number::<Replicas>("replicas").map(|replicas| replicas.0);
    let plain_redis = section.read_flag("plain_redis");
    if username.is_some() && password.is_none() {
        section.problem(
            "password_file",
            "is missing: a user name needs its password, in a file or in IPSTATS_RATE_LIMITS_SHARED_PASSWORD",
        );
    }
    if let Some(url) = &url {
        check_url(&section, url, plain_redis == Some(true), ca_file.is_some());
        if replicas.is_none() && !section.has("replicas") {
            section.problem(
                "replicas",
                "is missing: set how many processes share the limits, such as 3; each enforces its part of them \
                 while the server is away",
            );
        }
    } else if !section.has("url") && (root.has(KEY) || replicas.is_some() || password.is_some()) {
        section.problem(
            "url",
            "is missing: name the Redis or Valkey server, such as \"rediss://redis.example.net\"",
        );
    }
    section.finish();
    let time_limits = RedisTimeLimits::default();
    Some(SharedLimits { url: url?, username, password, ca_file, ca_only, replicas: replicas?, time_limits })
}

fn check_url(section: &Section<'_>, url: &RedisUrl, plain_redis: bool, has_ca_file: bool) {
    if !url.keeps_secrets() && !plain_redis {
        section.problem(
            "url",
            format_args!(
                "{url} is not encrypted: the password and the names of applications would travel in clear; use rediss, \
                 or say plain_redis = true where the network is trusted"
            ),
        );
    }
    if has_ca_file && !url.is_encrypted {
        section.problem("ca_file", "is of no use without TLS: write the url with rediss");
    }
}

/// A warning for limits that are smaller than the number of replicas.
pub(super) fn too_many(shared: Option<&SharedLimits>, limits: &[RateLimit]) -> Option<String> {
    let replicas = shared?.replicas;
    let limit = limits.iter().find(|limit| limit.calls_max() < replicas.get())?;
    Some(format!(
        "rate_limits: \"{limit}\" is less than one call for each of {replicas} replicas: while the server of \
         [rate_limits_shared] is away, they admit {replicas} together"
    ))
}

impl RedisUrl {
    /// The name or address of the server.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The number of the database there.
    pub const fn database(&self) -> u16 {
        self.database
    }

    /// Whether TLS is spoken.
    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether what is sent there can be read by nobody on the way.
    pub(super) fn keeps_secrets(&self) -> bool {
        self.is_encrypted || is_this_machine(&self.host)
    }
}

impl SharedLimits {
    /// The part of `limits` that one replica may admit by itself: rounded down, at least one call.
    pub fn share(&self, limits: &[RateLimit]) -> Vec<RateLimit> {
        limits.iter().map(|limit| limit.divided_by(self.replicas)).collect()
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for RedisUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            let expected = "a URL such as rediss://redis.example.net:6379/0 (redis or rediss, host, optional port and \
                            database; user and password are settings of their own)";
            InvalidValue::new(text, expected)
        };
        let (is_encrypted, rest) = match text.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            _ => return Err(wrong()),
        };
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_authority(authority).ok_or_else(wrong)?;
        let database = if database.is_empty() { Some(0) } else { database.parse().ok() };
        Ok(Self {
            text: text.to_owned(),
            host: host.to_owned(),
            port,
            database: database.ok_or_else(wrong)?,
            is_encrypted,
        })
    }
}

/// Host and port; an address of IPv6 stands in brackets.
fn split_authority(authority: &str) -> Option<(&str, u16)> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let host_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || !host.bytes().all(host_like) {
        return None;
    }
    match rest.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(|port| (host, port)),
        None => rest.is_empty().then_some((host, DEFAULT_PORT)),
    }
}

impl FromStr for Replicas {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse::<NonZeroU32>().ok().filter(|number| number.get() <= REPLICAS_MAX);
        number.map(Self).ok_or_else(|| {
            InvalidValue::new(text, format!("a whole number of replicas from 1 to {REPLICAS_MAX}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Flags};
    use super::*;

    #[test]
    fn a_url_names_a_server_and_no_password() {
        for (text, host, port, database, is_encrypted, keeps_secrets) in [
            ("redis://127.0.0.1", "127.0.0.1", 6379, 0, false, true),
            ("redis://localhost:7000/3", "localhost", 7000, 3, false, true),
            ("redis://redis.example.net", "redis.example.net", 6379, 0, false, false),
            ("rediss://redis.example.net:6380/", "redis.example.net", 6380, 0, true, true),
            ("redis://[::1]:7000", "::1", 7000, 0, false, true),
            ("redis://[2001:db8::1]/1", "2001:db8::1", 6379, 1, false, false),
        ] {
            let url: RedisUrl = text.parse().unwrap();
            assert_eq!(
                (url.host(), url.port(), url.database(), url.is_encrypted(), url.keeps_secrets()),
                (host, port, database, is_encrypted, keeps_secrets),
                "{text}"
            );
            assert_eq!(url.to_string(), text);
        }
        for text in [
            "",
            "redis.example.net",
            "http://a",
            "redis://",
            "redis:///0",
            "redis://a:0",
            "redis://a:70000",
            "redis://a/b",
            "redis://a/0?protocol=resp3",
            "redis://[::1",
            "redis://[::1]7000",
            "redis://::1",
            "redis://ipstats:hunter2@a",
        ] {
            assert!(text.parse::<RedisUrl>().is_err(), "{text}");
        }
    }

    fn config(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ipstats.toml");
        std::fs::write(&file, text).unwrap();
        let flags = Flags { config: Some(file), ..Flags::default() };
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load_in(&flags, &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_is_named_in_the_file_or_in_variables() {
        assert_eq!(config("", &[]).unwrap().rate_limits_shared, None);
        let written = "[rate_limits_shared]\nurl = 'rediss://a/2'\nusername = 'ipstats'\nreplicas = '3'\n\
                       ca_file = 'ca.pem'";
        let password = ("IPSTATS_RATE_LIMITS_SHARED_PASSWORD", "hunter2");
        let config_here = config(written, &[password]).unwrap();
        let shared = config_here.rate_limits_shared.clone().unwrap();
        assert_eq!((shared.replicas.get(), shared.username.as_deref()), (3, Some("ipstats")));
        assert!(
            shared.ca_file.as_ref().unwrap().ends_with("ca.pem")
                && shared.ca_file.as_ref().unwrap().is_absolute()
        );
        assert_eq!(shared.password.as_ref().unwrap().read().unwrap().reveal(), "hunter2");
        assert!(!format!("{shared:?}").contains("hunter2"));
        let shown = config_here.show().unwrap();
        assert!(shown.contains("url = \"rediss://a/2\"") && !shown.contains("hunter2"), "{shown}");
        let variables = [
            ("IPSTATS_RATE_LIMITS_SHARED_URL", "redis://127.0.0.1"),
            ("IPSTATS_RATE_LIMITS_SHARED_REPLICAS", "2"),
            password,
        ];
        let of_variables = config("", &variables).unwrap();
        assert!(of_variables.warnings.is_empty(), "{:?}", of_variables.warnings);
        assert_eq!(of_variables.rate_limits_shared.unwrap().replicas.get(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_way_out_and_without_the_password() {
        for (text, told) in [
            ("[rate_limits_shared]", "rate_limits_shared.url: is missing"),
            ("rate_limits_shared.replicas = '3'", "rate_limits_shared.url: is missing"),
            ("rate_limits_shared.url = 'redis://localhost'", "replicas: is missing"),
            ("rate_limits_shared = { url = 'redis://localhost', replicas = '0' }", "from 1 to 1000"),
            ("rate_limits_shared = { url = 'redis://a', replicas = '3' }", "plain_redis = true"),
            ("rate_limits_shared = { url = 'redis://u:hunter2@a', replicas = '3' }", "settings of their own"),
            (
                "rate_limits_shared = { url = 'redis://localhost', replicas = '3', password = 'hunter2' }",
                "unknown key",
            ),
            (
                "rate_limits_shared = { url = 'redis://localhost', replicas = '3', username = 'u' }",
                "needs its password",
            ),
            (
                "rate_limits_shared = { url = 'redis://localhost', replicas = '3', ca_file = 'a' }",
                "without TLS",
            ),
        ] {
            let error = config(text, &[]).unwrap_err();
            assert!(error.contains(told) && !error.contains("hunter2"), "{text}: {error}");
        }
        let plain = "rate_limits_shared = { url = 'redis://a', replicas = '101', plain_redis = true }";
        let warnings = config(plain, &[]).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("101 replicas"), "{warnings:?}");
    }

    #[test]
    fn a_share_is_rounded_down_and_never_nothing() {
        let shared = SharedLimits {
            url: "redis://localhost".parse().unwrap(),
            username: None,
            password: None,
            ca_file: None,
            ca_only: false,
            replicas: NonZeroU32::new(3).unwrap(),
            time_limits: RedisTimeLimits::default(),
        };
        let limits = ["100 per 00:01:00", "2 per 00:00:01"].map(|text| text.parse().unwrap());
        let parts: Vec<_> = shared.share(&limits).iter().map(ToString::to_string).collect();
        assert_eq!(parts, ["33 per 00:01:00", "1 per 00:00:01"]);
        let warning = too_many(Some(&shared), &limits).unwrap();
        assert!(warning.contains("\"2 per 00:00:01\"") && warning.contains("3 replicas"), "{warning}");
        assert_eq!(too_many(Some(&shared), &limits[..1]), None);
        assert_eq!(too_many(None, &limits), None);
    }
}
