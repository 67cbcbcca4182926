//! Who asks: credentials, tokens, profiles, and where secrets may go.

use super::scripted::Scripted;
use super::{about, command, error, run, with_tokens};
use crate::cli::Place;
use crate::clients::serve_tls;
use crate::site::Site;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

#[test]
fn a_token_that_is_refused_is_replaced_once() {
    let server = with_tokens(3599, |request| {
        if request.headers.contains("bearer token-2") {
            about(request, 1)
        } else {
            error(401, "", "Unauthorized")
        }
    });
    let ips = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
    let done = run(&Place::new(), &[&["stats", "--json", "--server", &server.url], &ips[..]].concat(), &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(server.count("POST "), 2, "and by one of all that were refused");

    let server = with_tokens(3599, |_| error(401, "", "Unauthorized"));
    let done = run(&Place::new(), &["stats", "--server", &server.url, "10.0.0.1"], &[]);
    assert_eq!(done.code, Some(1));
    assert_eq!((server.count("POST "), server.count("GET ")), (2, 2), "then it is given up");
    assert!(done.err.contains("no statistics") && done.err.contains("401"), "{done:?}");
}

#[test]
fn a_token_is_replaced_before_it_expires() {
    let server = with_tokens(1, |request| {
        thread::sleep(Duration::from_millis(600));
        about(request, 1)
    });
    let arguments = ["stats", "--server", &server.url, "--parallel", "1", "10.0.0.1", "10.0.0.2", "10.0.0.3"];
    assert_eq!(run(&Place::new(), &arguments, &[]).code, Some(0));
    assert_eq!(server.count("POST "), 3, "half of a second is what is used of it");
}

#[test]
fn tokens_come_from_elsewhere_where_that_is_said() {
    let authority = Scripted::new(|_| {
        let body = r#"{"token_type":"Bearer","expires_in":"3599","access_token":"from-elsewhere"}"#;
        (200, String::new(), body.to_owned())
    });
    let server = Scripted::new(|request| {
        if request.headers.contains("bearer from-elsewhere") {
            about(request, 1)
        } else {
            error(401, "", "Unauthorized")
        }
    });
    let default = "https://api.securitycenter.microsoft.com";
    for (path, variable, field, value) in [
        ("/t/oauth2/v2.0/token", None, "scope", Some(format!("{default}/.default"))),
        ("/t/oauth2/token", None, "resource", Some(default.to_owned())),
        ("/t/oauth2/token", Some(("IPSTATS_RESOURCE", "urn:api")), "resource", Some("urn:api".to_owned())),
        ("/realms/r/protocol/openid-connect/token", None, "scope", None),
        (
            "/realms/r/protocol/openid-connect/token",
            Some(("IPSTATS_SCOPE", "ips")),
            "scope",
            Some("ips".to_owned()),
        ),
    ] {
        let token_url = format!("{}{path}", authority.url);
        let variables: Vec<_> =
            [("IPSTATS_TOKEN_URL", token_url.as_str())].into_iter().chain(variable).collect();
        let done = run(&Place::new(), &["stats", "--server", &server.url, "10.0.0.1"], &variables);
        assert_eq!(done.code, Some(0), "{done:?}");
        let asked = authority.asked().pop().unwrap();
        assert_eq!((asked.line.as_str(), asked.field(field)), (&*format!("POST {path} HTTP/1.1"), value));
        assert_eq!(asked.field("client_secret").as_deref(), Some("the-client-secret"));
    }
}

#[test]
fn a_ready_token_is_used_as_it_is() {
    let server = Scripted::new(|request| {
        if request.headers.contains("bearer ready") {
            about(request, 1)
        } else {
            error(401, "", "Unauthorized")
        }
    });
    let place = Place::new();
    let file = place.file("token", "ready\n");
    let ask = ["stats", "--server", &server.url, "10.0.0.1"];
    assert_eq!(run(&place, &ask, &[("IPSTATS_TOKEN", "ready")]).code, Some(0));
    assert_eq!(run(&place, &ask, &[("IPSTATS_TOKEN_FILE", &file)]).code, Some(0));
    assert_eq!(
        run(&place, &[&ask[..], &["--token-file", &file]].concat(), &[("IPSTATS_TOKEN", "stale")]).code,
        Some(0)
    );
    assert_eq!(server.count("POST "), 0);

    let stale = run(&place, &ask, &[("IPSTATS_TOKEN", "stale-token")]);
    assert_eq!(stale.code, Some(1));
    assert!(stale.err.contains("still valid") && !stale.err.contains("stale-token"), "{stale:?}");
    let missing = run(&place, &[&ask[..], &["--token-file", "nowhere"]].concat(), &[]);
    assert!(missing.err.contains("token file nowhere"), "{missing:?}");
}

#[test]
fn secrets_do_not_follow_redirects() {
    let other = Scripted::new(|request| about(request, 1));
    let location = format!("Location: {}/elsewhere\r\n", other.url);
    let server = Scripted::new(move |_| (307, location.clone(), String::new()));
    let place = Place::new();
    let done = run(&place, &["stats", "--server", &server.url, "10.0.0.1"], &[]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("redirects to") && done.err.contains(&other.url), "{done:?}");
    let done = run(&place, &["stats", "--server", &server.url, "10.0.0.1"], &[("IPSTATS_TOKEN", "ready")]);
    assert!(done.err.contains("redirects to"), "{done:?}");
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn secrets_do_not_leave_the_machine_in_clear() {
    let place = Place::new();
    let clear = run(&place, &["stats", "--server", "http://ipstats.invalid", "10.0.0.1"], &[]);
    assert_eq!(clear.code, Some(1));
    assert!(clear.err.contains("not encrypted") && clear.err.contains("--plain-http"), "{clear:?}");
    let variables = [("IPSTATS_TOKEN_URL", "http://login.invalid/t/oauth2/v2.0/token")];
    let clear = run(&place, &["stats", "--server", "https://ipstats.invalid", "10.0.0.1"], &variables);
    assert!(clear.err.contains("login.invalid/t/oauth2/v2.0/token is not encrypted"), "{clear:?}");
    let arguments =
        ["stats", "--server", "http://ipstats.invalid", "--plain-http", "--retry-seconds=0", "10.0.0.1"];
    let told = run(&place, &arguments, &[]);
    assert!(told.err.contains("cannot be reached"), "{told:?}");
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::new();
    let ask = |without: &[&str]| {
        let mut command = command(&place, &["stats", "--server", "https://ipstats.invalid", "10.0.0.1"], &[]);
        for name in without {
            command.env_remove(name);
        }
        place.done(command.spawn().unwrap()).err
    };
    let (tenant, id, secret) = ("IPSTATS_TENANT", "IPSTATS_CLIENT_ID", "IPSTATS_CLIENT_SECRET");
    assert!(ask(&[tenant]).contains("set IPSTATS_TENANT"));
    assert!(ask(&[id]).contains("set IPSTATS_CLIENT_ID"));
    assert!(ask(&[secret]).contains("set IPSTATS_CLIENT_SECRET"));
    let nothing = ask(&[tenant, id, secret]);
    assert!(["IPSTATS_TOKEN", "--profile", id].iter().all(|way| nothing.contains(way)), "{nothing}");
}

#[test]
fn a_profile_says_which_service_and_who_asks() {
    let server = with_tokens(3599, |request| about(request, 1));
    let place = Place::new();
    let profile = format!(
        "[[profiles]]\nname = 'other'\nserver = 'https://other.invalid'\n\n[[profiles]]\nname = 'soc'\nserver = '{}'\n\
         tenant = 'contoso'\nclient_id = 'an-id'\nclient_secret = 'of-the-profile'\n",
        server.url
    );
    let file = place.file("profiles.toml", profile);
    let ask = |name: &str, variables: &[(&str, &str)]| {
        let mut command = place.command(["stats", "--profile", name, "10.0.0.1"]);
        command.env("IPSTATS_PROFILES", &file).envs(variables.iter().copied());
        place.done(command.spawn().unwrap())
    };
    let mode = |mode| fs::set_permissions(place.path(&file), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    let open = ask("soc", &[]);
    assert_eq!(open.code, Some(1));
    assert!(open.err.contains("chmod 600 profiles.toml") && server.asked().is_empty(), "{open:?}");
    mode(0o600);
    assert_eq!(ask("soc", &[]).code, Some(0));
    assert_eq!(server.asked().first().unwrap().field("client_secret").as_deref(), Some("of-the-profile"));
    assert_eq!(ask("soc", &[("IPSTATS_CLIENT_SECRET", "of-the-environment")]).code, Some(0));
    let asked: Vec<_> = server.asked().iter().filter_map(|request| request.field("client_secret")).collect();
    assert_eq!(asked, ["of-the-profile", "of-the-environment"]);
    let unknown = ask("sock", &[]);
    assert!(unknown.err.contains("no profile \"sock\"; known: other, soc"), "{unknown:?}");

    place.file(&file, "[[profiles]]\nname = 'soc'\nserver = 'ipstats'\nclient = 'an-id'\n");
    let wrong = ask("soc", &[]);
    assert!(
        wrong.err.contains("profiles.toml:3:10: ") && wrong.err.contains("unknown key profiles[0].client"),
        "{wrong:?}"
    );
}

#[test]
fn a_profile_is_looked_for_where_this_user_keeps_settings() {
    let server = with_tokens(3599, |request| about(request, 1));
    let place = Place::new();
    let folder = place.path("home/.config/ipstats");
    fs::create_dir_all(&folder).unwrap();
    let profile = format!("[[profiles]]\nname = 'soc'\nserver = '{}'\ntoken_file = 'token'\n", server.url);
    fs::write(folder.join("token"), "ready").unwrap();
    fs::write(folder.join("profiles.toml"), profile).unwrap();
    fs::set_permissions(folder.join("profiles.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = place.command(["stats", "--profile", "soc", "10.0.0.1"]);
    command.env_remove("XDG_CONFIG_HOME").env("HOME", place.path("home"));
    let done = place.done(command.spawn().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(server.asked().first().unwrap().headers.contains("bearer ready"));
}

#[test]
fn a_certificate_has_to_be_trusted() {
    let site = Site::new();
    let service = serve_tls(&site);
    let url = format!("https://{}", service.address);
    let trusting = site.ask(&["stats", "--server", &url, "--ca-file", "ca.crt", "--json", "10.0.0.1"]);
    assert_eq!(trusting.code, Some(0), "{trusting:?}");
    let wary = site.ask(&["stats", "--server", &url, "10.0.0.1"]);
    assert_eq!(wary.code, Some(1));
    assert!(wary.err.contains("certificate") && wary.err.contains("--ca-file"), "{wary:?}");
    assert!(!wary.err.contains("waiting"), "it will not be trusted in a minute either: {wary:?}");
    let clear = site.ask(&[
        "stats",
        "--server",
        &format!("http://{}", service.address),
        "--retry-seconds=0",
        "10.0.0.1",
    ]);
    assert_eq!(clear.code, Some(1), "{clear:?}");

    let no_pem = site.place.file("no.pem", "hello");
    for (file, why) in [("nowhere", "No such file"), (no_pem.as_str(), "no certificate in it")] {
        let done = site.ask(&["stats", "--server", &url, "--ca-file", file, "10.0.0.1"]);
        assert!(done.err.contains(&format!("certificates {file}: ")) && done.err.contains(why), "{done:?}");
    }
}

#[test]
fn a_token_of_the_data_folder_asks_the_service_that_has_it() {
    let site = Site::new();
    let service = site.serve();
    let token = site.place.run(&["token"]).out.trim().to_owned();
    let mut command =
        site.place.command(["stats", "--server", &format!("http://{}", service.address), "10.0.0.1"]);
    let done = site.place.done(command.env("IPSTATS_TOKEN", token).spawn().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
}
