//! What the operator decided: one TOML file, below the environment (`IPSTATS_*`), below flags.
//!
//! Owns reading, checking and showing the configuration, and is the only module that reads the environment.
//! A [`Config`] is complete and consistent: every default is filled in, every reference resolves. Whatever is wrong
//! is reported at once, each problem with its place.

mod access;
mod environment;
mod first_start;
mod values;

pub use access::{Application, ClientId, OrganizationEntry, UnknownOrganization};
pub use environment::Environment;
pub use first_start::{FirstStart, FirstStartError};
pub use values::{LogFormat, PublicUrl, UnknownIp};

use ipstats_model::Organization;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the HTTP service listens.
    pub listen: SocketAddr,
    /// The URLs under which clients reach the service; the first is used when a request's `Host` matches none.
    /// Empty: the address that is listened on.
    pub public_urls: Vec<PublicUrl>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// Memory of the store, in bytes.
    pub memory_bytes_max: u64,
    /// What is answered for an IP that was not contacted in the retained 30 days.
    pub unknown_ip: UnknownIp,
    /// The audiences that tokens may be made out to.
    pub audiences: Vec<String>,
    /// What is logged: a `tracing` filter such as `info` or `ipstats=debug`.
    pub log_level: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// Whose data is kept.
    pub organizations: Vec<OrganizationEntry>,
    /// Who may ask for tokens.
    pub applications: Vec<Application>,
    /// What is odd about the configuration but no error, for the log.
    pub warnings: Vec<String>,
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
        let _ = (flags, environment);
        Err(ConfigError { problems: vec!["reading it is not written yet".to_owned()] })
    }

    /// Makes one organization and one application where none are declared, and keeps them in the data folder (made
    /// where missing). What was made is returned so that it can be shown once.
    pub fn establish(&mut self) -> Result<Option<FirstStart>, FirstStartError> {
        Ok(None)
    }

    /// The URL of the service where a request does not tell: the first public URL, else the address listened on.
    pub fn base_url(&self) -> String {
        self.public_urls.first().map_or_else(|| format!("http://{}", self.listen), ToString::to_string)
    }

    /// The organization that `asked` names by id or name; without one, the only organization there is.
    pub fn organization(&self, asked: Option<&str>) -> Result<Organization, UnknownOrganization> {
        access::choose(&self.organizations, asked)
    }
}
