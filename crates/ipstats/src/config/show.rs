//! The effective configuration as a configuration file, secrets masked.

use super::Config;
use super::values::{ByteCount, PublicUrl};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Shown<'a> {
    listen: String,
    public_urls: Vec<&'a str>,
    data_dir: &'a Path,
    store: String,
    memory: String,
    unknown_ip: String,
    audiences: &'a [String],
    log: Log<'a>,
    organizations: Vec<Organization<'a>>,
    applications: Vec<Application<'a>>,
}

#[derive(Serialize)]
struct Log<'a> {
    level: &'a str,
    format: String,
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
    secret_hash: &'static str,
    permissions: &'a [String],
}

impl Config {
    /// The effective configuration in the form of a configuration file; hashes of secrets are masked.
    pub fn show(&self) -> Result<String, toml::ser::Error> {
        let organizations = self.organizations.iter();
        let applications = self.applications.iter();
        toml::to_string(&Shown {
            listen: self.listen.to_string(),
            public_urls: self.public_urls.iter().map(PublicUrl::as_str).collect(),
            data_dir: &self.data_dir,
            store: self.store.to_string(),
            memory: ByteCount(self.memory_bytes_max).to_string(),
            unknown_ip: self.unknown_ip.to_string(),
            audiences: &self.audiences,
            log: Log { level: &self.log_level, format: self.log_format.to_string() },
            organizations: organizations
                .map(|entry| Organization { id: entry.id.to_string(), name: &entry.name })
                .collect(),
            applications: applications
                .map(|application| Application {
                    name: &application.name,
                    client_id: application.client_id.to_string(),
                    organization: application.organization.to_string(),
                    secret_hash: "(hidden)",
                    permissions: &application.permissions,
                })
                .collect(),
        })
    }
}
