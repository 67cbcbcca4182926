//! Rows that others insert, by the statements of docs/scaling.md.

use super::query;
use crate::store::new_organization;
use ipstats::store::Store;
use ipstats_model::{CanonicalIp, IpStatistics, LookBack, Timestamp, Window};

const DOCUMENT: &str = include_str!("../../../../../../docs/scaling.md");

pub(super) fn rows_inserted_as_the_documentation_says_count(store: &Store, url: &str) {
    let statements = DOCUMENT.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let block = statements.filter(|sql| sql.contains("text_connections")).collect::<String>();
    let statements: Vec<_> = block.split(';').map(str::trim).filter(|sql| !sql.is_empty()).collect();
    assert_eq!(statements.len(), 2, "{block}");
    statements.iter().for_each(|sql| drop(query(url, sql)));

    let (organization, now) = (new_organization(), "2018-06-01T12:00:00Z".parse::<Timestamp>().unwrap());
    for ip in ["198.51.100.7", "2001:db8::7"] {
        let row = format!(
            r#"{{"organization":"{organization}","ip":"{ip}","device":"laptop","time":{}}}"#,
            now.second()
        );
        query(url, &format!("INSERT INTO ipstats.text_connections FORMAT JSONEachRow\n{row}\n"));
        let ip: CanonicalIp = ip.parse().unwrap();
        let answer = store.statistics_here(organization, ip, Window::ending_at(now, LookBack::MAX)).unwrap();
        let seen = IpStatistics::Seen { prevalence: 1, first_seen: now, last_seen: now };
        assert_eq!(answer, seen, "{ip}");
    }
}
