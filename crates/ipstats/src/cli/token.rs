//! `ipstats token`: a token of the built-in authority.

use super::{PlaceArgs, output};
use crate::auth::{Authority, LOCAL_ISSUER, SigningKey, TokenVersion};
use crate::clock::Clock;
use crate::config::Config;
use anyhow::Context;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Application that the token is for, by name (the one of a first start is called `default`)
    #[arg(long, value_name = "NAME")]
    app: String,
}

/// Runs the command.
pub fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(&args.place.flags())?;
    config.establish()?;
    output::result(issue(&config, &args.app)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A token for the application called `app`, signed with the key in the data folder (made where missing), valid for
/// an hour from now. Needs no lock on the data folder: works while the service runs.
pub fn issue(config: &Config, app: &str) -> anyhow::Result<String> {
    let application = config.applications.iter().find(|application| application.name == app);
    let application = application.with_context(|| unknown(config, app))?;
    let audience = config.audiences.first().context("no audience is configured: set `audiences`")?;
    let authority = Authority::new(SigningKey::load_or_create(&config.data_dir)?, LOCAL_ISSUER);
    let token = authority.issue(application, TokenVersion::V1, audience, Clock::System.now())?;
    Ok(token.text)
}

fn unknown(config: &Config, app: &str) -> String {
    let names: Vec<_> = config.applications.iter().map(|application| application.name.as_str()).collect();
    match names.as_slice() {
        [] => format!("application {app:?} is unknown: none is configured"),
        names => format!("application {app:?} is unknown; known: {}", names.join(", ")),
    }
}
