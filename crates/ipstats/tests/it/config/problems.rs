//! What is wrong with a file is said at once, each problem with its place.

use super::{CONTOSO, Place};
use ipstats::config::{Config, Environment, Flags, StoreBackend};

#[test]
fn all_problems_are_reported_at_once_each_with_its_place() {
    let place = Place::with(&format!(
        "\
lisen = '127.0.0.1:1'
listen = 8080
memory = 'lots'
audiences = ['a', 7]

[[organizations]]
id = '{CONTOSO}'
name = 'contoso'

[[organizations]]
id = '{CONTOSO}'
color = 'red'

[[applications]]
name = 'soar'
client_id = 'soar'
organization = 'fabrikam'
secret_hash = 'hunter2'
"
    ));
    let problems = place.problems(&[("IPSTATS_LOG_LEVEL", "very=loud=x"), ("IPSTATS_UNKNOWN_IP", "404")]);
    let expected = [
        "ipstats.toml:1:1: unknown key lisen",
        "ipstats.toml:2:10: listen: expected a string, found integer: invalid socket address syntax",
        "ipstats.toml:3:10: memory: \"lots\" is not a size such as 512 MiB or 2 GiB",
        "ipstats.toml:4:19: audiences: expected a string, found integer: write it in quotes",
        "ipstats.toml:10:1: organizations[1].name is missing",
        "ipstats.toml:11:6: organizations[1].id: already used above; it must be unique",
        "ipstats.toml:12:1: unknown key organizations[1].color (known here: id, name)",
        "ipstats.toml:16:13: applications[0].client_id: \"soar\" is not a client id (a GUID such as \
         9c6cf3a1-2f6b-4d0e-8b8a-51c1a5c1f0aa)",
        &format!(
            "ipstats.toml:17:16: applications[0].organization: organization \"fabrikam\" is not configured; known: \
             contoso = {CONTOSO}"
        ),
        "ipstats.toml:18:15: applications[0].secret_hash: this is not an argon2id hash (make one with `ipstats secret`)",
        "IPSTATS_UNKNOWN_IP: \"404\" is not one of not_found, zero",
        "IPSTATS_LOG_LEVEL: \"very=loud=x\" is not a log level (error, warn, info, debug, trace) or a filter such as \
         ipstats=debug",
    ];
    assert!(problems[0].contains("lisen (known here: applications, audiences, "), "{}", problems[0]);
    assert!(problems[0].starts_with(expected[0]), "{}", problems[0]);
    for (problem, expected) in problems.iter().zip(expected).skip(1) {
        assert_eq!(problem, expected);
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn every_syntax_error_has_its_place() {
    let problems = Place::with("listen = \n[log\nlevel = 'info'\n").problems(&[]);
    assert!(problems.len() >= 2, "{problems:?}");
    assert!(problems[0].starts_with("ipstats.toml:1:"), "{problems:?}");
    assert!(problems[1].starts_with("ipstats.toml:2:"), "{problems:?}");
}

#[test]
fn a_missing_file_is_named() {
    let flags = Flags { config: Some("/nowhere/ipstats.toml".into()), ..Flags::default() };
    let error = Config::load_in(&flags, &Environment::default()).unwrap_err().to_string();
    assert!(error.contains("/nowhere/ipstats.toml"), "{error}");
}

#[test]
fn values_that_nobody_can_mean_are_refused() {
    let problems =
        Place::with("audiences = []\npublic_urls = []\nmemory = '63 MiB'\n[log]\nlevel = 'verbose'\n")
            .problems(&[]);
    let expected = [
        "ipstats.toml:1:13: audiences: the list is empty; leave it out for the default",
        "ipstats.toml:2:15: public_urls: the list is empty; leave it out for the default",
        "ipstats.toml:3:10: memory: \"63 MiB\" is not enough for the store: give it 64 MiB or more",
        "ipstats.toml:5:9: log.level: \"verbose\" is not a log level (error, warn, info, debug, trace) or a filter such \
         as ipstats=debug",
    ];
    assert_eq!(problems, expected);
    let config =
        Config::load_in(&Place::with("memory = '1000000 GiB'").flags(), &Environment::default()).unwrap();
    assert!(config.warnings[0].contains("more than this machine has"), "{:?}", config.warnings);
}

#[test]
fn every_bad_element_of_a_list_is_reported_with_its_value() {
    let place = Place::with("public_urls = ['a', 'https://good.example', 'b', 7]");
    let problems = place.problems(&[("IPSTATS_PUBLIC_URLS", "c,https://good.example,d")]);
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems[0].starts_with("ipstats.toml:1:16: public_urls: \"a\" is not a URL"), "{problems:?}");
    assert!(problems[1].starts_with("ipstats.toml:1:45: public_urls: \"b\" is not a URL"), "{problems:?}");
    assert!(
        problems[3].contains("\"c\" is not a URL") && problems[3].contains("\"d\" is not a URL"),
        "{problems:?}"
    );
}

#[test]
fn rate_limits_have_the_defaults_of_defenders_api_and_can_be_turned_off() {
    let limits = |text: &str| {
        let config = Config::load_in(&Place::with(text).flags(), &Environment::default()).unwrap();
        config.rate_limits.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(limits(""), ["100 per 00:01:00", "1500 per 01:00:00"]);
    assert_eq!(limits("rate_limits = ['5 per 00:00:10']"), ["5 per 00:00:10"]);
    assert!(limits("rate_limits = ['off']").is_empty());
    for (text, problem) in [
        ("[]", "the list is empty"),
        ("['off', '1 per 00:00:01']", "\"off\" stands alone"),
        ("['1 per 00:00:01', '2 per 00:00:01']", "several limits for the span of \"1 per 00:00:01\""),
        ("['1 per 00:00:01', '1 per 00:00:02', '1 per 00:00:03', '1 per 00:00:04']", "4 limits are too many"),
        ("['100 a minute']", "\"100 a minute\" is not a limit such as 100 per 00:01:00"),
    ] {
        let problems = Place::with(&format!("rate_limits = {text}")).problems(&[]).join("\n");
        assert!(problems.contains("ipstats.toml:1:") && problems.contains(problem), "{problems}");
    }
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    let secret = "hunter2";
    let url = |scheme: &str| format!("{scheme}://me:{secret}@host.example/");
    for text in [
        format!("[store]\nbackend = 'clickhouse'\nurls = ['{}']", url("https")),
        format!("[rate_limits_shared]\nurl = '{}'\nreplicas = 3", url("rediss")),
        format!("public_urls = ['{}']", url("https")),
        format!("[[issuers]]\nname = 'x'\nissuer = '{}'\nkind = 'rfc9068'", url("https")),
        format!("[[issuers]]\nname = 'x'\nissuer = 'https://x/'\njwks_url = '{}'", url("https")),
    ] {
        let problems = Place::with(&text).problems(&[]).join("\n");
        assert!(!problems.contains(secret), "{problems}");
    }
    let problems =
        Place::with("[store]\nbackend = 'clickhouse'").problems(&[("IPSTATS_STORE_URLS", &url("https"))]);
    let problem = problems.last().unwrap();
    assert!(
        problem.starts_with("IPSTATS_STORE_URLS: \"https://(hidden)@host.example/\" is not a URL"),
        "{problems:?}"
    );
}

#[test]
fn numbers_need_no_quotes() {
    let store =
        "[store]\nbackend = 'clickhouse'\nurls = ['https://ch:8443']\ncluster = 'main'\nreplicated = true\n";
    let limits = "[rate_limits_shared]\nurl = 'rediss://redis'\n";
    for (replicas, insert_quorum, expected) in
        [("3", "1", (3, 1)), ("'3'", "'1'", (3, 1)), ("0x10", "0b11", (16, 3))]
    {
        let text = format!("{store}insert_quorum = {insert_quorum}\n{limits}replicas = {replicas}\n");
        let config = Config::load_in(&Place::with(&text).flags(), &Environment::default()).unwrap();
        let StoreBackend::ClickHouse(access) = &config.store else { panic!("{:?}", config.store) };
        let shared = config.rate_limits_shared.as_ref().unwrap();
        assert_eq!((shared.replicas.get(), access.insert_quorum), expected);
        let shown = config.show().unwrap();
        assert!(shown.contains(&format!("replicas = {}\n", expected.0)), "{shown}");
        assert!(shown.contains(&format!("insert_quorum = {}\n", expected.1)), "{shown}");
    }
    let variables = [("IPSTATS_RATE_LIMITS_SHARED_REPLICAS", " 7 "), ("IPSTATS_STORE_INSERT_QUORUM", "3")];
    let text = format!("{store}insert_quorum = 1\n{limits}replicas = 2\n");
    let environment =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let config = Config::load_in(&Place::with(&text).flags(), &environment).unwrap();
    assert_eq!(config.rate_limits_shared.unwrap().replicas.get(), 7);

    for (value, expected) in [
        ("0", ": rate_limits_shared.replicas: \"0\" is not a whole number of replicas from 1 to 1000"),
        ("-1", "\"-1\" is not a whole number"),
        ("3.5", "expected a whole number, found float"),
        ("true", "expected a whole number, found boolean"),
        ("'three'", "\"three\" is not a whole number"),
        ("99999999999999999999999", "is not a whole number"),
    ] {
        let problems = Place::with(&format!("{limits}replicas = {value}\n")).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}, not {expected}");
    }
}

#[test]
fn values_of_wrong_type_are_explained() {
    for (text, expected) in [
        ("insecure_listen = 'true'", "insecure_listen: expected true or false without quotes, found string"),
        ("memory = 512", "memory: expected a string, found integer: \"512\" is not a size such as 512 MiB"),
        ("data_dir = 5", "data_dir: expected a string, found integer: write it in quotes"),
        ("unknown_ip = true", "expected a string, found boolean: \"true\" is not one of not_found, zero"),
        ("rate_limits = [100]", "rate_limits: expected a string, found integer: "),
    ] {
        let problems = Place::with(text).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}, not {expected}");
    }
}

#[test]
fn ca_only_needs_a_ca_file() {
    let organization = "[[organizations]]\nid = '11111111-1111-4111-8111-111111111111'\nname = 'contoso'\n";
    let issuer = "[[issuers]]\nname = 'idp'\nissuer = 'https://idp/v2.0'\nkind = 'rfc9068'\norganization = 'contoso'\n";
    for (table, place) in [
        ("[store]\nbackend = 'clickhouse'\nurls = ['https://ch']\n".to_owned(), "store."),
        ("[rate_limits_shared]\nurl = 'rediss://redis'\nreplicas = 1\n".to_owned(), "rate_limits_shared."),
        (format!("{organization}{issuer}"), "issuers[0]."),
    ] {
        let problems = Place::with(&format!("{table}ca_only = true\n")).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(&format!("{place}ca_only: names no certificates")), "{problems:?}");
        let place = Place::with(&format!("{table}ca_file = 'ca.pem'\nca_only = true\n"));
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["ca".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(place.flags().config.unwrap().with_file_name("ca.pem"), own.pem()).unwrap();
        let shown = Config::load_in(&place.flags(), &Environment::default()).unwrap().show().unwrap();
        assert!(shown.contains("ca.pem\"\nca_only = true\n"), "{shown}");
    }
}
