//! When flows began, and events that are not flows.

use super::{Bytes, DEVICE, EXPORTED, REMOTE, ipfix, read, reasons, template, v9};
use ipstats_formats::Settings;

const DAY_MILLIS: i64 = 86_400_000;

/// Addresses, ports, and flowStartSysUpTime.
const FIELDS: [(u16, u16); 5] = [(8, 4), (12, 4), (7, 2), (11, 2), (22, 4)];

fn flow(uptime_millis: i64) -> Bytes {
    let wrapped = u32::try_from(uptime_millis.rem_euclid(1 << 32)).unwrap();
    Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 443]).u32(&[wrapped])
}

/// An options template with one field in its scope, observationDomainId, and systemInitTimeMilliseconds; and its record.
fn exporter_start(millis: i64) -> Bytes {
    let options = Bytes::default().u16(&[400, 2, 1, 149, 4, 160, 8]);
    let record = Bytes::default().u32(&[1]).u64(u64::try_from(millis).unwrap());
    Bytes::default().set(3, &options).set(400, &record)
}

#[test]
fn uptime_wraps_after_49_days() {
    let exported = i64::from(EXPORTED) * 1000;
    for up_days in [0, 1, 24, 25, 49, 50, 100, 400] {
        // Also from before the exporter's start, as in a capture that is replayed.
        for seconds_ago in [20, 3600, 86_400] {
            let start = exported - up_days * DAY_MILLIS;
            let uptime = up_days * DAY_MILLIS - seconds_ago * 1000;
            let datagrams = [
                ipfix(1, &Bytes::default().set(2, &template(300, &FIELDS))),
                ipfix(1, &exporter_start(start)),
                ipfix(1, &Bytes::default().set(300, &flow(uptime))),
            ];
            let (connections, tally) = read(&datagrams, &Settings::default());
            assert_eq!((connections.len(), tally.records()), (1, 1), "{up_days} {seconds_ago}");
            assert_eq!(
                tally.newest().unwrap().second(),
                i64::from(EXPORTED) - seconds_ago,
                "up {up_days} days"
            );
        }
    }
}

#[test]
fn start_of_domain_0_is_for_all_domains() {
    let start = i64::from(EXPORTED) * 1000 - 60_000;
    let flows = Bytes::default().set(2, &template(300, &FIELDS)).set(300, &flow(30_000));
    let datagrams = |domain| [ipfix(domain, &exporter_start(start)), ipfix(7, &flows)];
    let (connections, _) = read(&datagrams(0), &Settings::default());
    assert_eq!(connections, ["10.0.0.5 203.0.113.7 2026-11-01T09:59:30Z"]);
    let (_, tally) = read(&datagrams(8), &Settings::default());
    assert_eq!((tally.connections(), tally.malformed()), (0, 1), "another domain");
}

#[test]
fn flow_without_start_counts_by_its_end() {
    let read_with = |element: u16, value: u64| {
        let fields = [(8, 4), (12, 4), (7, 2), (11, 2), (element, 8)];
        let record = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[49_152, 443]).u64(value);
        read(&[v9(&Bytes::default().set(0, &template(256, &fields)).set(256, &record))], &Settings::default())
    };
    let seconds = u64::from(EXPORTED) - 5;
    let ntp = (seconds + 2_208_988_800) << 32;
    for (element, value) in [
        (150, seconds),
        (151, seconds),
        (152, seconds * 1000 + 999),
        (153, seconds * 1000),
        (154, ntp),
        (157, ntp),
        (21, 95_000),
        (158, 4_500_000),
        (322, seconds),
        (323, seconds * 1000),
        (325, ntp),
    ] {
        let (connections, tally) = read_with(element, value);
        assert_eq!(connections, ["10.0.0.5 203.0.113.7 2026-11-01T09:59:55Z"], "{element} {tally:?}");
    }
    let (_, tally) = read_with(1, 100);
    assert_eq!(tally.malformed(), 1);
    assert!(tally.issues()[0].problem.to_string().contains("flowStartMilliseconds (152)"));
}

#[test]
fn nat_events_are_other_events() {
    // Addresses, translated source, ports, protocol, observationTimeMilliseconds, natEvent.
    let fields = [(8, 4), (225, 4), (12, 4), (7, 2), (227, 2), (11, 2), (4, 1), (323, 8), (230, 1)];
    let record = |event| {
        let ends = Bytes::default().u8(&DEVICE).u8(&[198, 51, 100, 1]).u8(&REMOTE).u16(&[49_152, 1024, 443]);
        ends.u8(&[6]).u64(u64::from(EXPORTED) * 1000).u8(&[event])
    };
    for event in [1, 2, 3, 4, 5, 13] {
        let sets = Bytes::default().set(2, &template(256, &fields)).set(256, &record(event));
        let (_, tally) = read(&[ipfix(1, &sets)], &Settings::default());
        assert_eq!((reasons(&tally), tally.records()), (vec![("otherEvent", 1)], 1), "natEvent {event}");
    }
}

#[test]
fn firewall_events_count_by_their_time() {
    // Cisco ASA: addresses, ports, protocol, firewallEvent, observationTimeMilliseconds.
    let fields = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (233, 1), (323, 8)];
    let record = |event| {
        let ends = Bytes::default().u8(&DEVICE).u8(&REMOTE).u16(&[443, 50_000]);
        ends.u8(&[6, event]).u64(u64::from(EXPORTED) * 1000 - 1)
    };
    let sets = Bytes::default().set(0, &template(256, &fields)).set(256, &record(1).u8(&record(3).0));
    let (connections, tally) = read(&[v9(&sets)], &Settings::default());
    assert_eq!(connections, ["10.0.0.5 203.0.113.7 2026-11-01T09:59:59Z"]);
    assert_eq!((reasons(&tally), tally.malformed()), (vec![("failed", 1)], 0));
}
