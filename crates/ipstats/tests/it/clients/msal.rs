//! Microsoft's own libraries get a token from the built-in authority, unmodified but for its URL.

use super::{IP, serve_tls, site};
use crate::peer;
use crate::service::Service;
use crate::site::Site;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a driver as a client of `service`.
fn run(mut driver: Command, site: &Site, service: &Service) -> Output {
    let ca = site.place.path("ca.crt");
    driver.env("AUTHORITY", format!("https://{}/contoso", service.address));
    driver.env("CLIENT_ID", site.client_id).env("CLIENT_SECRET", site.secret());
    driver.env("SCOPE", "https://api.securitycenter.microsoft.com/.default");
    driver.env("REQUESTS_CA_BUNDLE", &ca).env("NODE_EXTRA_CA_CERTS", &ca);
    driver.output().unwrap()
}

fn printed(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A token that a library got answers a question.
fn check(site: &Site, service: &Service, token: &str) {
    let url = format!("https://{}", service.address);
    let mut command = site.asking(&["stats", "--server", &url, "--ca-file", "ca.crt", "--format", "csv", IP]);
    let done = site.place.done(command.env("IPSTATS_TOKEN", token).spawn().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains(&format!("{IP},2,2017-08-29T09:00:00Z,")), "{done:?}");
}

fn python(place: &Path) -> Command {
    let mut command = Command::new(place.join("venv/bin/python"));
    command.arg(place.join("get_token.py"));
    command
}

#[test]
#[ignore = "needs .ci/peers/msal.sh"]
fn msal_for_python_gets_a_token() {
    let place = peer::installed("msal", "get_token.py");
    let site = site();
    let service = serve_tls(&site);
    let printed = printed(&run(python(&place), &site, &service));
    let answer = &printed["answer"];
    assert_eq!(answer["token_source"], "identity_provider", "{printed}");
    assert_eq!(answer["expires_in"], 3599, "{printed}");
    assert_eq!(printed["cached"], true, "the second one is of its cache: {printed}");
    check(&site, &service, answer["access_token"].as_str().unwrap());
}

#[test]
#[ignore = "needs .ci/peers/msal.sh"]
fn msal_for_python_says_what_is_wrong() {
    let place = peer::installed("msal", "get_token.py");
    let site = site();
    let service = serve_tls(&site);
    let mut driver = python(&place);
    driver.arg("wrong-secret");
    let printed = printed(&run(driver, &site, &service));
    assert_eq!(printed["answer"]["error"], "invalid_client", "{printed}");
    assert_eq!(printed["cached"], false, "{printed}");
}

#[test]
#[ignore = "needs .ci/peers/msal.sh"]
fn msal_for_node_gets_a_token() {
    let place = peer::installed("msal", "get_token.mjs");
    let site = site();
    let service = serve_tls(&site);
    let mut driver = Command::new("node");
    driver.arg(place.join("get_token.mjs"));
    let printed = printed(&run(driver, &site, &service));
    assert_eq!(printed["cached"], true, "the second one is of its cache: {printed}");
    check(&site, &service, printed["token"].as_str().unwrap());
}
