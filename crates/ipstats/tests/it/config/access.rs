//! Applications, users, roles and ingest keys.

use super::{CONTOSO, HASH, Place};
use ipstats::config::{Config, Environment};

#[test]
fn applications_belong_to_an_organization_by_name_or_id() {
    for reference in ["contoso", CONTOSO] {
        let config = with_application(reference);
        assert_eq!(config.applications[0].organization, CONTOSO.parse().unwrap());
        assert_eq!(config.applications[0].permissions, ["Ip.Read.All"]);
        let shown = config.show().unwrap();
        assert!(shown.contains("secret_hash = \"(hidden)\"") && !shown.contains("argon2id"), "{shown}");
    }
}

fn with_application(organization: &str) -> Config {
    let place = Place::with(&format!(
        "[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n[[applications]]\nname = 'soar'\n\
         client_id = '9c6cf3a1-2f6b-4d0e-8b8a-51c1a5c1f0aa'\norganization = '{organization}'\n\
         secret_hash = '{HASH}'\npermissions = ['Ip.Read.All']\n"
    ));
    Config::load_in(&place.flags(), &Environment::default()).unwrap()
}

#[test]
fn an_ingest_key_says_whose_logs_and_how_they_are_read() {
    let hash = format!("sha256:{}", "0a".repeat(32));
    let source = |settings: &str| {
        format!(
            "[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n[[ingest_keys]]\nname = 'dmz'\n\
             key_hash = '{hash}'\norganization = 'contoso'\n{settings}"
        )
    };
    let settings = "site = 'dmz'\ninternal_networks = ['198.51.100.0/24']\noriginator_is_device = true\n\
                    count = 'attempted'\ndevice_from = 'mac'\n\
                    not_devices = ['eni-2222', '10.0.0.220', '10.9.0.0/16']\n";
    let place = Place::with(&source(settings));
    let config = Config::load_in(&place.flags(), &Environment::default()).unwrap();
    let source_read = &config.ingest_sources[0];
    assert_eq!(source_read.key_hash.to_string(), hash);
    assert_eq!(source_read.settings.only_tenant, Some(source_read.organization));
    assert_eq!(source_read.settings.internal_networks.len(), 1);
    let shown = config.show().unwrap();
    for line in settings.lines() {
        assert!(shown.contains(&line.replace('\'', "\"")), "{line} in {shown}");
    }
    assert!(!shown.contains("sha256"), "{shown}");

    let problems =
        Place::with(&source("count = 'all'\ninternal_networks = ['10/8']\noriginator_is_device = 1\n"));
    let problems = problems.problems(&[]);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains(":8:9: ingest_keys[0].count: \"all\" is not one of"), "{problems:?}");
    assert!(problems[1].contains(":9:22: ingest_keys[0].internal_networks: "), "{problems:?}");
    assert!(problems[2].contains("expected true or false without quotes, found integer"), "{problems:?}");
}

#[test]
fn users_roles_and_their_applications_are_checked() {
    let tables = |more: &str| {
        let organization = format!("[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n");
        Place::with(&[&organization, more].concat())
    };
    let role =
        "[[roles]]\nname = 'SOC'\norganization = 'contoso'\npermissions = ['view data']\ngroups = ['soc']\n";
    let user = format!(
        "[[users]]\nname = 'ana@contoso.example'\noid = 'dddddddd-0000-4000-8000-000000000001'\n\
         organization = 'contoso'\npassword_hash = '{HASH}'\ngroups = ['soc']\n"
    );
    let notebook = "[[applications]]\nname = 'notebook'\nclient_id = '9c6cf3a1-2f6b-4d0e-8b8a-51c1a5c1f0aa'\n\
                    organization = 'contoso'\npublic_client = true\ndelegated_permissions = ['Ip.Read.All']\n";
    let config =
        Config::load_in(&tables(&[role, &user, notebook].concat()).flags(), &Environment::default()).unwrap();
    let shown = config.show().unwrap();
    assert!(shown.contains("password_hash = \"(hidden)\"") && !shown.contains("argon2id"), "{shown}");
    assert!(shown.contains("permissions = [\"View Data\"]"), "{shown}");
    let many: Vec<_> = (0..201).map(|number| format!("'{number}'")).collect();
    for (more, expected) in [
        (
            role.replace("view data", "View Everything"),
            "\"View Everything\" is not a permission of a role; known are View Data, ",
        ),
        ([role, role].concat(), "roles[1].name: already used above"),
        ([user.clone(), user.replace("ana@", "ANA@")].concat(), "users[1].name: already used above"),
        (user.replace("'soc'", &many.join(",")), "201 groups do not fit into a token; 200 do"),
        (user.replace("$argon2id", "argon"), "users[0].password_hash: this is not an argon2id hash"),
        (format!("{notebook}permissions = ['Ip.Read.All']"), "a public client proves nothing about itself"),
        (format!("{notebook}secret_hash = '{HASH}'"), "a public client has no secret"),
        (notebook.replace("true", "false"), "applications[0].secret_hash is missing"),
        (notebook.replace("Ip.Read.All", "Ip.Read.All x"), "names of permissions have no blanks"),
    ] {
        let problems = tables(&more).problems(&[]);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:#?}");
    }
}
