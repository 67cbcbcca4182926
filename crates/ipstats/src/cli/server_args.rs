//! The flags of commands that ask a service instead of a data folder.

use super::output;
use crate::client::{Courier, Listener};
use crate::config::{ServerAccess, ServerFlags, ServerUrl};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Longest outage that can be asked to be ridden out: a day.
const RETRY_SECONDS_MAX: u64 = 24 * 3600;

/// What flags about the service stand below in `--help`.
pub(super) const SERVER_HEADING: &str = "Instead of a data folder, a service";

/// The service to ask.
#[derive(Debug, Args)]
#[command(next_help_heading = SERVER_HEADING)]
pub(super) struct ServerArgs {
    /// URL of the service; who asks is in the environment (docs/cli.md lists the variables)
    #[arg(long, value_name = "URL", group = "remote", conflicts_with_all = LOCAL)]
    server: Option<ServerUrl>,
    /// Profile that says which service and who asks [in: ~/.config/ipstats/profiles.toml, env: IPSTATS_PROFILES]
    #[arg(long, value_name = "NAME", group = "remote", conflicts_with_all = LOCAL)]
    profile: Option<String>,
    /// Certificates to trust beside the system's, in PEM [env: IPSTATS_CA_FILE]
    #[arg(long, value_name = "FILE", requires = "remote")]
    ca_file: Option<PathBuf>,
    /// Trust only the certificates of --ca-file, not the system's [env: IPSTATS_CA_ONLY]
    #[arg(long, requires = "remote")]
    ca_only: bool,
    /// Send secrets over http:// to another machine: the network between is trusted
    #[arg(long, requires = "remote")]
    plain_http: bool,
    /// How long an outage of the service may last before it is given up
    #[arg(long, value_name = "N", requires = "remote", default_value = "60",
          value_parser = clap::value_parser!(u64).range(..=RETRY_SECONDS_MAX))]
    retry_seconds: u64,
}

/// What has no meaning where a service is asked: its own configuration says these.
const LOCAL: [&str; 4] = ["organization", "config", "data_dir", "as_of"];

impl ServerArgs {
    /// Whether a service is to be asked.
    pub(super) fn is_asked(&self) -> bool {
        self.server.is_some() || self.profile.is_some()
    }

    /// The service, and who asks. `token_file` comes before what the environment and the profile say.
    pub(super) fn access(&self, token_file: Option<PathBuf>) -> anyhow::Result<ServerAccess> {
        Ok(ServerAccess::load(&ServerFlags {
            server: self.server.clone(),
            profile: self.profile.clone(),
            token_file,
            ca_file: self.ca_file.clone(),
            ca_only: self.ca_only,
            plain_http: self.plain_http,
        })?)
    }

    /// What carries requests there. While it waits, `listener` is told why.
    pub(super) fn courier(&self, access: &ServerAccess, listener: Listener) -> anyhow::Result<Courier> {
        let retry_for = Duration::from_secs(self.retry_seconds);
        Ok(Courier::new(access, retry_for, listener)?)
    }
}

/// Tells on standard error why nothing happens, without disturbing `bar`.
pub(super) fn telling(bar: indicatif::ProgressBar) -> Listener {
    Box::new(move |why| bar.suspend(|| output::note(format_args!("note: {why}"))))
}
