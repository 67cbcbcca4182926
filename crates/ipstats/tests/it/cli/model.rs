//! A naive model of the index: all connections in a list.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// A connection: device, IP, second.
pub(crate) type Connection = (String, IpAddr, i64);

/// Everything that was recorded.
#[derive(Debug, Default, Clone)]
pub(crate) struct Model {
    pub(crate) connections: Vec<Connection>,
}

impl Model {
    /// The last second of the log; none when nothing in it is a connection.
    pub(crate) fn end(&self) -> Option<i64> {
        self.connections.iter().map(|(_, _, at)| *at).max()
    }

    /// Every IP in the log.
    pub(crate) fn ips(&self) -> BTreeSet<IpAddr> {
        self.connections.iter().map(|(_, ip, _)| *ip).collect()
    }

    /// Devices, first and last contact; none outside the window.
    pub(crate) fn statistics(&self, ip: IpAddr, now: i64, hours: i64) -> Option<(u64, i64, i64)> {
        let start = now - now.rem_euclid(60) - hours * 3600;
        let inside: Vec<_> =
            self.connections.iter().filter(|(_, to, at)| *to == ip && *at >= start).collect();
        let devices: BTreeSet<_> = inside.iter().map(|(device, _, _)| device).collect();
        let first = inside.iter().map(|(_, _, at)| *at).min()?;
        let last = inside.iter().map(|(_, _, at)| *at).max()?;
        Some((devices.len() as u64, first, last))
    }

    /// The line that `stats --json` prints about `ip`, as far as the model knows it.
    pub(crate) fn answer(&self, ip: IpAddr, now: i64, hours: i64) -> Answer {
        match (self.statistics(ip, now, hours), self.statistics(ip, now, 720)) {
            (Some((devices, first, last)), _) => {
                Answer::Statistics(devices, Some(rfc3339(first)), Some(rfc3339(last)))
            }
            (None, Some(_)) => Answer::Statistics(0, None, None),
            (None, None) => Answer::NotFound,
        }
    }
}

/// What is asked for of a line of `stats --json`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Statistics(u64, Option<String>, Option<String>),
    NotFound,
}

impl Answer {
    pub(crate) fn read(line: &str) -> Self {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["error"]["code"] == "ResourceNotFound" {
            return Self::NotFound;
        }
        let text = |field: &str| line[field].as_str().map(str::to_owned);
        assert_eq!(text("orgPrevalence").unwrap(), line["organizationPrevalence"].to_string());
        Self::Statistics(
            line["organizationPrevalence"].as_u64().unwrap(),
            text("orgFirstSeen"),
            text("orgLastSeen"),
        )
    }
}

pub(crate) fn rfc3339(second: i64) -> String {
    ipstats_model::Timestamp::from_second(second).to_string()
}
