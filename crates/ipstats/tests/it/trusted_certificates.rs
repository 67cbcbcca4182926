//! `ca_file` and `ca_only` have one meaning wherever certificates of others are checked: the file's authorities count beside
//! the system's, or alone.
//!
//! The system's are set by `SSL_CERT_FILE`, for processes of their own.

use crate::clients::serve_tls;
use crate::issued::Issued;
use crate::service::Service;
use crate::site::Site;
use reqwest::Certificate;
use reqwest::blocking::Client;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// A service with TLS, and beside its authority (`ca.crt`) one that vouches for nothing (`other.crt`).
fn served() -> (Site, Service) {
    let site = Site::new();
    fs::write(site.place.path("other.crt"), Issued::to(&["other.example.org"]).authority).unwrap();
    let service = serve_tls(&site);
    (site, service)
}

#[test]
fn command_trusts_ca_file_beside_the_system() {
    let (site, service) = served();
    let url = format!("https://{}", service.address);
    let ask = |flags: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["stats", "--server", &url, "--retry-seconds=0"], flags, &["10.0.0.1"]].concat();
        let mut command = site.asking(&arguments);
        command.env("SSL_CERT_FILE", site.place.path("ca.crt")).envs(variables.iter().copied());
        site.place.done(command.spawn().unwrap())
    };
    for (flags, variables) in
        [(&["--ca-file", "other.crt"][..], &[][..]), (&[], &[("IPSTATS_CA_FILE", "other.crt")])]
    {
        let added = ask(flags, variables);
        assert_eq!(added.code, Some(0), "{added:?}");
        let only = ask(flags, &[variables, &[("IPSTATS_CA_ONLY", "true")]].concat());
        assert!(only.code == Some(1) && only.err.contains("certificate"), "{only:?}");
    }
    let only = ask(&["--ca-file", "other.crt", "--ca-only"], &[]);
    assert!(only.code == Some(1) && only.err.contains("certificate"), "{only:?}");
    assert_eq!(ask(&["--ca-file", "ca.crt", "--ca-only"], &[]).code, Some(0));
    let nothing = ask(&["--ca-only"], &[]);
    assert!(nothing.code == Some(1) && nothing.err.contains("--ca-file"), "{nothing:?}");
}

/// A token that `service` issues.
fn issued_token(site: &Site, service: &Service) -> String {
    let authority = Certificate::from_pem(&fs::read(site.place.path("ca.crt")).unwrap()).unwrap();
    let client = Client::builder().tls_certs_only([authority]).build().unwrap();
    let form =
        format!("grant_type=client_credentials&client_id={}&client_secret={}", site.client_id, site.secret());
    let answer = client.post(format!("https://{}/contoso/oauth2/v2.0/token", service.address)).body(form);
    let answer: Value = serde_json::from_str(&answer.send().unwrap().text().unwrap()).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn issuer_is_trusted_by_ca_file_beside_the_system() {
    let (site, authority) = served();
    let token = issued_token(&site, &authority);
    let tenant = crate::cli::CONTOSO;
    for (certificates, status) in [
        ("ca_file = 'other.crt'", " 404 "),
        ("ca_file = 'other.crt'\nca_only = true", " 503 "),
        ("ca_file = 'ca.crt'\nca_only = true", " 404 "),
    ] {
        let config = format!(
            "data_dir = 'second'\n[[organizations]]\nid = '{tenant}'\nname = 'contoso'\n[[issuers]]\nname = 'first'\n\
             issuer = 'https://{}/{tenant}/v2.0'\n{certificates}\n",
            authority.address
        );
        fs::write(site.place.path("second.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipstats"));
        command.env_clear().current_dir(site.place.path("")).args(["serve", "--config", "second.toml"]);
        command.env("SSL_CERT_FILE", site.place.path("ca.crt"));
        let service = Service::start(command);
        let (head, body) = service.get("/api/ips/10.0.0.1/stats", &token);
        assert!(head.lines().next().unwrap().contains(status), "{certificates}: {head} {body}");
    }
}
