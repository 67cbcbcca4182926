//! Configuration: what wins, what is refused, and that every problem is reported at once with its place.

use ipstats::config::{Config, Environment, Flags, UnknownIp};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const HASH: &str =
    "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQAAAAAAAAAAA$+r0d29hqEB0yasKr55ZgICsQGSkl0v0kgwhd+U3wyRo";
const CONTOSO: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ipstats.toml"), text).unwrap();
        Self { folder }
    }

    fn flags(&self) -> Flags {
        Flags { config: Some(self.folder.path().join("ipstats.toml")), ..Flags::default() }
    }

    /// The problems, without the folder in front of them.
    fn problems(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let error = Config::load_in(&self.flags(), &environment(variables)).unwrap_err();
        let prefix = format!("{}/", self.folder.path().display());
        error.problems.into_iter().map(|problem| problem.replace(&prefix, "")).collect()
    }
}

#[test]
fn everything_has_a_default() {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let config = Config::load_in(&flags, &Environment::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.base_url(), "http://127.0.0.1:8080");
    assert_eq!(config.unknown_ip, UnknownIp::NotFound);
    assert_eq!(config.audiences.len(), 5);
    assert!(config.memory_bytes_max <= 4 << 30);
    assert!(config.organizations.is_empty() && config.warnings.is_empty());
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let place = Place::with(
        "listen = '127.0.0.1:1'\nunknown_ip = 'zero'\ndata_dir = 'data'\nmemory = '1 GiB'\n[log]\nformat = 'json'\n",
    );
    let variables = [
        ("IPSTATS_LISTEN", "127.0.0.1:2"),
        ("IPSTATS_MEMORY", "512 MiB"),
        ("IPSTATS_LOG_FORMAT", "text"),
        ("IPSTATS_PUBLIC_URLS", "https://a.example, https://b.example/"),
        ("IPSTATS_UNKNOWN_IP", ""),
    ];
    let flags = Flags { listen: Some("127.0.0.1:3".parse().unwrap()), ..place.flags() };
    let config = Config::load_in(&flags, &environment(&variables)).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3");
    assert_eq!(config.memory_bytes_max, 512 << 20);
    assert_eq!(config.log_format.to_string(), "text");
    assert_eq!(config.unknown_ip, UnknownIp::Zero, "an empty variable is as good as none");
    assert_eq!(
        config.data_dir,
        place.folder.path().join("data"),
        "a folder in the file is relative to the file"
    );
    let urls: Vec<_> = config.public_urls.iter().map(ToString::to_string).collect();
    assert_eq!(urls, ["https://a.example", "https://b.example"]);

    let variables =
        [("IPSTATS_CONFIG", flags.config.as_ref().unwrap().to_str().unwrap()), ("IPSTATS_DATA_DIR", "x")];
    let config = Config::load_in(&Flags::default(), &environment(&variables)).unwrap();
    assert_eq!((config.listen.port(), config.data_dir), (1, PathBuf::from("x")));
}

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
        "ipstats.toml:2:10: listen: expected a string, found integer",
        "ipstats.toml:3:10: memory: \"lots\" is not a size such as 512 MiB or 2 GiB",
        "ipstats.toml:4:19: audiences: expected a string, found integer",
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
fn trusted_proxies_are_networks_and_addresses() {
    let place = Place::with("trusted_proxies = ['10.0.0.0/8', 'fd00::1']\nproxy_headers = 'forwarded'");
    let config = Config::load_in(&place.flags(), &Environment::default()).unwrap();
    for (address, trusted) in [
        ("10.9.9.9", true),
        ("::ffff:10.9.9.9", true),
        ("11.0.0.1", false),
        ("fd00::1", true),
        ("fd00::2", false),
    ] {
        assert_eq!(config.proxies.trust(address.parse().unwrap()), trusted, "{address}");
    }
    assert!(config.show().unwrap().contains("trusted_proxies = [\"10.0.0.0/8\", \"fd00::1/128\"]"));
    let problems = Place::with("trusted_proxies = ['nginx']\nproxy_headers = 'x-real-ip'").problems(&[]);
    let expected = [
        "ipstats.toml:1:20: trusted_proxies: \"nginx\" is not a network such as 10.0.0.0/8, or an address",
        "ipstats.toml:2:17: proxy_headers: \"x-real-ip\" is not one of x-forwarded, forwarded",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn variables_that_are_no_setting_are_warned_about() {
    let place = Place::with("");
    let variables = environment(&[
        ("IPSTATS_DATADIR", "/data"),
        ("IPSTATS_SERVICE_HOST", "10.0.0.1"),
        ("IPSTATS_CONFIG", ""),
        ("IPSTATS_EMPTY", ""),
        ("IPSTATS_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
    ]);
    let config = Config::load_in(&place.flags(), &variables).unwrap();
    assert_eq!(config.warnings, ["the environment variable IPSTATS_DATADIR is no setting: it is ignored"]);
}

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
                    count = 'attempted'\ndevice_from = 'mac'\n";
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
    assert!(problems[2].contains("expected true or false, found integer"), "{problems:?}");
}

#[test]
fn the_name_of_a_source_has_no_slash() {
    let text = format!(
        "[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n\
         [[sources]]\nname = 'zeek/hq'\norganization = 'contoso'\nkind = 'files'\npaths = ['a']\n"
    );
    let problems = Place::with(&text).problems(&[]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains(":5:8: sources[0].name: \"zeek/hq\" is not the name of a source"),
        "{problems:?}"
    );
}

#[test]
fn leases_of_a_source_are_shown_and_senseless_ones_are_refused() {
    let organization = format!("[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n");
    let source = "[[sources]]\nname = 'hq'\norganization = 'contoso'\n";
    let files = "kind = 'files'\npaths = ['/logs/conn.log']\n";
    let aliases = "aliases = { files = ['/logs/dhcp.log'], by = 'host-name', wait = '90 s' }\n";
    let config = Place::with(&format!("{organization}{source}{files}{aliases}"));
    let shown = Config::load_in(&config.flags(), &Environment::default()).unwrap().show().unwrap();
    let again = Place::with(&shown);
    let again = Config::load_in(&again.flags(), &Environment::default()).unwrap();
    let config = Config::load_in(&config.flags(), &Environment::default()).unwrap();
    assert_eq!(again.sources, config.sources);
    for part in ["/logs/dhcp.log", "by = \"host-name\"", "wait = \"90 s\""] {
        assert!(shown.contains(part), "{part} in {shown}");
    }

    let wrong = [
        ("", "aliases = { }\n", "sources[0].aliases.files: name at least one dhcp.log"),
        (
            "",
            "aliases = { files = ['a'], by = 'name' }\n",
            "aliases.by: \"name\" is not one of mac, host-name",
        ),
        ("", "aliases = { files = ['a'], wait = '11 min' }\n", "aliases.wait: at most 10 min"),
        ("format = 'mde'\n", "aliases = { files = ['a'] }\n", "aliases: records of mde name their devices"),
        (
            "device_from = 'mac'\n",
            "aliases = { files = ['a'], by = 'host-name' }\n",
            "aliases: devices would go by two names",
        ),
    ];
    for (settings, aliases, expected) in wrong {
        let problems =
            Place::with(&format!("{organization}{source}{files}{settings}{aliases}")).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}, not {expected}");
    }
    let key = format!(
        "[[ingest_keys]]\nname = 'a'\norganization = 'contoso'\nkey_hash = 'sha256:{}'\n",
        "0".repeat(64)
    );
    let problems = Place::with(&format!("{organization}{key}aliases = {{ files = ['a'] }}\n")).problems(&[]);
    assert!(problems[0].contains("ingest_keys[0].aliases: leases are read for [[sources]]"), "{problems:?}");
}

#[test]
fn a_source_says_which_files_and_how_they_are_read() {
    let organization = format!("[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n");
    let source = "[[sources]]\nname = 'hq'\norganization = 'contoso'\n";
    let settings = "kind = 'files'\npaths = ['/var/log/**/conn*.log']\nformat = 'zeek'\nsite = 'dmz'\n";
    let config = Place::with(&format!("{organization}{source}{settings}"));
    let config = Config::load_in(&config.flags(), &Environment::default()).unwrap();
    assert_eq!(config.sources[0].settings.only_tenant, Some(config.sources[0].organization));
    let shown = config.show().unwrap();
    for line in settings.lines() {
        assert!(shown.contains(&line.replace('\'', "\"")), "{line} in {shown}");
    }

    let wrong = [
        (
            "kind = 'kafak'\n",
            ":7:8: sources[0].kind: \"kafak\" is no kind of source; known are: files, kafka, event-hubs, syslog, netflow",
        ),
        ("kind = 'files'\n", ":4:1: sources[0].paths: name at least one file"),
        ("kind = 'files'\npaths = []\n", ":8:9: sources[0].paths: name at least one file"),
        ("kind = 'files'\npaths = ['a[']\n", ":8:10: sources[0].paths: \"a[\": "),
    ];
    for (settings, expected) in wrong {
        let problems = Place::with(&format!("{organization}{source}{settings}")).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}, not {expected}");
    }
}

#[test]
fn a_source_that_listens_says_where_and_to_whom() {
    let organization = format!("[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n");
    let source = "[[sources]]\nname = 'fw'\norganization = 'contoso'\n";
    let good = [
        "kind = 'syslog'\nlisten = ['udp://10.0.0.5:514', 'tcp://10.0.0.5:514']\nfrom = ['10.0.0.0/8']\nformat = 'zeek'\n",
        "kind = 'netflow'\nlisten = ['udp://[fd00::5]:2055']\nfrom = ['fd00::/8']\ninsecure_listen = false\n",
        "kind = 'netflow'\nlisten = ['udp://0.0.0.0:2055']\nfrom = ['10.0.0.0/8']\ninsecure_listen = true\n",
    ];
    for settings in good {
        let config = Place::with(&format!("{organization}{source}{settings}"));
        let shown = Config::load_in(&config.flags(), &Environment::default()).unwrap().show().unwrap();
        for line in settings.lines() {
            assert!(shown.contains(&line.replace('\'', "\"")), "{line} in {shown}");
        }
    }
    let local = "kind = 'syslog'\nlisten = ['udp://127.0.0.1:514']\n";
    let config = Place::with(&format!("{organization}{source}{local}"));
    let shown = Config::load_in(&config.flags(), &Environment::default()).unwrap().show().unwrap();
    assert!(shown.contains("from = [\"127.0.0.0/8\", \"::1/128\"]"), "{shown}");

    let wrong = [
        ("kind = 'syslog'\n", "sources[0].listen: name at least one address"),
        ("kind = 'syslog'\nlisten = []\n", "sources[0].listen: name at least one address"),
        (
            "kind = 'syslog'\nlisten = ['127.0.0.1:514']\n",
            "\"127.0.0.1:514\" is no address to listen on; write udp://",
        ),
        ("kind = 'syslog'\nlisten = ['udp://fw:514']\n", "is no address to listen on"),
        (
            "kind = 'syslog'\nlisten = ['udp://10.0.0.5:514']\n",
            "sources[0].from: name the networks of the senders",
        ),
        (
            "kind = 'syslog'\nlisten = ['udp://10.0.0.5:514']\nfrom = []\n",
            "sources[0].from: name the networks",
        ),
        ("kind = 'syslog'\nlisten = ['udp://10.0.0.5:514']\nfrom = ['10/8']\n", "sources[0].from: \"10/8\""),
        (
            "kind = 'syslog'\nlisten = ['udp://0.0.0.0:514']\nfrom = ['10.0.0.0/8']\n",
            "udp://0.0.0.0:514 may be reached by the whole world",
        ),
        (
            "kind = 'syslog'\nlisten = ['tcp://[2001:db8::5]:514']\nfrom = ['10.0.0.0/8']\n",
            "may be reached by the whole world",
        ),
        (
            "kind = 'syslog'\nlisten = ['udp://127.0.0.1:514', 'udp://127.0.0.1:514']\n",
            "udp://127.0.0.1:514 stands twice",
        ),
        ("kind = 'netflow'\nlisten = ['tcp://127.0.0.1:2055']\n", "NetFlow and IPFIX are received by udp"),
        (
            "kind = 'netflow'\nlisten = ['udp://127.0.0.1:2055']\nformat = 'zeek'\n",
            "unknown key sources[0].format",
        ),
        (
            "kind = 'syslog'\nlisten = ['udp://127.0.0.1:5']\nformat = 'csv'\n",
            "records in syslog are JSON, which csv is not",
        ),
    ];
    for (settings, expected) in wrong {
        let problems = Place::with(&format!("{organization}{source}{settings}")).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}, not {expected}");
    }
}

#[cfg(feature = "kafka")]
#[test]
fn a_topic_says_which_cluster_and_never_a_secret() {
    let organization = format!("[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n");
    let source = "[[sources]]\nname = 'stream'\norganization = 'contoso'\n";
    let kafka = "kind = 'kafka'\nbrokers = ['one:9092', 'two:9092']\ntls = true\nusername = 'ipstats'\n\
                 password_file = '/etc/secret'\ntopic = 'conn'\nca_file = '/etc/ca.pem'\nbegin = 'latest'\n";
    let hub = "kind = 'event-hubs'\nconnection_string_file = '/etc/hub'\nbegin = 'earliest'\n";
    for settings in [kafka, hub] {
        let config = Place::with(&format!("{organization}{source}{settings}"));
        let shown = Config::load_in(&config.flags(), &Environment::default()).unwrap().show().unwrap();
        for line in settings.lines() {
            assert!(shown.contains(&line.replace('\'', "\"")), "{line} in {shown}");
        }
    }
    let wrong = [
        ("kind = 'kafka'\ntopic = 'x'\n", ": sources[0].brokers: name at least one broker"),
        ("kind = 'kafka'\ntopic = 'x'\nbrokers = ['a']\n", ": sources[0].brokers: \"a\" is no broker"),
        ("kind = 'kafka'\nbrokers = ['a:1']\n", ": sources[0].topic is missing"),
        ("kind = 'kafka'\ntopic = 'x'\nbrokers = ['a:1']\nusername = 'u'\n", "password_file: is missing"),
        (
            "kind = 'kafka'\ntopic = 'x'\nbrokers = ['a:1']\nbegin = 'now'\n",
            "\"now\" is not one of earliest, latest",
        ),
        ("kind = 'event-hubs'\n", "connection_string_file: name the file"),
    ];
    for (settings, expected) in wrong {
        let problems = Place::with(&format!("{organization}{source}{settings}")).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}, not {expected}");
    }
}

#[test]
fn the_first_start_is_made_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut first = load(&data_dir);
    let made = first.establish().unwrap().expect("nothing was there");
    assert!(made.to_string().contains(made.client_secret.reveal()));
    assert!(first.establish().unwrap().is_none());

    let mut again = load(&data_dir);
    assert_eq!(again.organization(None), Ok(made.organization));
    assert_eq!(again.applications[0].client_id, made.client_id);
    assert!(again.applications[0].secret_hash.as_ref().unwrap().verify(&made.client_secret));
    assert!(again.establish().unwrap().is_none());
    assert!(fs::read_to_string(made.file).unwrap().contains(made.client_secret.reveal()));
}

#[test]
fn a_first_start_file_without_its_tables_is_named_with_the_ways_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("first-start.toml");
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    for text in ["", "# nothing\n"] {
        fs::write(&file, text).unwrap();
        let error = Config::load_in(&flags, &Environment::default()).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert!(error.contains("restore its tables, or delete it"), "{error}");
    }
    fs::remove_file(&file).unwrap();
    // As unreadable as it gets, also for root.
    fs::create_dir(&file).unwrap();
    let error = Config::load_in(&flags, &Environment::default()).unwrap_err().to_string();
    assert!(error.contains(&format!("data folder {}: ", folder.path().display())), "{error}");
    assert!(error.contains("permissions") && error.contains("--data-dir"), "{error}");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = load(&file.join("data")).establish().unwrap_err().to_string();
    assert!(error.contains("file/data") && error.contains("--data-dir"), "{error}");
}

fn load(data_dir: &Path) -> Config {
    let flags = Flags { data_dir: Some(data_dir.to_owned()), ..Flags::default() };
    Config::load_in(&flags, &Environment::default()).unwrap()
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
        assert_eq!(config.issuers[0].audiences.len(), if settings.contains("api://x") { 1 } else { 5 });
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
