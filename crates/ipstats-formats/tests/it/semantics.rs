//! What the settings of a source change.

use crate::support::{Read, read};
use ipstats_formats::{
    AliasBy, Aliases, CountRule, DeviceFrom, Format, LeaseLog, NotDevices, Originator, Settings,
};
use std::sync::Arc;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

fn read_sample(format: Format, name: &str, settings: &Settings) -> Read {
    read(format, settings, &sample(name))
}

#[test]
fn records_of_other_tenants_do_not_count() {
    let name = "mde-streaming/storage-PT1H.json";
    let tenant = |text: &str| Settings { only_tenant: Some(text.parse().unwrap()), ..Settings::default() };
    let all = read_sample(Format::MdeStreaming, name, &Settings::default());
    let ours = read_sample(Format::MdeStreaming, name, &tenant("3F2504E0-4F89-41D3-9A0C-0305E82C3301"));
    let theirs = read_sample(Format::MdeStreaming, name, &tenant("00000000-0000-0000-0000-000000000001"));
    assert_eq!(all.tally.connections(), 3);
    assert_eq!((ours.tally.connections(), ours.reasons()), (2, vec![("otherTenant", 1), ("failed", 1)]));
    assert_eq!((theirs.tally.connections(), theirs.reasons()), (1, vec![("otherTenant", 3)]));
    assert_eq!(theirs.connections, ["other 203.0.113.7 2026-11-01T10:00:00Z"]);
}

#[test]
fn attempts_count_where_the_operator_says_so() {
    let attempted = Settings { count: CountRule::Attempted, ..Settings::default() };
    for (format, name, attempts) in [
        (Format::ZeekTsv, "zeek-tsv/conn.log", 4),
        (Format::ZeekJson, "zeek-json/conn.json.log", 1),
        (Format::MdeStreaming, "mde-streaming/event-hub.json", 3),
        (Format::MdeHuntingCsv, "mde-hunting-csv/defender.csv", 1),
        (Format::Suricata, "suricata/eve.json", 3),
        (Format::Suricata, "suricata/netflow.json", 1),
        (Format::Ecs, "ecs/beats.ndjson", 2),
        (Format::Ocsf, "ocsf/network.ndjson", 4),
        (Format::Osquery, "osquery/results.log", 3),
        (Format::VpcFlow, "vpc-flow/s3-v8.log", 1),
    ] {
        let opened = read_sample(format, name, &Settings::default());
        let both = read_sample(format, name, &attempted);
        assert!(opened.reasons().contains(&("failed", attempts)), "{name}");
        assert!(both.reasons().iter().all(|(reason, _)| *reason != "failed"), "{name}");
        assert_eq!(both.tally.connections(), opened.tally.connections() + attempts, "{name}");
    }
}

#[test]
fn devices_of_zeek_are_named_as_the_operator_says() {
    let first = |settings: &Settings| {
        read_sample(Format::ZeekTsv, "zeek-tsv/conn.log", settings).connections[0].clone()
    };
    let site = Settings { site: Some("berlin".to_owned()), ..Settings::default() };
    assert_eq!(first(&site), "berlin/10.0.0.5 203.0.113.7 2026-11-01T10:00:00Z");
    let mac = Settings { device_from: DeviceFrom::Mac, ..site.clone() };
    assert_eq!(first(&mac), "08:00:27:ab:cd:02 203.0.113.7 2026-11-01T10:00:00Z");
    let json = read_sample(Format::ZeekJson, "zeek-json/corelight-array.json", &mac);
    let devices: Vec<_> = json.connections.iter().map(|connection| connection.split(' ').next()).collect();
    assert_eq!(devices, [Some("08:00:27:ab:cd:02"), Some("berlin/10.0.0.6"), Some("berlin/10.0.0.7")]);
    // Formats that name their devices keep those names.
    let own = read_sample(Format::IpstatsCsv, "csv/own.csv", &mac);
    assert_eq!(
        own.connections,
        read_sample(Format::IpstatsCsv, "csv/own.csv", &Settings::default()).connections
    );
}

#[test]
fn devices_are_named_by_whoever_had_their_address() {
    let dhcp = "#fields\tts\tmac\thost_name\tassigned_addr\tlease_time\n\
                1793527200\t08:00:27:ab:cd:05\tws-5\t10.0.0.5\t5\n";
    let aliases = |by| {
        let mut aliases = Aliases::default();
        LeaseLog::new(by, 1 << 20).feed(dhcp.as_bytes(), &mut aliases);
        let settings = Settings { site: Some("berlin".to_owned()), ..Settings::default() };
        Settings { aliases: Some(Arc::new(aliases)), ..settings }
    };
    let read = |by| read_sample(Format::ZeekTsv, "zeek-tsv/conn.log", &aliases(by)).connections;
    let by_mac = read(AliasBy::Mac);
    assert_eq!(by_mac[0], "08:00:27:ab:cd:05 203.0.113.7 2026-11-01T10:00:00Z");
    assert!(by_mac.contains(&"08:00:27:ab:cd:05 10.0.0.6 2026-11-01T10:00:03Z".to_owned()));
    assert!(
        by_mac.contains(&"berlin/10.0.0.5 203.0.113.12 2026-11-01T10:00:10Z".to_owned()),
        "the lease has ended"
    );
    assert!(by_mac.contains(&"berlin/10.0.0.6 203.0.113.8 2026-11-01T10:00:01Z".to_owned()), "no lease");
    assert_eq!(read(AliasBy::HostName)[0], "ws-5 203.0.113.7 2026-11-01T10:00:00Z");
}

#[test]
fn other_networks_and_originators_may_be_the_organizations_own() {
    let count = |settings: &Settings, reason: &str| {
        let read = read_sample(Format::ZeekTsv, "zeek-tsv/conn.log", settings);
        read.reasons().into_iter().find(|(name, _)| *name == reason).map_or(0, |(_, count)| count)
    };
    let default = Settings::default();
    assert_eq!((count(&default, "notInternal"), count(&default, "inbound")), (2, 1));
    let any = Settings { originator: Originator::AlwaysDevice, ..Settings::default() };
    assert_eq!((count(&any, "notInternal"), count(&any, "inbound")), (0, 1));
    let public =
        Settings { internal_networks: vec!["203.0.113.0/24".parse().unwrap()], ..Settings::default() };
    let read = read_sample(Format::ZeekTsv, "zeek-tsv/conn.log", &public);
    assert!(
        read.connections.contains(&"203.0.113.9 10.0.0.5 2026-11-01T10:00:02Z".to_owned()),
        "{}",
        read.shown()
    );
    // The hosts in 10.0.0.0/8 are no longer internal, and what they opened to 203.0.113.x came from outside.
    assert!(read.reasons().contains(&("inbound", 14)), "{}", read.shown());
}

/// The devices that contacted an IP, each once.
fn devices(read: &Read) -> Vec<&str> {
    let mut devices: Vec<_> =
        read.connections.iter().filter_map(|connection| connection.split(' ').next()).collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// The rows of a NAT gateway as Amazon documents them, and those of an instance behind it.
#[test]
fn relay_in_vpc_flow_log_is_not_a_device() {
    let name = "vpc-flow/nat.log";
    let all = read_sample(Format::VpcFlow, name, &Settings::default());
    assert_eq!(devices(&all), ["eni-2222", "i-0123", "i-node"]);
    for relays in [&["eni-2222"][..], &["10.0.0.220"], &["10.0.0.128/25"], &["ENI-2222", "10.9.9.9"]] {
        let not_devices = NotDevices::new(relays.iter().map(|relay| relay.parse().unwrap()));
        let read = read_sample(Format::VpcFlow, name, &Settings { not_devices, ..Settings::default() });
        assert_eq!(devices(&read), ["i-0123", "i-node"], "{relays:?}");
        assert_eq!(read.tally.records(), all.tally.records());
        let relayed = read.reasons().into_iter().find(|(reason, _)| *reason == "relay");
        assert_eq!(relayed, Some(("relay", 4)), "{relays:?}");
    }
}

#[test]
fn relay_is_not_counted_in_any_format() {
    for (format, name, relay) in [
        (Format::ZeekTsv, "zeek-tsv/conn.log", "10.0.0.5"),
        (Format::Suricata, "suricata/eve.json", "10.0.0.5"),
        (Format::Ecs, "ecs/vpcflow.ndjson", "i-1"),
        (Format::Ecs, "ecs/hosts.ndjson", "h2"),
        (Format::Ocsf, "ocsf/products.ndjson", "eni-2"),
        (Format::SysmonJson, "sysmon-json/nxlog.json", "WS-17.corp.example"),
        (Format::IpstatsCsv, "csv/own.csv", "pc-7"),
    ] {
        let all = read_sample(format, name, &Settings::default());
        let not_devices = NotDevices::new([relay.parse().unwrap()]);
        let read = read_sample(format, name, &Settings { not_devices, ..Settings::default() });
        let relay = relay.to_lowercase();
        assert!(devices(&all).contains(&relay.as_str()), "{name}: {:?}", devices(&all));
        assert!(!devices(&read).contains(&relay.as_str()), "{name}: {:?}", devices(&read));
        assert_eq!(read.tally.records(), all.tally.records(), "{name}");
    }
}
