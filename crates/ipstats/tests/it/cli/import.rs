//! What an import says.

use super::{CONTOSO, Place, ndjson};
use serde_json::json;

const AS_OF: [&str; 2] = ["--as-of", "2017-08-29T13:32:59Z"];

/// Zeek rows: two connections of one device, a failed attempt, an inbound one, and one that is malformed.
const ZEEK: &str = "#fields\tts\tid.orig_h\tid.resp_h\tconn_state
1504013579.5\t10.0.0.1\t93.184.216.34\tSF
1504013519.5\t10.0.0.1\t93.184.216.34\tS1
1504013579.5\t10.0.0.1\t93.184.216.34\tS0
1504013579.5\t93.184.216.34\t10.0.0.1\tSF
1504013579.5\t10.0.0.1\tnot-an-ip\tSF
";

/// The text without its last line, which says how long it took.
fn without_time(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    let last = lines.pop().unwrap_or_default();
    assert!(last.starts_with(&format!("organization {CONTOSO}, ")), "{text}");
    lines.join("\n")
}

#[test]
fn a_summary_for_people() {
    let place = Place::new();
    let log = place.file("conn.log", ZEEK);
    let old = place.file("old.ndjson", ndjson(&[("a", "10.0.0.1", "2017-01-01T00:00:00Z")]));
    let done = place.run(&[&["import"], &AS_OF[..], &[&log, &old]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    insta::assert_snapshot!(without_time(&done.out), @r#"
    counted                       2  connections
    not a connection              2
                                  1  inbound, opened by the other side
                                  1  failed or half-open attempt
    outside retention             1
                                  1  older than 30 days
    malformed                     1
      conn.log:6: id.resp_h is "not-an-ip", not an IP address
    events from 2017-01-01T00:00:00Z to 2017-08-29T13:32:59Z
    "#);
    insta::assert_snapshot!(done.err, @"note: nothing of old.ndjson was counted: its newest event is of 2017-01-01T00:00:00Z, more than 30 days before the pinned 2017-08-29T13:32:59Z; to import it as of its own time, use --as-of 2017-01-01T00:00:00Z and a --data-dir of its own, because this one holds later data");
}

#[test]
fn a_summary_for_programs() {
    let place = Place::new();
    let log = place.file("conn.log", ZEEK);
    let done = place.run(&[&["import", "--json"], &AS_OF[..], &[&log]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    let summary: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        summary,
        json!({
            "counted": 2,
            "notAConnection": { "failed": 1, "inbound": 1 },
            "outsideRetention": 0,
            "malformed": 1,
            "organization": CONTOSO,
            "newestEvent": "2017-08-29T13:32:59Z",
            "oldestEvent": "2017-08-29T13:31:59Z",
        })
    );
    assert_eq!(done.out.lines().count(), 1);
    insta::assert_snapshot!(done.err, @r#"conn.log:6: id.resp_h is "not-an-ip", not an IP address"#);
}

#[test]
fn flags_say_what_counts_and_whose_it_is() {
    let place = Place::new();
    let log = place.file("conn.log", ZEEK);
    let attempted = place.import(&[&AS_OF[..], &["--count", "attempted", &log]].concat());
    assert_eq!(attempted["counted"], 3);
    let turned = place.import(&[&AS_OF[..], &["--internal-network", "93.184.216.0/24", &log]].concat());
    assert_eq!(
        (&turned["counted"], &turned["notAConnection"]["inbound"]),
        (&1.into(), &3.into()),
        "{turned}"
    );
    let elsewhere = ["--internal-network", "192.0.2.0/24"];
    let none = place.import(&[&AS_OF[..], &elsewhere, &[&log]].concat());
    assert_eq!((&none["counted"], &none["notAConnection"]["notInternal"]), (&0.into(), &4.into()), "{none}");
    let own = place.import(&[&AS_OF[..], &elsewhere, &["--originator-is-device", &log]].concat());
    assert_eq!(own["counted"], 3, "{own}");
}

/// Amazon's example of a NAT gateway: its own rows, and those of an instance behind it.
const NAT: &str = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr start action flow-direction protocol tcp-flags
- eni-2222 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1504013579 ACCEPT ingress 6 3
- eni-2222 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1504013579 ACCEPT egress 6 3
i-0123 eni-1111 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1504013579 ACCEPT egress 6 3
";

#[test]
fn relays_are_not_devices() {
    let counts = |place: &Place, arguments: &[&str]| {
        let log = place.file("flows.log", NAT);
        let summary = place.import(&[&AS_OF[..], arguments, &[&log]].concat());
        (summary["counted"].as_u64().unwrap(), summary["notAConnection"]["relay"].as_u64())
    };
    assert_eq!(counts(&Place::new(), &[]), (2, None));
    assert_eq!(counts(&Place::new(), &["--not-device", "eni-2222"]), (1, Some(1)));
    assert_eq!(
        counts(&Place::new(), &["--not-device", "10.9.9.9", "--not-device", "10.0.0.0/24"]),
        (1, Some(1))
    );
    // The configuration's relays are those of every import.
    let place = Place::new();
    let config = std::fs::read_to_string(place.path("ipstats.toml")).unwrap();
    place.file("ipstats.toml", format!("not_devices = [\"ENI-2222\"]\n{config}"));
    assert_eq!(counts(&place, &[]), (1, Some(1)));
    assert_eq!(counts(&place, &["--not-device", "i-0123"]), (0, Some(2)));
}

#[test]
fn sites_tell_the_same_private_address_apart() {
    let place = Place::new();
    let log = place.file("conn.log", ZEEK);
    for site in ["berlin", "lisbon"] {
        place.import(&[&AS_OF[..], &["--site", site, &log]].concat());
    }
    let done = place.run(&[&["stats", "--json"], &AS_OF[..], &["93.184.216.34"]].concat());
    assert!(done.out.contains("\"organizationPrevalence\":2"), "{done:?}");
}

#[test]
fn leases_tell_who_had_an_address() {
    let place = Place::new();
    let dhcp = "#fields\tts\tmac\tassigned_addr\tlease_time\n\
                1504013500\t08:00:27:00:00:01\t10.0.0.1\t60\n1504013560\t08:00:27:00:00:02\t10.0.0.1\t60\n";
    let (log, dhcp) = (place.file("conn.log", ZEEK), place.file("dhcp.log", dhcp));
    let done = place.run(&[&["import", "--aliases", &dhcp], &AS_OF[..], &[&log]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    insta::assert_snapshot!(done.err, @"aliases: 2 leases; 0 records without one, 0 malformed, 0 that did not fit");
    let stats = place.run(&[&["stats", "--json"], &AS_OF[..], &["93.184.216.34"]].concat());
    let answer: serde_json::Value = serde_json::from_str(&stats.out).unwrap();
    assert_eq!(answer["organizationPrevalence"], 2, "one address, two devices: {answer}");

    let nothing = place.run(&[&["import", "--aliases", &log], &AS_OF[..], &[&log]].concat());
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(
        nothing.err.contains("there is no lease in --aliases: name a dhcp.log of Zeek"),
        "{}",
        nothing.err
    );
    let missing = place.run(&[&["import", "--aliases", "dhcp.lgo"], &AS_OF[..], &[&log]].concat());
    assert!(missing.err.contains("dhcp.lgo: there is no such file"), "{}", missing.err);
}

#[test]
fn compressed_files_and_standard_input_are_read_by_content() {
    use std::io::Write;
    let row = |host: &str| ndjson(&[(host, "10.0.0.1", "2017-08-29T00:00:00Z")]);
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let place = Place::new();
    place.file("members.log", [gzip(&row("a")), gzip(&row("b"))].concat());
    place.file("zstd.log", zstd::encode_all(row("c").as_bytes(), 1).unwrap());
    let arguments = [&["import", "--json"], &AS_OF[..], &["members.log", "zstd.log", "-"]].concat();
    let done = place.run_with_input(&arguments, &gzip(&row("d")));
    assert!(done.out.starts_with("{\"counted\":4,"), "{done:?}");
}

#[test]
fn a_log_of_the_past_says_which_clock_fits() {
    let place = Place::new();
    let log = place.file(
        "old.ndjson",
        ndjson(&[("a", "10.0.0.1", "2017-08-29T13:32:59Z"), ("a", "10.0.0.1", "2017-08-01T00:00:00Z")]),
    );
    for arguments in [&["import", &log][..], &["import", "--json", &log]] {
        let done = place.run(arguments);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(
            done.err.starts_with(
                "note: nothing of old.ndjson was counted: its newest event is of 2017-08-29T13:32:59Z, more than 30 \
                 days before now, 20"
            ) && done.err.ends_with("to import it as of its own time, use --as-of 2017-08-29T13:32:59Z\n"),
            "{done:?}"
        );
    }
    let summary = place.import(&["--as-of", "2017-08-29T13:32:59Z", &log]);
    assert_eq!(summary["counted"], 2, "the hint is right");

    // Now the folder holds later data than this log.
    let older = place.file("older.ndjson", ndjson(&[("a", "10.0.0.1", "2016-08-29T13:32:59Z")]));
    let done = place.run(&["import", &older]);
    assert!(
        done.err.ends_with(
            "use --as-of 2016-08-29T13:32:59Z and a --data-dir of its own, because this one holds later data\n"
        ),
        "{done:?}"
    );
}

/// An event of Defender's streaming export.
fn defender(tenant: &str, action: &str) -> String {
    format!(
        r#"{{"tenantId":"{tenant}","category":"AdvancedHunting-DeviceNetworkEvents","properties":{{"Timestamp":"2017-08-29T13:00:00Z","DeviceId":"d","RemoteIP":"10.0.0.1","ActionType":"{action}"}}}}"#
    ) + "\n"
}

#[test]
fn a_log_of_another_tenant_says_whose_it_is() {
    let other = "11111111-1111-4111-8111-111111111111";
    let place = Place::new();
    let foreign = place.file("foreign.json", defender(other, "ConnectionSuccess").repeat(3));
    let mixed = [defender(other, "ConnectionSuccess"), defender(CONTOSO, "ConnectionSuccess")].concat();
    let mixed = place.file("mixed.json", mixed);
    let failed = [defender(other, "ConnectionSuccess"), defender(CONTOSO, "ConnectionFailed")].concat();
    let failed = place.file("failed.json", failed);
    let nameless = place.file("nameless.json", defender("contoso", "ConnectionSuccess"));
    for json in [&[][..], &["--json"]] {
        let done =
            place.run(&[&["import"], json, &AS_OF[..], &[&foreign, &mixed, &failed, &nameless]].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(done.err, @r#"
note: nothing of foreign.json was counted: its records are of tenant 11111111-1111-4111-8111-111111111111, and the organization is 3f2504e0-4f89-41d3-9a0c-0305e82c3301; import it with an organization declared as [[organizations]] id = "11111111-1111-4111-8111-111111111111"
note: nothing of nameless.json was counted: its records are of another tenant, and the organization is 3f2504e0-4f89-41d3-9a0c-0305e82c3301; declare that tenant under [[organizations]] and import it
"#);
        }
    }
}

#[test]
fn what_is_in_a_log_cannot_steer_the_terminal() {
    let place = Place::new();
    let name = "a\u{1b}[2J\n.csv";
    place.file(
        name,
        "device,ip,time\n\"\u{1b}[31mred\nnext\",10.0.0.1,2017-08-29T13:00:00Z\nd,\u{1b}]0;title\u{7},2017-08-29T13:00:00Z\n",
    );
    let done = place.run(&[&["import"], &AS_OF[..], &[name, "gone\u{1b}[1m"]].concat());
    let stats = place.run(&[&["stats"], &AS_OF[..], &["10.0.0.1"]].concat());
    let table = place.run(&[&["stats"], &AS_OF[..], &["10.0.0.1", "\u{1b}[5m\n"]].concat());
    let asked = place.run(&[&["stats"], &AS_OF[..], &["\u{1b}[5m\n"]].concat());
    for done in [&done, &stats, &table, &asked] {
        let text = [done.out.as_str(), &done.err].concat();
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        assert!(text.contains("\\u{1b}["), "it is shown, written out: {text}");
    }
    assert!(stats.out.contains("\\u{1b}[31mred\\nnext"), "{stats:?}");
    assert!(done.err.contains("gone\\u{1b}[1m: there is no such file"), "{done:?}");
    let json = place.run(&[&["stats", "--json"], &AS_OF[..], &["\u{1b}[5m"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["ipAddress"], "\u{1b}[5m");
}
