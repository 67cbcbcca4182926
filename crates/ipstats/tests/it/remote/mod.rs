//! `--server`: commands that ask a service, against the real one and against servers that misbehave.

mod access;
mod import;
mod outages;
pub(crate) mod scripted;
mod stats;

use crate::cli::{Done, Place};
use scripted::{Request, Scripted};
use std::process::Command;

/// What the environment of an asking command holds.
const CLIENT: [(&str, &str); 3] = [
    ("IPSTATS_TENANT", "contoso"),
    ("IPSTATS_CLIENT_ID", "aaaaaaaa-0000-4000-8000-000000000001"),
    ("IPSTATS_CLIENT_SECRET", "the-client-secret"),
];

/// `ipstats …`, asking as [`CLIENT`] unless `variables` say otherwise.
fn command(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = place.command(arguments);
    command.envs(CLIENT).envs(variables.iter().copied());
    command
}

fn run(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    let done = place.done(command(place, arguments, variables).spawn().unwrap());
    assert!(!done.err.contains("the-client-secret"), "secrets are never told: {done:?}");
    done
}

/// Tokens `token-1`, `token-2`, … and whatever `script` says about the rest.
fn with_tokens(
    expires_in: u64,
    script: impl Fn(&Request) -> (u16, String, String) + Send + Sync + 'static,
) -> Scripted {
    let issued = std::sync::atomic::AtomicU64::new(0);
    Scripted::new(move |request| {
        if !request.line.starts_with("POST /contoso/oauth2/v2.0/token ") {
            return script(request);
        }
        let number = issued.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        let token =
            format!(r#"{{"token_type":"Bearer","expires_in":{expires_in},"access_token":"token-{number}"}}"#);
        (200, String::new(), token)
    })
}

/// An answer about the IP in the path of `request`, contacted by `devices`.
fn about(request: &Request, devices: u64) -> (u16, String, String) {
    let ip = request.line.split('/').nth(3).unwrap();
    let body = format!(
        r#"{{"@odata.context":"c","ipAddress":"{ip}","orgPrevalence":"{devices}","organizationPrevalence":{devices},"orgFirstSeen":"2017-08-28T09:00:00Z","orgLastSeen":"2017-08-29T13:32:59Z"}}"#
    );
    (200, String::new(), body)
}

/// An error of the API.
fn error(status: u16, headers: &str, code: &str) -> (u16, String, String) {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"it is said why","target":"t"}}}}"#);
    (status, headers.to_owned(), body)
}
