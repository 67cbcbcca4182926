//! Which service a command asks, and as whom: a profile of `profiles.toml`, below the environment, below flags.
//!
//! Secrets come from the environment or from files, never from the command line, where every user of the machine could
//! read them.

use super::ConfigError;
use super::environment::Environment;
use super::profiles::Settings;
use super::server_url::ServerUrl;
use crate::ingest_key::IngestKey;
use crate::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest file with a key, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 4096;

/// What stays as it is in a part of a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const NO_PROOF: &str = "nothing proves who asks: set IPSTATS_TENANT, IPSTATS_CLIENT_ID and IPSTATS_CLIENT_SECRET (or \
    IPSTATS_TOKEN, or IPSTATS_TOKEN_FILE), or put them into a profile and name it with --profile";

const NO_TENANT: &str = "it is not said whose data is asked for: set IPSTATS_TENANT (id or name of the organization), or \
    IPSTATS_TOKEN_URL where tokens come from elsewhere";

/// What was said on the command line about the service to ask.
#[derive(Debug, Clone, Default)]
pub struct ServerFlags {
    /// `--server`.
    pub server: Option<ServerUrl>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--token-file`.
    pub token_file: Option<PathBuf>,
    /// `--ca-file`.
    pub ca_file: Option<PathBuf>,
    /// `--ca-only`.
    pub ca_only: bool,
    /// `--plain-http`.
    pub plain_http: bool,
}

/// The service to ask, and what proves who asks.
pub struct ServerAccess {
    /// Where the service is.
    pub url: ServerUrl,
    /// Certificates to trust beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether those of the system are not trusted.
    pub ca_only: bool,
    plain_http: bool,
    settings: Settings,
}

/// What proves who asks.
pub enum Proof {
    /// A token that somebody else got.
    Token(Secret),
    /// A file with a token, which somebody else keeps fresh.
    TokenFile(PathBuf),
    /// Id and secret of an application, for a token endpoint.
    Client(ClientCredentials),
}

/// Id and secret of an application, and where they are exchanged for a token.
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: ServerUrl,
    /// The application's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// What the token is asked for.
    pub audience: Audience,
}

/// What a token is asked for, in the words of its endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// `scope`.
    Scope(String),
    /// `resource`, as version 1 endpoints of Entra have it.
    Resource(String),
    /// Nothing: the provider knows what the client is for.
    Implied,
}

impl ServerAccess {
    /// What the flags, the environment of this process and the profile say together.
    pub fn load(flags: &ServerFlags) -> Result<Self, ConfigError> {
        Self::load_in(flags, &Environment::of_process())
    }

    /// As [`load`](Self::load), in a given environment.
    pub fn load_in(flags: &ServerFlags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut settings = Settings::of_environment(environment)?;
        if let Some(name) = &flags.profile {
            settings = settings.or(Settings::of_profile(name, environment)?);
        }
        if let Some(file) = &flags.token_file {
            settings = Settings { token: None, token_file: Some(file.clone()), ..settings };
        }
        let url = flags.server.clone().or_else(|| settings.server.clone()).ok_or_else(|| {
            wrong("no service is named: use --server, or a profile with server = \"https://ipstats.example.org\"")
        })?;
        let ca_file = flags.ca_file.clone().or_else(|| settings.ca_file.clone());
        let ca_only = flags.ca_only || settings.ca_only.unwrap_or(false);
        if ca_only && ca_file.is_none() {
            return Err(wrong(
                "--ca-only (ca_only, IPSTATS_CA_ONLY) names no certificates to trust: set --ca-file, too",
            ));
        }
        let access = Self { url, ca_file, ca_only, plain_http: flags.plain_http, settings };
        access.check_secrecy(&access.url)?;
        Ok(access)
    }

    /// What proves to the service who asks. A ready token comes before a file with one, and that before credentials.
    pub fn proof(self) -> Result<Proof, ConfigError> {
        let token_url = self.token_url();
        let Settings { client_id, client_secret, token, token_file, scope, resource, .. } = self.settings;
        match (token, token_file, client_id, client_secret) {
            (Some(token), ..) => Ok(Proof::Token(token)),
            (None, Some(file), ..) => Ok(Proof::TokenFile(file)),
            (None, None, Some(client_id), Some(client_secret)) => {
                let token_url = token_url?;
                Ok(Proof::Client(ClientCredentials {
                    audience: Audience::of(scope, resource, &token_url),
                    token_url,
                    client_id,
                    client_secret,
                }))
            }
            (None, None, Some(_), None) => {
                Err(wrong("there is a client id and no client secret: set IPSTATS_CLIENT_SECRET"))
            }
            (None, None, None, Some(_)) => {
                Err(wrong("there is a client secret and no client id: set IPSTATS_CLIENT_ID"))
            }
            (None, None, None, None) => Err(wrong(NO_PROOF)),
        }
    }

    /// The key under which logs are sent in: of `file` where it is given.
    pub fn ingest_key(self, file: Option<&Path>) -> Result<IngestKey, ConfigError> {
        if let Some(file) = file {
            let text = read_short(file).map_err(|error| wrong(format!("{}: {error}", file.display())))?;
            return text.trim().parse().map_err(|error| wrong(format!("{}: {error}", file.display())));
        }
        self.settings.ingest_key.ok_or_else(|| {
            wrong(
                "there is no ingest key: name a file that holds it with --key-file, or set IPSTATS_INGEST_KEY, or put \
                 ingest_key into a profile and name it with --profile",
            )
        })
    }

    /// The token endpoint: of the service's built-in authority, unless another is named.
    fn token_url(&self) -> Result<ServerUrl, ConfigError> {
        let url = match (&self.settings.token_url, &self.settings.tenant) {
            (Some(elsewhere), _) => elsewhere.clone(),
            (None, Some(tenant)) => {
                let tenant = utf8_percent_encode(tenant, IN_PATH);
                format!("{}/{tenant}/oauth2/v2.0/token", self.url.base()).parse().map_err(wrong)?
            }
            (None, None) => return Err(wrong(NO_TENANT)),
        };
        self.check_secrecy(&url)?;
        Ok(url)
    }

    /// Secrets travel encrypted, or not off this machine, unless the operator says otherwise.
    fn check_secrecy(&self, url: &ServerUrl) -> Result<(), ConfigError> {
        if self.plain_http || url.keeps_secrets() {
            return Ok(());
        }
        Err(wrong(format!(
            "{url} is not encrypted: secrets would travel in clear; use https, or --plain-http if the network between \
             is trusted"
        )))
    }
}

impl Audience {
    /// What is asked for unless it is said: Entra and the built-in authority want to be told, others do not.
    fn of(scope: Option<String>, resource: Option<String>, token_url: &ServerUrl) -> Self {
        let [default, ..] = super::DEFAULT_AUDIENCES;
        match (scope, resource) {
            (Some(scope), _) => Self::Scope(scope),
            (None, Some(resource)) => Self::Resource(resource),
            (None, None) if token_url.as_str().ends_with("/oauth2/v2.0/token") => {
                Self::Scope(format!("{default}/.default"))
            }
            (None, None) if token_url.as_str().ends_with("/oauth2/token") => {
                Self::Resource(default.to_owned())
            }
            (None, None) => Self::Implied,
        }
    }
}

/// A problem on its own.
pub(super) fn wrong(problem: impl Display) -> ConfigError {
    ConfigError { problems: vec![format!("{problem}")] }
}

fn read_short(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}
