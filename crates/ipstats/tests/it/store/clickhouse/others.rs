//! Rows that others insert, by the statements of docs/scaling.md.

use super::query;
use crate::store::new_organization;
use flate2::Compression;
use flate2::write::GzEncoder;
use ipstats::store::Store;
use ipstats_model::{CanonicalIp, IpStatistics, LookBack, Organization, Timestamp, Window};
use std::io::Write;

const DOCUMENT: &str = include_str!("../../../../../../docs/scaling.md");

/// Where the rows of the documents' statements go.
const IP: &str = "198.51.100.7";

fn now() -> Timestamp {
    "2018-06-01T12:00:00Z".parse().unwrap()
}

/// The statements of the block in the documents that has this word.
fn statements(word: &str) -> Vec<&'static str> {
    let blocks = DOCUMENT.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let [block] = blocks.filter(|sql| sql.contains(word)).collect::<Vec<_>>()[..] else {
        panic!("there is one block with {word}")
    };
    block.split(';').map(str::trim).filter(|sql| !sql.is_empty()).collect()
}

fn check(store: &Store, organization: Organization, ip: &str, devices: u64) {
    let ip: CanonicalIp = ip.parse().unwrap();
    let answer = store.statistics_here(organization, ip, Window::ending_at(now(), LookBack::MAX)).unwrap();
    let seen = IpStatistics::Seen { prevalence: devices, first_seen: now(), last_seen: now() };
    assert_eq!(answer, seen, "{ip}");
}

/// The table that takes text, and what is inserted into it.
pub(super) fn text_counts(store: &Store, url: &str) {
    let text = statements("text_connections");
    assert_eq!(text.len(), 2, "{text:?}");
    text.iter().for_each(|sql| drop(query(url, sql)));
    let organization = new_organization();
    for ip in ["198.51.100.7", "::ffff:198.51.100.8", "2001:DB8::7", "2001:db8:0:0::8"] {
        let row = format!(
            r#"{{"organization":"{organization}","ip":"{ip}","device":"laptop","time":{}}}"#,
            now().second()
        );
        for _ in 0..2 {
            query(url, &format!("INSERT INTO ipstats.text_connections FORMAT JSONEachRow\n{row}\n"));
            check(store, organization, ip, 1);
        }
    }
    let nowhere = format!(r#"{{"organization":"{organization}","ip":"198.51.100","device":"x","time":1}}"#);
    let insert = format!("INSERT INTO ipstats.text_connections FORMAT JSONEachRow\n{nowhere}\n");
    let refused = reqwest::blocking::Client::new().post(url).body(insert).send().unwrap();
    assert!(!refused.status().is_success(), "{}", refused.text().unwrap());
    vector(store, url);

    // The other table cannot be made in an engine without servers; what its view selects is the same.
    let [_, kafka] = statements("kafka_connections")[..] else { panic!("a table and a view") };
    assert_eq!(kafka.replace("kafka_", "text_"), text[1]);
}

/// As Vector's sink `clickhouse` sends rows: that of the documents, in the form of 2026 and in that of before.
fn vector(store: &Store, url: &str) {
    for (number, (statement, names)) in [
        (
            "INSERT+INTO+%7Bdatabase%3AIdentifier%7D.%7Btable%3AIdentifier%7D+FORMAT+JSONEachRow",
            "&param_database=ipstats&param_table=text_connections",
        ),
        ("INSERT+INTO+%22ipstats%22.%22text_connections%22+FORMAT+JSONEachRow", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let organization = new_organization();
        let mut body = GzEncoder::new(Vec::new(), Compression::default());
        for device in ["laptop", "phone", "laptop"] {
            let (upper, time) = (organization.to_string().to_uppercase(), now());
            writeln!(
                body,
                r#"{{"device":"{device}","ip":"{IP}","organization":"{upper}","source_type":"file","time":"{time}"}}"#
            )
            .unwrap();
        }
        let url = format!(
            "{url}/?input_format_import_nested_json=1&input_format_skip_unknown_fields=1&date_time_input_format=best_effort\
             &query={statement}{names}"
        );
        let request =
            reqwest::blocking::Client::new().post(url).header("Content-Type", "application/x-ndjson");
        let answer = request.header("Content-Encoding", "gzip").body(body.finish().unwrap()).send().unwrap();
        assert!(answer.status().is_success(), "{number}: {}", answer.text().unwrap());
        check(store, organization, IP, 2);
    }
}

/// A row as somebody inserts it by hand, for which an old server is enough.
pub(super) fn a_row_by_hand_counts(store: &Store, url: &str) {
    let [statement] = statements("by hand")[..] else { panic!("one statement") };
    let organization = new_organization();
    let told = "7a9c2b4e-3d1f-4e6a-9b8c-5d0e1f2a3b4c";
    assert!(statement.contains(told) && statement.contains("2026-11-24 12:00:00"), "{statement}");
    let statement = statement.replace(told, &organization.to_string());
    let statement = statement.replace("2026-11-24 12:00:00", "2018-06-01 12:00:00");
    for _ in 0..2 {
        query(url, &statement);
        check(store, organization, IP, 1);
    }
}
