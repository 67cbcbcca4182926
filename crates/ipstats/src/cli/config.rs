//! `ipstats config`: check or show the configuration.

use super::{PlaceArgs, output};
use crate::auth::SigningKey;
use crate::config::{AuditDestination, Config, SharedLimits};
use crate::http::Identity;
use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the configuration and report everything that is wrong with it
    Check(PlaceArgs),
    /// Show the effective configuration, secrets masked
    Show(PlaceArgs),
}

/// Runs the command.
pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let (Action::Check(place) | Action::Show(place)) = &args.action;
    let config = Config::load(&place.flags())?;
    for warning in &config.warnings {
        output::note(format_args!("warning: {warning}"));
    }
    match &args.action {
        Action::Check(_) => {
            check_files(&config)?;
            output::result(summary(&config))?;
        }
        Action::Show(_) => {
            output::result(config.show().context("the configuration cannot be shown")?.trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a start would need beside the configuration itself.
fn check_files(config: &Config) -> anyhow::Result<()> {
    if let Some(files) = &config.tls {
        Identity::load(files)?;
    }
    if let Some(AuditDestination::File(path)) = &config.audit_log {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        ensure!(folder.is_dir(), "audit_log: there is no folder {}", folder.display());
    }
    if let Some(file) = &config.signing_key_file {
        SigningKey::load(file)?;
    }
    if let Some(shared) = &config.rate_limits_shared {
        check_shared(shared)?;
    }
    Ok(())
}

fn check_shared(shared: &SharedLimits) -> anyhow::Result<()> {
    if let Some(password) = &shared.password {
        password.read().context("rate_limits_shared.password_file")?;
    }
    if let Some(file) = &shared.ca_file {
        fs::read(file).with_context(|| format!("rate_limits_shared.ca_file: {}", file.display()))?;
    }
    Ok(())
}

fn summary(config: &Config) -> String {
    let counts = [
        (config.organizations.len(), "organization"),
        (config.applications.len(), "application"),
        (config.users.len(), "user"),
        (config.roles.len(), "role"),
        (config.issuers.len(), "issuer"),
        (config.ingest_sources.len(), "ingest key"),
        (config.sources.len(), "source"),
    ];
    let told = counts.map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }));
    format!("the configuration is fine: {}", told.join(", "))
}
