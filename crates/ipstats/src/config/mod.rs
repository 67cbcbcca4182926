//! What the operator decided: one TOML file, below the environment (`IPSTATS_*`), below flags.
//!
//! Owns reading, checking and showing the configuration, and is the only module that reads the environment.
//! A [`Config`] is complete and consistent: every default is filled in, every reference resolves. Whatever is wrong
//! is reported at once, each problem with its place.

mod access;
mod audit;
mod claims;
mod duration;
mod environment;
mod first_start;
mod ingest_keys;
mod issuer_keys;
mod issuers;
mod machine;
mod networks;
mod password;
mod profiles;
mod proxies;
mod public_url;
mod rate_limit;
mod rate_limits_shared;
mod reader;
mod restart;
mod roles;
mod server_access;
mod server_url;
mod show;
mod show_access;
mod show_limits;
mod show_store;
mod sources;
mod store;
mod tls;
mod unrepeated;
mod users;
mod values;

pub use access::{Application, ClientId, OrganizationEntry, UnknownOrganization};
pub use audit::AuditDestination;
pub use claims::{ClaimNames, ClaimPath, IssuerKind, TokenContext};
pub use environment::Environment;
pub use first_start::{FirstStart, FirstStartError};
pub use ingest_keys::IngestSource;
pub use issuer_keys::{Authorities, KeyLocation, KeySource};
pub use issuers::{IssuerEntry, OrganizationRule, TENANT_PLACEHOLDER, tenant_in};
pub use networks::Network;
pub use password::Password;
pub use proxies::{Proxies, ProxyHeaders};
pub use public_url::{PublicUrl, Scheme};
pub use rate_limit::RateLimit;
pub use rate_limits_shared::{RedisTimeLimits, RedisUrl, SharedLimits};
pub use roles::{Principal, Role, RolePermission};
pub use server_access::{Audience, ClientCredentials, Proof, ServerAccess, ServerFlags};
pub use server_url::ServerUrl;
pub use sources::{
    Begin, Endpoint, KafkaAccess, KafkaTopic, LeaseFiles, Listening, Pattern, SourceEntry, SourceKind,
    Transport, no_columns,
};
pub use store::{ClickHouseAccess, ClickHouseLogin, Layout, StoreBackend};
pub use tls::TlsFiles;
pub use users::User;
pub use values::{ByteCount, LogFormat, UnknownIp};

use ipstats_formats::NotDevice;
use ipstats_model::Organization;
use reader::{Reader, Section};
use std::fmt::Display;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The audiences of Defender's API, old and new (CONTRACT.md, "Authorization").
const DEFAULT_AUDIENCES: [&str; 7] = [
    "https://api.securitycenter.microsoft.com",
    "https://api.securitycenter.windows.com",
    "https://api.security.microsoft.com",
    "https://securitycenter.onmicrosoft.com/windowsatpservice",
    "fc780465-2017-40d4-a0c5-307022471b92",
    // The specification's government hosts: GCC, and GCC High with DoD.
    "https://api-gcc.securitycenter.microsoft.us",
    "https://api-gov.securitycenter.microsoft.us",
];

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_DATA_DIR: &str = "ipstats-data";
const DEFAULT_LOG_LEVEL: &str = "info";

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the HTTP service listens.
    pub listen: SocketAddr,
    /// The URLs under which clients reach the service; the first is used when a request's `Host` matches none.
    /// Empty: the address that is listened on.
    pub public_urls: Vec<PublicUrl>,
    /// Listen on any address without TLS.
    pub insecure_listen: bool,
    /// The certificate and the key of TLS, where the service speaks it itself.
    pub tls: Option<TlsFiles>,
    /// The reverse proxies whose word counts.
    pub proxies: Proxies,
    /// The data folder.
    pub data_dir: PathBuf,
    /// Where connections are kept.
    pub store: StoreBackend,
    /// Memory of the store, in bytes.
    pub memory_bytes_max: u64,
    /// Open the store although acknowledged batches are missing from it. Never in a file: it is meant for once.
    pub accept_lost_batches: bool,
    /// What is answered for an IP that was not contacted in the retained 30 days.
    pub unknown_ip: UnknownIp,
    /// The audiences that tokens may be made out to.
    pub audiences: Vec<String>,
    /// The key of the built-in authority, where it is in a file that replicas share and not in the data folder.
    pub signing_key_file: Option<PathBuf>,
    /// How often an application may call an operation; nothing limits it where this is empty.
    pub rate_limits: Vec<RateLimit>,
    /// Where replicas of the service count calls together; each for itself unless told.
    pub rate_limits_shared: Option<SharedLimits>,
    /// Where the audit log goes; nowhere unless told.
    pub audit_log: Option<AuditDestination>,
    /// Where Prometheus fetches metrics; nowhere unless told.
    pub metrics_listen: Option<SocketAddr>,
    /// The version of Elasticsearch that the service says to be, to shippers that ask.
    pub elastic_version: String,
    /// What is logged: a `tracing` filter such as `info` or `ipstats=debug`.
    pub log_level: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// Whose data is kept.
    pub organizations: Vec<OrganizationEntry>,
    /// Who may ask for tokens.
    pub applications: Vec<Application>,
    /// Who may sign in to applications.
    pub users: Vec<User>,
    /// What users may do.
    pub roles: Vec<Role>,
    /// Who else may vouch for callers.
    pub issuers: Vec<IssuerEntry>,
    /// Relays, whose rows count for no source, key or import.
    pub not_devices: Vec<NotDevice>,
    /// Who may send logs in.
    pub ingest_sources: Vec<IngestSource>,
    /// Which sources the service fetches by itself.
    pub sources: Vec<SourceEntry>,
    /// What is odd about the configuration but no error, for the log.
    pub warnings: Vec<String>,
}

/// Where a configuration is and what it says about the service, for the tables that depend on it.
struct Place<'a> {
    folder: &'a Path,
    public_urls: &'a [PublicUrl],
}

/// What was said on the command line, where it overrides the rest.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--insecure-listen`.
    pub insecure_listen: bool,
    /// `--accept-lost-batches`.
    pub accept_lost_batches: bool,
}

/// Everything that is wrong with the configuration, one problem a line.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not usable:\n  {}", problems.join("\n  "))]
pub struct ConfigError {
    /// The problems, each with its place.
    pub problems: Vec<String>,
}

impl Config {
    /// Reads the configuration of this process. Where it declares no organization, those of the data folder's
    /// [first start](FirstStart) count, if there was one.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        Self::load_in(flags, &Environment::of_process())
    }

    /// As [`load`](Self::load), in a given environment.
    pub fn load_in(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let file = flags.config.clone().or_else(|| environment.get("IPSTATS_CONFIG").map(PathBuf::from));
        let text = match &file {
            None => String::new(),
            Some(file) => fs::read_to_string(file).map_err(|error| cannot_read(file, &error))?,
        };
        let file = file.unwrap_or_else(|| PathBuf::from("(no configuration file)"));
        let reader = Reader::new(&file, &text, environment);
        let config = Self::read(&reader, file.parent().unwrap_or(Path::new("")), flags);
        let problems = reader.problems();
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        if config.data_dir.is_file() {
            let data_dir = config.data_dir.display();
            let problem = format!("data folder {data_dir}: is a file; name a folder with --data-dir");
            return Err(ConfigError { problems: vec![problem] });
        }
        config.with_first_start()
    }

    fn read(reader: &Reader<'_>, folder: &Path, flags: &Flags) -> Self {
        let mut root = reader.root();
        let in_settings = root.read_path("data_dir", folder);
        let data_dir = flags.data_dir.clone().or(in_settings);
        let listen = root.read("listen");
        let public_urls = read_filled(&mut root, "public_urls").unwrap_or_default();
        let insecure_listen = root.read_flag("insecure_listen").unwrap_or_default();
        let tls = tls::read(root.section("tls"), folder);
        let proxies = proxies::read(&mut root);
        let store = store::read(root.section("store"), reader.variable("IPSTATS_STORE_PASSWORD"), folder);
        let memory = root.read::<values::Memory>("memory");
        let unknown_ip = root.read("unknown_ip").unwrap_or_default();
        let audiences = read_filled(&mut root, "audiences").map(values::Name::texts);
        let audiences = audiences.unwrap_or_else(|| DEFAULT_AUDIENCES.map(str::to_owned).to_vec());
        let signing_key_file = root.read_path("signing_key_file", folder);
        let rate_limits = rate_limit::read(&mut root);
        let redis_password = reader.variable("IPSTATS_RATE_LIMITS_SHARED_PASSWORD");
        let rate_limits_shared = rate_limits_shared::read(&mut root, redis_password, folder);
        let audit_log = audit::read(reader, &mut root, folder);
        let metrics_listen = root.read("metrics_listen");
        let elastic_version = root.read::<values::Version>("elastic_version").unwrap_or_default();
        let (log_level, log_format) = read_log(root.section("log"));
        let (organizations, applications) = access::read(&mut root);
        let users = users::read(&mut root, &organizations);
        let roles = roles::read(&mut root, &organizations);
        let place = Place { folder, public_urls: &public_urls };
        let issuers = issuers::read(&mut root, &organizations, &audiences, &place);
        let not_devices = root.read_list::<NotDevice>("not_devices").unwrap_or_default();
        let ingest_sources = ingest_keys::read(&mut root, &organizations, &not_devices);
        let sources = sources::read(&mut root, &organizations, &not_devices, folder);
        root.finish();
        // Known, although they were read before, or are for clients.
        for name in ["IPSTATS_CONFIG"].into_iter().chain(profiles::CLIENT_VARIABLES) {
            reader.variable(name);
        }
        let odd = [
            memory.and_then(too_much),
            rate_limits_shared::too_many(rate_limits_shared.as_ref(), &rate_limits),
        ];
        let warnings = reader.unknown_variables().into_iter().chain(odd.into_iter().flatten()).collect();
        Self {
            listen: flags.listen.or(listen).unwrap_or(DEFAULT_LISTEN),
            public_urls,
            insecure_listen: flags.insecure_listen || insecure_listen,
            tls,
            proxies,
            data_dir: data_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)),
            store,
            memory_bytes_max: memory.map_or_else(machine::default_memory_bytes, |memory| memory.0),
            accept_lost_batches: flags.accept_lost_batches,
            unknown_ip,
            audiences,
            signing_key_file,
            rate_limits,
            rate_limits_shared,
            audit_log,
            metrics_listen,
            elastic_version: elastic_version.to_string(),
            log_level,
            log_format,
            organizations,
            applications,
            users,
            roles,
            issuers,
            not_devices,
            ingest_sources,
            sources,
            warnings,
        }
    }

    /// Whether the built-in authority issues tokens: not where only outside issuers are configured.
    pub fn issues_tokens(&self) -> bool {
        self.issuers.is_empty() || !self.applications.is_empty()
    }

    /// Makes one organization and one application where none are declared, and keeps them in the data folder (made
    /// where missing). What was made is returned so that it can be shown once.
    pub fn establish(&mut self) -> Result<Option<FirstStart>, FirstStartError> {
        if !self.organizations.is_empty() {
            return Ok(None);
        }
        let (first_start, access) = first_start::establish(&self.data_dir)?;
        (self.organizations, self.applications) = access;
        Ok(first_start)
    }

    fn with_first_start(mut self) -> Result<Self, ConfigError> {
        if self.organizations.is_empty()
            && let Some(access) = first_start::load(&self.data_dir)?
        {
            (self.organizations, self.applications) = access;
        }
        Ok(self)
    }

    /// The URL of the service where a request does not tell: the first public URL, else the address listened on.
    pub fn base_url(&self) -> String {
        let of_address = || PublicUrl::of_address(self.scheme(), self.listen).to_string();
        self.public_urls.first().map_or_else(of_address, ToString::to_string)
    }

    /// The socket on which the service tells its operator how it is.
    pub fn operator_socket(&self) -> PathBuf {
        self.data_dir.join("operator.sock")
    }

    /// How the service itself speaks, whatever a proxy in front of it does.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::Https } else { Scheme::Http }
    }

    /// The organization that `asked` names by id or name; without one, the only organization there is.
    pub fn organization(&self, asked: Option<&str>) -> Result<Organization, UnknownOrganization> {
        access::choose(&self.organizations, asked)
    }
}

/// A list that has something in it, where it is there.
fn read_filled<T: FromStr<Err: Display>>(root: &mut Section<'_>, key: &'static str) -> Option<Vec<T>> {
    let list = root.read_list(key);
    if list.as_ref().is_some_and(Vec::is_empty) {
        root.problem(key, "the list is empty; leave it out for the default");
    }
    list
}

/// A warning where the store may use more memory than there is. The configuration may be meant for another machine.
fn too_much(memory: values::Memory) -> Option<String> {
    let machine = machine::memory_bytes().filter(|machine| memory.0 > *machine)?;
    let (memory, machine) = (ByteCount(memory.0), machine >> 20);
    Some(format!("memory: {memory} is more than this machine has ({machine} MiB): the process may be killed"))
}

fn read_log(mut log: Section<'_>) -> (String, LogFormat) {
    let level = log.read::<values::LogLevel>("level").map(|level| level.0);
    let format = log.read("format").unwrap_or_default();
    log.finish();
    (level.unwrap_or_else(|| DEFAULT_LOG_LEVEL.to_owned()), format)
}

fn cannot_read(file: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError { problems: vec![format!("{}: {error}", file.display())] }
}
