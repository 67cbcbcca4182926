//! `ipstats token`: a token of the built-in authority.

use super::{BAD_USAGE, PlaceArgs, first_start_note, output};
use crate::auth::{Authority, LOCAL_ISSUER, SigningKey, SigningKeyError, TokenVersion};
use crate::clock::Clock;
use crate::config::{Application, Config};
use anyhow::{Context, bail};
use clap::Args;
use std::process::ExitCode;

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Application that the token is for, by name [default: the only one configured]
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// User to act for, by name: a delegated token with all delegated permissions of the application
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Runs the command.
pub fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(&args.place.flags())?;
    if let Some(first_start) = config.establish()? {
        first_start_note(&first_start);
    }
    let application = match (&args.app, config.applications.as_slice()) {
        (Some(name), known) => known
            .iter()
            .find(|application| application.name == *name)
            .with_context(|| format!("application {name:?} is unknown; {}", names(known)))?,
        (None, [only]) => only,
        (None, known) => {
            output::note(format_args!("error: name the application with --app; {}", names(known)));
            return Ok(ExitCode::from(BAD_USAGE));
        }
    };
    let token = match &args.user {
        None => issue(&config, application)?,
        Some(name) => issue_for_user(&config, application, name)?,
    };
    output::result(token)?;
    Ok(ExitCode::SUCCESS)
}

/// A token for `application`, signed with the key of `signing_key_file` or the data folder (made where missing), valid for an hour from now.
/// Needs no lock on the data folder: works while the service runs.
pub fn issue(config: &Config, application: &Application) -> anyhow::Result<String> {
    let audience = config.audiences.first().context("no audience is configured: set `audiences`")?;
    let authority = authority(config)?;
    let token = authority.issue(application, TokenVersion::V1, audience, Clock::System.now())?;
    Ok(token.text)
}

/// The authority of whoever has the configuration.
fn authority(config: &Config) -> Result<Authority, SigningKeyError> {
    let key = SigningKey::find(config.signing_key_file.as_deref(), &config.data_dir)?;
    Ok(Authority::new(key, LOCAL_ISSUER))
}

fn issue_for_user(config: &Config, application: &Application, name: &str) -> anyhow::Result<String> {
    let audience = config.audiences.first().context("no audience is configured: set `audiences`")?;
    let mut here = config.users.iter().filter(|user| user.organization == application.organization);
    let user = here.find(|user| user.is_called(name)).with_context(|| {
        format!("user {name:?} is unknown in the organization of the application: declare [[users]]")
    })?;
    let scopes = &application.delegated_permissions;
    if scopes.is_empty() {
        bail!("users cannot sign in to {:?}: give it delegated_permissions", application.name);
    }
    let authority = authority(config)?;
    let now = Clock::System.now();
    Ok(authority.issue_for_user(application, user, scopes, TokenVersion::V1, audience, now)?.text)
}

fn names(known: &[Application]) -> String {
    let names: Vec<_> = known.iter().map(|application| application.name.as_str()).collect();
    match names.as_slice() {
        [] => "none is configured: declare [[applications]] in the configuration".to_owned(),
        names => format!("known: {}", names.join(", ")),
    }
}
