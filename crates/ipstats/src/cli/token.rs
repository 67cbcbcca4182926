//! `ipstats token`: a token of the built-in authority.

use super::{BAD_USAGE, PlaceArgs, first_start_note, output};
use crate::auth::{Authority, LOCAL_ISSUER, SigningKey, TokenVersion};
use crate::clock::Clock;
use crate::config::{Application, Config};
use anyhow::Context;
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
    output::result(issue(&config, application)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A token for `application`, signed with the key in the data folder (made where missing), valid for an hour from now.
/// Needs no lock on the data folder: works while the service runs.
pub fn issue(config: &Config, application: &Application) -> anyhow::Result<String> {
    let audience = config.audiences.first().context("no audience is configured: set `audiences`")?;
    let authority = Authority::new(SigningKey::load_or_create(&config.data_dir)?, LOCAL_ISSUER);
    let token = authority.issue(application, TokenVersion::V1, audience, Clock::System.now())?;
    Ok(token.text)
}

fn names(known: &[Application]) -> String {
    let names: Vec<_> = known.iter().map(|application| application.name.as_str()).collect();
    match names.as_slice() {
        [] => "none is configured: declare [[applications]] in the configuration".to_owned(),
        names => format!("known: {}", names.join(", ")),
    }
}
