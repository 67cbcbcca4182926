//! The effective configuration as a configuration file, secrets masked.

use super::show_access::{Issuer, Role, User};
use super::show_limits::RateLimitsShared;
use super::show_store::Store;
use super::values::{ByteCount, CountSetting, DeviceSetting};
use super::{
    Config, IngestSource, KafkaAccess, KafkaTopic, LeaseFiles, Pattern, PublicUrl, SourceEntry, SourceKind,
    rate_limit,
};
use ipstats_formats::Originator;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Serialize)]
struct Shown<'a> {
    listen: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    public_urls: Vec<&'a str>,
    insecure_listen: bool,
    trusted_proxies: Vec<String>,
    proxy_headers: String,
    data_dir: &'a Path,
    memory: String,
    unknown_ip: String,
    audiences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_key_file: Option<&'a Path>,
    rate_limits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_log: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_listen: Option<String>,
    elastic_version: &'a str,
    not_devices: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limits_shared: Option<RateLimitsShared<'a>>,
    store: Store<'a>,
    log: Log<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    organizations: Vec<Organization<'a>>,
    applications: Vec<Application<'a>>,
    users: Vec<User<'a>>,
    roles: Vec<Role<'a>>,
    issuers: Vec<Issuer<'a>>,
    ingest_keys: Vec<IngestKey<'a>>,
    sources: Vec<Source<'a>>,
}

#[derive(Serialize)]
struct Log<'a> {
    level: &'a str,
    format: String,
}

#[derive(Serialize)]
struct Tls<'a> {
    certificate: &'a Path,
    key: &'a Path,
}

#[derive(Serialize)]
struct Organization<'a> {
    id: String,
    name: &'a str,
}

#[derive(Serialize)]
struct Application<'a> {
    name: &'a str,
    client_id: String,
    organization: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_hash: Option<&'static str>,
    public_client: bool,
    permissions: &'a [String],
    delegated_permissions: &'a [String],
}

#[derive(Serialize)]
struct IngestKey<'a> {
    name: &'a str,
    key_hash: &'static str,
    organization: String,
    format: &'static str,
    #[serde(flatten)]
    settings: Settings<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    organization: String,
    #[serde(flatten)]
    kind: Kind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(flatten)]
    settings: Settings<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aliases: Option<Leases<'a>>,
}

#[derive(Serialize)]
struct Leases<'a> {
    files: Vec<&'a str>,
    by: String,
    wait: String,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Kind<'a> {
    Files {
        paths: Vec<&'a str>,
    },
    Kafka {
        brokers: &'a [String],
        tls: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        password_file: Option<&'a Path>,
        #[serde(flatten)]
        stream: Stream<'a>,
    },
    EventHubs {
        connection_string_file: &'a Path,
        #[serde(flatten)]
        stream: Stream<'a>,
    },
    Syslog(Listening),
    Netflow(Listening),
}

#[derive(Serialize)]
struct Listening {
    listen: Vec<String>,
    from: Vec<String>,
    insecure_listen: bool,
}

#[derive(Serialize)]
struct Stream<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<&'a Path>,
    ca_only: bool,
    begin: &'static str,
}

#[derive(Serialize)]
struct Settings<'a> {
    internal_networks: Vec<String>,
    originator_is_device: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    count: String,
    device_from: String,
    not_devices: Vec<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    columns: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<BTreeMap<&'static str, &'a str>>,
}

impl<'a> IngestKey<'a> {
    fn of(source: &'a IngestSource) -> Self {
        Self {
            name: &source.name,
            key_hash: "(hidden)",
            organization: source.organization.to_string(),
            format: source.format.name(),
            settings: Settings::of(&source.settings),
        }
    }
}

impl<'a> Source<'a> {
    fn of(source: &'a SourceEntry) -> Self {
        let has_format = !matches!(source.kind, SourceKind::Netflow(_));
        Self {
            name: &source.name,
            organization: source.organization.to_string(),
            kind: Kind::of(&source.kind),
            format: has_format.then(|| source.format.name()),
            settings: Settings::of(&source.settings),
            aliases: match &source.kind {
                SourceKind::Files { leases, .. } => leases.as_ref().map(Leases::of),
                SourceKind::Kafka(_) | SourceKind::Syslog(_) | SourceKind::Netflow(_) => None,
            },
        }
    }
}

impl<'a> Leases<'a> {
    fn of(leases: &'a LeaseFiles) -> Self {
        Self {
            files: leases.patterns.iter().map(Pattern::as_str).collect(),
            by: leases.by_name(),
            wait: leases.wait_text(),
        }
    }
}

impl<'a> Kind<'a> {
    fn of(kind: &'a SourceKind) -> Self {
        match kind {
            SourceKind::Files { patterns, .. } => {
                Self::Files { paths: patterns.iter().map(Pattern::as_str).collect() }
            }
            SourceKind::Kafka(kafka) => Self::of_kafka(kafka),
            SourceKind::Syslog(listening) => Self::Syslog(Listening::of(listening)),
            SourceKind::Netflow(listening) => Self::Netflow(Listening::of(listening)),
        }
    }

    fn of_kafka(kafka: &'a KafkaTopic) -> Self {
        let stream = Stream {
            topic: kafka.topic.as_deref(),
            ca_file: kafka.ca_file.as_deref(),
            ca_only: kafka.ca_only,
            begin: kafka.begin.name(),
        };
        match &kafka.access {
            KafkaAccess::Brokers { brokers, tls, login } => Self::Kafka {
                brokers,
                tls: *tls,
                username: login.as_ref().map(|(username, _)| username.as_str()),
                password_file: login.as_ref().map(|(_, file)| file.as_path()),
                stream,
            },
            KafkaAccess::EventHubs { connection_string_file } => {
                Self::EventHubs { connection_string_file, stream }
            }
        }
    }
}

impl Listening {
    fn of(listening: &super::Listening) -> Self {
        Self {
            listen: listening.endpoints.iter().map(ToString::to_string).collect(),
            from: listening.from.iter().map(ToString::to_string).collect(),
            insecure_listen: listening.insecure_listen,
        }
    }
}

impl<'a> Settings<'a> {
    fn of(settings: &'a ipstats_formats::Settings) -> Self {
        Self {
            internal_networks: settings.internal_networks.iter().map(ToString::to_string).collect(),
            originator_is_device: settings.originator == Originator::AlwaysDevice,
            site: settings.site.as_deref(),
            count: CountSetting(settings.count).to_string(),
            device_from: DeviceSetting(settings.device_from).to_string(),
            not_devices: settings.not_devices.entries().iter().map(ToString::to_string).collect(),
            columns: &settings.columns,
            map: settings.map.as_deref().map(|map| map.pairs().into()),
        }
    }
}

impl Config {
    /// The effective configuration in the form of a configuration file; hashes of secrets are masked.
    pub fn show(&self) -> Result<String, toml::ser::Error> {
        let organizations = self.organizations.iter();
        let applications = self.applications.iter();
        toml::to_string(&Shown {
            listen: self.listen.to_string(),
            public_urls: self.public_urls.iter().map(PublicUrl::as_str).collect(),
            insecure_listen: self.insecure_listen,
            trusted_proxies: self.proxies.networks.iter().map(ToString::to_string).collect(),
            proxy_headers: self.proxies.headers.to_string(),
            data_dir: &self.data_dir,
            memory: ByteCount(self.memory_bytes_max).to_string(),
            unknown_ip: self.unknown_ip.to_string(),
            audiences: &self.audiences,
            signing_key_file: self.signing_key_file.as_deref(),
            rate_limits: rate_limit::shown(&self.rate_limits),
            audit_log: self.audit_log.as_ref().map(ToString::to_string),
            metrics_listen: self.metrics_listen.as_ref().map(ToString::to_string),
            elastic_version: &self.elastic_version,
            not_devices: self.not_devices.iter().map(ToString::to_string).collect(),
            rate_limits_shared: self.rate_limits_shared.as_ref().map(RateLimitsShared::of),
            store: Store::of(&self.store),
            log: Log { level: &self.log_level, format: self.log_format.to_string() },
            tls: self.tls.as_ref().map(|files| Tls { certificate: &files.certificate, key: &files.key }),
            organizations: organizations
                .map(|entry| Organization { id: entry.id.to_string(), name: &entry.name })
                .collect(),
            applications: applications
                .map(|application| Application {
                    name: &application.name,
                    client_id: application.client_id.to_string(),
                    organization: application.organization.to_string(),
                    secret_hash: application.secret_hash.as_ref().map(|_| "(hidden)"),
                    public_client: application.secret_hash.is_none(),
                    permissions: &application.permissions,
                    delegated_permissions: &application.delegated_permissions,
                })
                .collect(),
            users: self.users.iter().map(User::of).collect(),
            roles: self.roles.iter().map(Role::of).collect(),
            issuers: self.issuers.iter().map(Issuer::of).collect(),
            ingest_keys: self.ingest_sources.iter().map(IngestKey::of).collect(),
            sources: self.sources.iter().map(Source::of).collect(),
        })
    }
}
