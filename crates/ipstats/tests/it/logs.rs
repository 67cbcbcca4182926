//! Secrets never get into the log: not at its loudest, whatever is sent where.

use crate::cli::{CONTOSO, Place};
use crate::service::Service;
use crate::site::status;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ipstats::secret::Secret;
use serde_json::Value;
use std::fs;

const READER: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const NOTEBOOK: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const PASSWORD: &str = "correct-horse-battery-staple";
const AUDIENCE: &str = "https://api.securitycenter.microsoft.com";

fn place(secret: &Secret) -> Place {
    let place = Place::new();
    let done = place.run_with_input(&["secret", "--password"], format!("{PASSWORD}\n").as_bytes());
    let password_hash = done.out.trim().strip_prefix("password_hash").unwrap().trim().to_owned();
    let settings = format!(
        "[log]\nlevel = 'trace'\n[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n\
         [[applications]]\nname = 'reader'\nclient_id = '{READER}'\norganization = 'contoso'\n\
         secret_hash = '{}'\npermissions = ['Ip.Read.All']\n\
         [[applications]]\nname = 'notebook'\nclient_id = '{NOTEBOOK}'\norganization = 'contoso'\n\
         public_client = true\ndelegated_permissions = ['Ip.Read.All']\n\
         [[users]]\nname = 'ana'\noid = 'dddddddd-0000-4000-8000-000000000001'\norganization = 'contoso'\n\
         password_hash = '{password_hash}'\ngroups = ['soc']\n\
         [[roles]]\nname = 'SOC'\norganization = 'contoso'\npermissions = ['View Data']\ngroups = ['soc']\n",
        secret.hash().unwrap().as_str()
    );
    fs::write(place.path("ipstats.toml"), settings).unwrap();
    place
}

fn post(service: &Service, path: &str, headers: &str, form: &str) -> (u16, String) {
    let length = form.len();
    let (head, body) = service.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{form}"
    ));
    (status(&head), body)
}

fn token((_, body): &(u16, String)) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body["access_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

#[test]
fn secrets_passwords_and_tokens_are_not_logged_at_any_level() {
    let secret = Secret::generate().unwrap();
    let place = place(&secret);
    let printed = place.run(&["token", "--app", "notebook", "--user", "Ana"]).out.trim().to_owned();
    let service = Service::start(place.command(["serve"]));
    let path = format!("/{CONTOSO}/oauth2/v2.0/token");
    let (shown, scope) = (secret.reveal(), format!("scope={AUDIENCE}/.default"));
    let basic = BASE64_STANDARD.encode(format!("{READER}:{shown}"));
    let of_application =
        format!("grant_type=client_credentials&client_id={READER}&client_secret={shown}&{scope}");
    let of_user =
        format!("grant_type=password&client_id={NOTEBOOK}&username=ana&password={PASSWORD}&{scope}");
    let tokens = [
        token(&post(&service, &path, "", &of_application)),
        token(&post(
            &service,
            &path,
            &format!("Authorization: Basic {basic}\r\n"),
            &format!("grant_type=client_credentials&{scope}"),
        )),
        token(&post(&service, &path, "", &of_user)),
        printed,
    ];
    for token in &tokens {
        assert_eq!(status(&service.get("/api/ips/1.2.3.4/stats", token).0), 404, "it is good");
        // In places where it does not belong.
        service.get(&format!("/api/ips/1.2.3.4/stats?access_token={token}"), "x");
        service.get("/api/ips/1.2.3.4/stats", &format!("{token}x"));
        service.get("/api/ips/1.2.3.4/stats", &format!("{token} {token}"));
    }
    for form in [
        of_application.replace(AUDIENCE, "https://graph.microsoft.com"),
        of_application.replace(READER, NOTEBOOK),
        of_user.replace("ana", "nobody"),
        of_user.replace(AUDIENCE, "https://graph.microsoft.com"),
        of_user.replace(NOTEBOOK, READER),
        format!("{of_application}&client_secret={shown}"),
    ] {
        assert!(post(&service, &path, "", &form).0 >= 400, "{form}");
    }
    post(&service, &format!("{path}?{of_application}&{of_user}"), "", "");
    post(
        &service,
        &path,
        &format!("Authorization: Basic {basic}\r\nAuthorization: Bearer {}\r\n", tokens[0]),
        &of_user,
    );

    let log = String::from_utf8(service.stop().stderr).unwrap();
    assert!(log.contains("invalid_grant"), "there is a log, and what was refused is in it: {log}");
    let parts = tokens.iter().flat_map(|token| token.split('.'));
    for hidden in parts.chain([shown, PASSWORD, basic.as_str(), "argon2id"]) {
        assert!(!log.contains(hidden), "{hidden} is in the log: {log}");
    }
}

#[test]
fn a_password_is_hashed_from_standard_input_only_and_has_a_shortest_length() {
    let place = Place::new();
    let done = place.run_with_input(&["secret", "--password"], b"short\n");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("8 characters or more"), "{done:?}");
    let done = place.run_with_input(&["secret", "--password"], format!("{PASSWORD}\r\n").as_bytes());
    let hash = done.out.trim().strip_prefix("password_hash").unwrap().trim().to_owned();
    let hash: ipstats::secret::SecretHash = hash.parse().unwrap();
    assert!(hash.verify(&Secret::from(PASSWORD.to_owned())), "without the end of the line");
    assert_eq!(place.run(&["secret", "--password", "--ingest-key"]).code, Some(2));
}

#[test]
fn a_token_of_a_user_takes_a_user_and_an_application_that_users_may_sign_in_to() {
    let place = place(&Secret::generate().unwrap());
    for (arguments, expected) in [
        (&["token", "--app", "notebook", "--user", "nobody"][..], "user \"nobody\" is unknown"),
        (&["token", "--app", "reader", "--user", "ana"][..], "give it delegated_permissions"),
    ] {
        let done = place.run(arguments);
        assert!(done.code == Some(1) && done.err.contains(expected), "{done:?}");
    }
}
