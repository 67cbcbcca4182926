//! What the service fetches by itself, and who may send to it.

use super::{CONTOSO, Place};
use ipstats::config::{Config, Environment};

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
fn columns_and_maps_are_checked_and_shown() {
    let organization = format!("[[organizations]]\nid = '{CONTOSO}'\nname = 'contoso'\n");
    let hash = "0".repeat(64);
    let key = format!("[[ingest_keys]]\nname = 'k'\norganization = 'contoso'\nkey_hash = 'sha256:{hash}'\n");
    let source = "[[sources]]\nname = 's'\norganization = 'contoso'\nkind = 'files'\npaths = ['/logs/a']\n";
    let columns = "columns = ['ts', 'uid', 'id.orig_h', 'id.resp_h', 'conn_state']\n";
    let map = "map = { device = 'source.name', ip = 'destination.ip', time = '@timestamp' }\n";
    let load = |text: &str| {
        let place = Place::with(text);
        Config::load_in(&place.flags(), &Environment::default()).unwrap()
    };
    let config = load(&format!("{organization}{key}{columns}{source}{map}"));
    assert_eq!(config.ingest_sources[0].settings.columns.len(), 5);
    assert!(config.sources[0].settings.map.is_some());
    let shown = config.show().unwrap().replace("(hidden)", &format!("sha256:{hash}"));
    let again = load(&shown);
    assert_eq!((&again.sources, again.ingest_sources[0].settings.columns.len()), (&config.sources, 5));

    for (setting, expected) in [
        (
            "columns = ['ts', 'id.orig_h']\n",
            "columns: no column id.resp_h, conn_state: list all columns of the log",
        ),
        (
            "map = { device = 'a', time = 't' }\n",
            "map: ip is not mapped; map device, ip and time, or originator",
        ),
        (
            "map = { host = 'a', ip = 'b', time = 't' }\n",
            "map: \"host\" cannot be mapped; map device, ip and time",
        ),
    ] {
        for (table, place) in [(source, "sources[0]."), (key.as_str(), "ingest_keys[0].")] {
            let problems = Place::with(&format!("{organization}{table}{setting}")).problems(&[]);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(&format!("{place}{expected}")), "{problems:?}");
        }
    }
}
