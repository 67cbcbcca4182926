//! What a setting is: its default, the file, the environment, a flag.

use super::{Place, environment};
use ipstats::config::{Config, Environment, Flags, UnknownIp};
use std::path::PathBuf;

#[test]
fn everything_has_a_default() {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let config = Config::load_in(&flags, &Environment::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.base_url(), "http://127.0.0.1:8080");
    assert_eq!(config.unknown_ip, UnknownIp::NotFound);
    assert_eq!(config.audiences.len(), 7);
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
