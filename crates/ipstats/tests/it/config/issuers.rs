//! Issuers of tokens from outside.

use super::{CONTOSO, Place};
use ipstats::config::{Config, Environment};

fn with_issuer(settings: &str) -> Place {
    Place::with(&format!(
        "[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n[[issuers]]\nname = 'idp'\n{settings}"
    ))
}

#[test]
fn an_outside_issuer_has_defaults_and_is_shown_as_it_can_be_read_again() {
    for settings in [
        "issuer = 'https://login.microsoftonline.com/{tenantid}/v2.0'\n",
        &format!("issuer = 'https://sts.windows.net/{CONTOSO}/'\n"),
        "issuer = 'https://id.example/realms/soc'\nkind = 'keycloak'\norganization = 'contoso'\nclock_skew = '5 min'\n",
        "issuer = 'https://soc.eu.auth0.com/'\nkind = 'auth0'\norganization_claim = 'org_id'\n\
         organization_values = { org_1 = 'contoso' }\nkeys_refresh = '1 min'\ncontexts = ['application']\n",
        "issuer = 'http://127.0.0.1:1/'\nkind = 'rfc9068'\norganization_claim = 'tid'\naudiences = ['api://x']\n\
         jwks_url = 'http://127.0.0.1:1/keys'\n[issuers.claims]\ngroups = 'https://acme.example/groups'\n",
    ] {
        let config = Config::load_in(&with_issuer(settings).flags(), &Environment::default()).unwrap();
        assert_eq!(config.issuers[0].audiences.len(), if settings.contains("api://x") { 1 } else { 7 });
        let shown = config.show().unwrap();
        let again = Place::with(&shown.replace("public_urls = []", ""));
        let again = Config::load_in(&again.flags(), &Environment::default());
        assert_eq!(
            again.unwrap_or_else(|error| panic!("{error}\n{shown}")).issuers,
            config.issuers,
            "{shown}"
        );
        assert!(!config.issues_tokens(), "only outside issuers are configured");
    }
}

#[test]
fn what_does_not_go_together_about_an_issuer_is_refused_with_its_place() {
    let entra = "issuer = 'https://login.example/{tenantid}/v2.0'\n";
    let two = |one: &str, other: &str| {
        let url = "https://login.example";
        format!("issuer = '{url}/{one}/'\n[[issuers]]\nname = 'other'\nissuer = '{url}/{other}/'\n")
    };
    let expanded = two("{tenantid}", CONTOSO);
    assert!(
        Config::load_in(&with_issuer(&expanded).flags(), &Environment::default()).is_ok(),
        "one is exact"
    );
    let other = "issuer = 'https://id.example/'\nkind = 'rfc9068'\n";
    for (settings, expected) in [
        (format!("{entra}organization = 'contoso'"), ":7:16: issuers[0].organization: leave it out"),
        (two(CONTOSO, CONTOSO), ":9:10: issuers[1].issuer: already used above"),
        (
            two(&format!("{{tenantid}}/{CONTOSO}"), &format!("{CONTOSO}/{{tenantid}}")),
            ":9:10: issuers[1].issuer: an issuer above that has {tenantid} in it, too, covers https://login.example/",
        ),
        (
            format!("{entra}kind = 'keycloak'\norganization = 'contoso'"),
            ":6:10: issuers[0].issuer: {tenantid} is known",
        ),
        (other.to_owned(), ":7:8: issuers[0].kind: tokens of this kind have no tid"),
        (
            format!("{other}organization = 'fabrikam'"),
            ":8:16: issuers[0].organization: organization \"fabrikam\"",
        ),
        (format!("{other}organization = 'contoso'\norganization_claim = 'x'"), "either organization or"),
        (
            format!("{other}organization = 'contoso'\norganizations = ['contoso']"),
            "organizations: leave it out",
        ),
        (
            format!("{other}organization = 'contoso'\norganization_values = {{ x = 'contoso' }}"),
            "which is missing",
        ),
        (
            format!("{other}organization_claim = 'x'\norganization_values = {{ x = 'y' }}"),
            "organization \"y\"",
        ),
        (format!("{entra}clock_skew = '301 s'"), ":7:14: issuers[0].clock_skew: 301 s is too long"),
        (format!("{entra}keys_refresh = '1 s'"), "issuers[0].keys_refresh: 1 s is too often"),
        (format!("{entra}keys_max_age = '1 min'"), "keys_max_age: 1 min is not between"),
        (format!("{entra}audiences = []"), "audiences: the list is empty"),
        (format!("{entra}contexts = ['user']"), "\"user\" is not one of application, delegated"),
        (
            format!("{entra}jwks_url = 'https://x/k'\ndiscovery_url = 'https://x/d'"),
            "either jwks_url or discovery_url",
        ),
        (format!("{entra}jwks_url = 'ftp://x/k'"), "jwks_url: expected a URL that begins with https://"),
        (format!("{entra}jwks_url = 'https://me:secret@x/k'"), "a user or a password"),
        (format!("{entra}ca_file = 'nowhere.pem'"), "ca_file: nowhere.pem: No such file"),
        (format!("{entra}ca_file = 'ipstats.toml'"), "no certificates in PEM"),
        (format!("{entra}[issuers.claims]\nscopes = 'scope'"), "issuers[0].claims.scopes: Entra's is scp"),
        (format!("{entra}[issuers.claims]\nrole = 'x'"), "unknown key issuers[0].claims.role"),
        ("issuer = 'http://id.example/{tenantid}/'".to_owned(), "issuer: http:// lets anybody"),
        ("issuer = 'soc'\nkind = 'rfc9068'\norganization = 'contoso'".to_owned(), "set jwks_url"),
        (
            "issuer = 'https://sts.windows.net/11111111-1111-4111-8111-111111111111/'".to_owned(),
            "is none of the organizations: add one",
        ),
    ] {
        let problems = with_issuer(&settings).problems(&[]);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:#?}");
        assert!(problems.len() <= 2, "{problems:#?}");
    }
    let ours = Place::with(&format!(
        "public_urls = ['https://ipstats.example']\n[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n\
         [[issuers]]\nname = 'x'\nissuer = 'https://ipstats.example/{CONTOSO}/'"
    ));
    assert!(ours.problems(&[])[0].contains("this is the service itself"));
    let alone = Place::with(&format!("[[issuers]]\nname = 'x'\n{entra}")).problems(&[]);
    assert!(alone[0].contains("declare [[organizations]] first"), "{alone:?}");
}
