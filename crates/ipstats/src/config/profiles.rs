//! What the environment and `profiles.toml` say about services to ask.
//!
//! ```toml
//! [[profiles]]
//! name = "soc"
//! server = "https://ipstats.example.org"
//! tenant = "contoso"
//! client_id = "9c6cf3a1-2f6b-4d0e-8b8a-51c1a5c1f0aa"
//! client_secret = "…"
//! ```
//!
//! Which service is asked is never up to the environment: a question meant for this machine must not travel because of
//! a variable that somebody forgot.

use super::ConfigError;
use super::environment::Environment;
use super::reader::{Reader, Section};
use super::server_access::wrong;
use super::server_url::ServerUrl;
use super::values::Name;
use crate::ingest_key::IngestKey;
use crate::secret::Secret;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file with profiles, below the folder where programs of this user keep their settings.
const PROFILES_FILE: &str = "ipstats/profiles.toml";

/// Variables that only clients read: a service knows them, and they mean nothing to it.
pub(super) const CLIENT_VARIABLES: [&str; 12] = [
    "IPSTATS_PROFILES",
    "IPSTATS_TENANT",
    "IPSTATS_CLIENT_ID",
    "IPSTATS_CLIENT_SECRET",
    "IPSTATS_TOKEN",
    "IPSTATS_TOKEN_FILE",
    "IPSTATS_TOKEN_URL",
    "IPSTATS_SCOPE",
    "IPSTATS_RESOURCE",
    "IPSTATS_CA_FILE",
    "IPSTATS_CA_ONLY",
    "IPSTATS_INGEST_KEY",
];

/// Everything that may be said about a service; what is absent was not said.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) server: Option<ServerUrl>,
    pub(super) tenant: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) token_url: Option<ServerUrl>,
    pub(super) scope: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) ca_only: Option<bool>,
    pub(super) ingest_key: Option<IngestKey>,
}

impl Settings {
    /// What the environment says.
    pub(super) fn of_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let reader = Reader::new(Path::new("(the environment)"), "", environment);
        let settings = Self::read(&mut reader.root(), Path::new(""));
        checked(&reader, settings)
    }

    /// What the profile of this name says. The file may be read by its owner only.
    pub(super) fn of_profile(asked: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let file = file_in(environment)?;
        let text = private_text(&file)?;
        let nothing = Environment::default();
        let reader = Reader::new(&file, &text, &nothing);
        let (mut root, mut names, mut found) = (reader.root(), Vec::new(), None);
        for mut section in root.sections("profiles") {
            let Some(Name(name)) = section.require("name") else { continue };
            if name == asked {
                let server = section.require("server");
                found =
                    Some(Self { server, ..Self::read(&mut section, file.parent().unwrap_or(Path::new(""))) });
                section.finish();
            }
            names.push(name);
        }
        root.finish();
        let unknown =
            format!("{}: there is no profile {asked:?}; known: {}", file.display(), names.join(", "));
        checked(&reader, found)?.ok_or_else(|| wrong(unknown))
    }

    /// These settings, and `other` where they say nothing.
    ///
    /// A proof of one kind is a whole: where a secret of these is there, a ready token of the other does not get in its way.
    pub(super) fn or(self, other: Self) -> Self {
        let other = if self.client_secret.is_some() {
            Self { token: None, token_file: None, ..other }
        } else {
            other
        };
        Self {
            server: self.server.or(other.server),
            tenant: self.tenant.or(other.tenant),
            client_id: self.client_id.or(other.client_id),
            client_secret: self.client_secret.or(other.client_secret),
            token: self.token.or(other.token),
            token_file: self.token_file.or(other.token_file),
            token_url: self.token_url.or(other.token_url),
            scope: self.scope.or(other.scope),
            resource: self.resource.or(other.resource),
            ca_file: self.ca_file.or(other.ca_file),
            ca_only: self.ca_only.or(other.ca_only),
            ingest_key: self.ingest_key.or(other.ingest_key),
        }
    }

    /// Reads all but the server; relative files are meant from `folder`.
    fn read(section: &mut Section<'_>, folder: &Path) -> Self {
        let file = |path: PathBuf| folder.join(path);
        Self {
            server: None,
            tenant: section.read("tenant"),
            client_id: section.read("client_id"),
            client_secret: section.read::<String>("client_secret").map(Secret::from),
            token: section.read::<String>("token").map(Secret::from),
            token_file: section.read("token_file").map(file),
            token_url: section.read("token_url"),
            scope: section.read("scope"),
            resource: section.read("resource"),
            ca_file: section.read("ca_file").map(file),
            ca_only: section.read_flag("ca_only"),
            ingest_key: section.read("ingest_key"),
        }
    }
}

fn checked<T>(reader: &Reader<'_>, settings: T) -> Result<T, ConfigError> {
    let problems = reader.problems();
    if problems.is_empty() { Ok(settings) } else { Err(ConfigError { problems }) }
}

/// Where the profiles are: `IPSTATS_PROFILES`, else the folder of this user's settings.
fn file_in(environment: &Environment) -> Result<PathBuf, ConfigError> {
    let named = environment.get("IPSTATS_PROFILES").map(PathBuf::from);
    named.or_else(|| Some(environment.settings_folder()?.join(PROFILES_FILE))).ok_or_else(|| {
        wrong("it is not known where profiles are (there is no HOME): name their file in IPSTATS_PROFILES")
    })
}

/// The text of a file that nobody else may read.
fn private_text(file: &Path) -> Result<String, ConfigError> {
    let in_file = |problem: String| wrong(format!("{}: {problem}", file.display()));
    let mut open = File::open(file).map_err(|error| {
        in_file(format!("{error}: [[profiles]] are kept there (or in the file that IPSTATS_PROFILES names)"))
    })?;
    let mode = open.metadata().map_err(|error| in_file(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(in_file(format!(
            "others may read it, and it holds secrets: chmod 600 {}",
            file.display()
        )));
    }
    let mut text = String::new();
    open.read_to_string(&mut text).map_err(|error| in_file(error.to_string()))?;
    Ok(text)
}
