//! What `stats` says.

use super::{Place, ndjson};

const AS_OF: [&str; 2] = ["--as-of", "2017-08-29T13:32:59Z"];

/// A store with a popular IP, one that was contacted long ago, and an IPv6 one.
fn place() -> Place {
    let place = Place::new();
    let log = place.file(
        "log",
        ndjson(&[
            ("host-1", "10.209.67.177", "2017-07-30T13:36:06Z"),
            ("host-1", "10.209.67.177", "2017-08-29T13:32:59Z"),
            ("host-2", "::ffff:10.209.67.177", "2017-08-28T09:00:00Z"),
            ("host-3", "10.209.67.177", "2017-08-28T09:00:30Z"),
            ("host-3", "203.0.113.7", "2017-08-02T10:00:00Z"),
            ("host-2", "2001:DB8::1", "2017-08-29T13:00:00Z"),
        ]),
    );
    place.import(&[&AS_OF[..], &[&log]].concat());
    place
}

fn stats(place: &Place, arguments: &[&str]) -> super::Done {
    place.run(&[&["stats"], &AS_OF[..], arguments].concat())
}

#[test]
fn one_json_line_an_ip_in_the_order_asked() {
    let ips = ["2001:db8:0::1", "192.0.2.1", "10.209.67.177", "not-an-ip", "203.0.113.7", "10.209.67.177"];
    let done = stats(&place(), &[&["--json", "--look-back-hours", "48"], &ips[..]].concat());
    assert_eq!(done.code, Some(1), "one is no IP: {done:?}");
    insta::assert_snapshot!(done.out, @r#"
    {"@odata.context":"http://127.0.0.1:8080/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats","ipAddress":"2001:db8::1","orgPrevalence":"1","organizationPrevalence":1,"orgFirstSeen":"2017-08-29T13:00:00Z","orgLastSeen":"2017-08-29T13:00:00Z"}
    {"ipAddress":"192.0.2.1","error":{"code":"ResourceNotFound","message":"IP address 192.0.2.1 was not contacted by any device of the organization in the last 30 days."}}
    {"@odata.context":"http://127.0.0.1:8080/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats","ipAddress":"10.209.67.177","orgPrevalence":"3","organizationPrevalence":3,"orgFirstSeen":"2017-08-28T09:00:00Z","orgLastSeen":"2017-08-29T13:32:59Z"}
    {"ipAddress":"not-an-ip","error":{"code":"InvalidIpAddress","message":"IP address not-an-ip is invalid."}}
    {"@odata.context":"http://127.0.0.1:8080/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats","ipAddress":"203.0.113.7","orgPrevalence":"0","organizationPrevalence":0,"orgFirstSeen":null,"orgLastSeen":null}
    {"@odata.context":"http://127.0.0.1:8080/api/$metadata#microsoft.windowsDefenderATP.api.InOrgIPStats","ipAddress":"10.209.67.177","orgPrevalence":"3","organizationPrevalence":3,"orgFirstSeen":"2017-08-28T09:00:00Z","orgLastSeen":"2017-08-29T13:32:59Z"}
    "#);
    assert_eq!(done.err, "");
}

#[test]
fn ips_come_from_standard_input_too() {
    let arguments = [&["stats", "--json"], &AS_OF[..], &["203.0.113.7", "-"]].concat();
    let done = place().run_with_input(&arguments, b"10.209.67.177\r\n\n  2001:db8::1  \n");
    assert_eq!(done.code, Some(0), "{done:?}");
    let ips: Vec<_> = done.out.lines().map(|line| line.split('"').nth(7).unwrap().to_owned()).collect();
    assert_eq!(ips, ["203.0.113.7", "10.209.67.177", "2001:db8::1"]);
}

#[test]
fn several_ips_are_a_table() {
    let done = stats(
        &place(),
        &["10.209.67.177", "2001:db8::1", "203.0.113.7", "192.0.2.1", "--look-back-hours", "48"],
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    insta::assert_snapshot!(done.out, @r#"
    IP                DEVICES  FIRST SEEN            LAST SEEN             FIRST EVER
    10.209.67.177           3  2017-08-28T09:00:00Z  2017-08-29T13:32:59Z  2017-07-30T13:36:06Z
    2001:db8::1             1  2017-08-29T13:00:00Z  2017-08-29T13:00:00Z  2017-08-29T13:00:00Z
    203.0.113.7             0  not within the look-back                    2017-08-02T10:00:00Z
    192.0.2.1               0  not in the last 30 days                     never
    "#);
    let invalid = stats(&place(), &["10.209.67.177", "nonsense"]);
    assert_eq!(invalid.code, Some(1));
    let row: Vec<_> = invalid.out.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row, ["nonsense", "not", "an", "IP", "address"], "no number of devices");
}

#[test]
fn a_single_ip_is_shown_with_all_that_is_known() {
    let done = stats(&place(), &["10.209.67.177"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    insta::assert_snapshot!(done.out, @r#"
    10.209.67.177
      contacted by  3 devices in the last 30 days
      first seen    2017-07-30T13:36:06Z  29 days ago
      last seen     2017-08-29T13:32:59Z  just now
      first ever    2017-07-30T13:36:06Z  29 days ago
      devices in    hour: 1   24 hours: 1   7 days: 3   30 days: 3
      per day       ····························█▄
                    2017-07-31 to 2017-08-29, most: 2 on 2017-08-28

      LAST CONTACT       DEVICE
      2017-08-29 13:32   host-1
      2017-08-28 09:00   host-2
      2017-08-28 09:00   host-3
    "#);
    insta::assert_snapshot!(stats(&place(), &["203.0.113.7", "--look-back-hours", "24"]).out, @r#"
    203.0.113.7
      not contacted in the last 24 hours, but within the last 30 days
      first ever    2017-08-02T10:00:00Z  27 days ago
      devices in    hour: 0   24 hours: 0   7 days: 0   30 days: 1
      per day       ··█···························
                    2017-07-31 to 2017-08-29, most: 1 on 2017-08-02
    "#);
    insta::assert_snapshot!(stats(&place(), &["192.0.2.1"]).out, @r#"
    192.0.2.1
      not contacted in the last 30 days
      first ever    never
    "#);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let place = Place::new();
    let done = place.run(&["stats", "10.0.0.1"]);
    assert_eq!(done.code, Some(1));
    insta::assert_snapshot!(done.err, @"error: there is no data folder data: import logs first, or name it with --data-dir, or ask a service with --server");
    assert!(!place.path("data").exists(), "a question makes no data folder");

    place.run(&[
        "import",
        &place.file("log", ndjson(&[("a", "10.0.0.1", "2017-08-29T13:32:59Z")])),
        "--as-of",
        AS_OF[1],
    ]);
    insta::assert_snapshot!(stats(&place, &["10.0.0.1/32"]).err, @"error: IP address 10.0.0.1/32 is invalid.");
    insta::assert_snapshot!(stats(&place, &["10.0.0.1", "--organization", "nobody"]).err, @r#"error: organization "nobody" is not configured; known: contoso = 3f2504e0-4f89-41d3-9a0c-0305e82c3301"#);
    insta::assert_snapshot!(place.run(&["stats", "10.0.0.1", "--as-of", "2017-08-01T00:00:00Z"]).err, @"error: --as-of 2017-08-01T00:00:00Z lies before data already stored (the newest is of 2017-08-29T13:32:59Z): pin the clock to 2017-08-29T13:32:59Z or later, or use another data folder");
    for hours in ["0", "721", "-1", "1.5", ""] {
        let done = stats(&place, &["10.0.0.1", "--look-back-hours", hours]);
        assert_eq!(done.code, Some(2), "{hours:?}: {done:?}");
    }
}

#[test]
fn a_folder_in_use_says_who_can_be_asked() {
    let place = place();
    let folder =
        ipstats_engine::Engine::open(&place.path("data"), &ipstats_engine::Options::default()).unwrap();
    let done = stats(&place, &["10.0.0.1"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("in use by process") && done.err.contains("ipstats stats --server URL"),
        "{done:?}"
    );
    drop(folder);
    assert_eq!(stats(&place, &["10.0.0.1"]).code, Some(0));
}

/// Without a configuration the organization is kept in the data folder: a misspelled folder has none.
#[test]
fn missing_folder_is_named_before_organization() {
    let place = Place::new();
    place.file("ipstats.toml", "");
    let done = place.run(&["stats", "192.0.2.1", "--data-dir", "misspelled"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("there is no data folder misspelled"), "{done:?}");
}
