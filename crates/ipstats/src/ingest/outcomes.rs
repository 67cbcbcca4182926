//! How many records ended where: the one sum of outcomes, and why none counts where none does.

use crate::numbers::grouped;
use ipstats_formats::{Hints, NotAConnection, Tally};
use ipstats_model::Recorded;

/// How many records ended where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Durable and answerable.
    pub counted: u64,
    /// Older than retention, or too far in the future.
    pub outside_retention: u64,
    /// Could not be read.
    pub malformed: u64,
    not_a_connection: [u64; NotAConnection::ALL.len()],
    hints: Hints,
}

impl Outcomes {
    /// The outcomes of records that were parsed as `tally` says and of which `recorded` became durable.
    pub fn new(tally: &Tally, recorded: Recorded) -> Self {
        let mut outcomes = Self {
            counted: recorded.counted,
            outside_retention: recorded.too_old + recorded.too_far_ahead,
            malformed: tally.malformed(),
            not_a_connection: [0; NotAConnection::ALL.len()],
            hints: tally.hints(),
        };
        for (reason, count) in tally.not_a_connection() {
            if let Some(slot) = outcomes.not_a_connection.get_mut(reason as usize) {
                *slot += count;
            }
        }
        outcomes
    }

    /// Records that are no connections, by reason; reasons that did not occur are left out.
    pub fn not_a_connection(&self) -> impl Iterator<Item = (NotAConnection, u64)> {
        NotAConnection::ALL.into_iter().zip(self.not_a_connection).filter(|(_, count)| *count > 0)
    }

    /// How many of them are not connections.
    pub fn not_connections(&self) -> u64 {
        self.not_a_connection.iter().sum()
    }

    /// Records of any outcome.
    pub fn records(&self) -> u64 {
        self.counted + self.outside_retention + self.malformed + self.not_connections()
    }

    /// Why none counts: each reason with its share, the most frequent first, and what to do about it. Nothing where some
    /// do, or there are none.
    pub fn why_none_counts(&self) -> Option<String> {
        if self.counted > 0 || self.records() == 0 {
            return None;
        }
        let mut reasons: Vec<(u64, String)> =
            self.not_a_connection().map(|(reason, count)| (count, self.explain(reason, count))).collect();
        let others = [
            (self.outside_retention, "older than 30 days, or more than 5 minutes ahead of this clock"),
            (self.malformed, "malformed; check the format, the log names the first"),
        ];
        let others = others.map(|(count, why)| (count, why.to_owned()));
        reasons.extend(others.into_iter().filter(|(count, _)| *count > 0));
        reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let all = grouped(self.records());
        Some(match reasons.as_slice() {
            [(1, only)] => format!("the only record: {only}"),
            [(_, only)] => format!("all {all} records: {only}"),
            several => {
                let parts: Vec<_> =
                    several.iter().map(|(count, why)| format!("{} {why}", grouped(*count))).collect();
                format!("none of {all} records: {}", parts.join("; "))
            }
        })
    }

    /// What to do, where most records end in one reason that a setting or another log cures. Events of other types are the
    /// cause only where nothing counts: most agents send them as well.
    pub fn advice(&self) -> Option<String> {
        let (reason, count) = self.not_a_connection().max_by_key(|(_, count)| *count)?;
        let is_most = count > self.records() / 2;
        let is_expected = reason == NotAConnection::OtherEvent && self.counted > 0;
        let why = self.explain(reason, count);
        (is_most && !is_expected && why != reason.text())
            .then(|| format!("{} of {} records: {why}", grouped(count), grouped(self.records())))
    }

    /// What a reason means, and what to do where that helps.
    fn explain(&self, reason: NotAConnection, count: u64) -> String {
        let Hints { wrong_checksums, other_log } = self.hints;
        match (reason, other_log) {
            (NotAConnection::StartNotSeen | NotAConnection::Failed, _) if wrong_checksums > count / 2 => {
                format!(
                    "{}, with wrong checksums: the sensor's network card computes them (checksum offloading), and Zeek ignores \
                 such packets; set `redef ignore_checksums = T;` or run zeek -C",
                    reason.text()
                )
            }
            (NotAConnection::OtherEvent, Some(log)) => {
                format!("rows of {}.log of Zeek; send conn.log", log.as_str())
            }
            _ => advice(reason).to_owned(),
        }
    }

    /// Whether all records are events of other kinds.
    pub fn are_other_events(&self) -> bool {
        let others = self.not_a_connection().filter(|(reason, _)| *reason == NotAConnection::OtherEvent);
        others.map(|(_, count)| count).sum::<u64>() == self.records()
    }

    /// Adds the outcomes of other records.
    pub fn add(&mut self, other: &Self) {
        self.counted += other.counted;
        self.outside_retention += other.outside_retention;
        self.malformed += other.malformed;
        for (mine, theirs) in self.not_a_connection.iter_mut().zip(other.not_a_connection) {
            *mine += theirs;
        }
        self.hints.merge(other.hints);
    }
}

/// What a reason means, and what to set where that helps, in the words of the configuration.
const fn advice(reason: NotAConnection) -> &'static str {
    match reason {
        NotAConnection::NotInternal => {
            "both ends external; set internal_networks, or originator_is_device = true (flags of import: --internal-network, \
             --originator-is-device)"
        }
        NotAConnection::Failed => "failed or half-open attempts; count = \"attempted\" takes them in",
        NotAConnection::OtherTenant => {
            "of another tenant; declare it as [[organizations]] and send them there"
        }
        NotAConnection::OtherEvent => "other types of events; send the log of connections",
        NotAConnection::NoTemplate => {
            "flows before their template; let the exporter send templates every minute"
        }
        NotAConnection::DirectionUnknown => {
            "which end opened it is not shown; let the agent set network.direction (Elastic Common Schema), or send records that \
             show the direction (Suricata: flow in place of netflow)"
        }
        NotAConnection::Inbound
        | NotAConnection::Listening
        | NotAConnection::Inspected
        | NotAConnection::StartNotSeen
        | NotAConnection::NoRemoteIp
        | NotAConnection::Relay => reason.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(reasons: &[(NotAConnection, u64)], outside_retention: u64) -> Outcomes {
        let mut outcomes = Outcomes { outside_retention, ..Outcomes::default() };
        reasons.iter().for_each(|(reason, count)| outcomes.not_a_connection[*reason as usize] += count);
        outcomes
    }

    #[test]
    fn where_none_counts_the_reasons_are_told() {
        let external = outcomes(&[(NotAConnection::NotInternal, 12_000)], 0);
        assert_eq!(
            external.why_none_counts().unwrap(),
            "all 12,000 records: both ends external; set internal_networks, or originator_is_device = true (flags of import: \
             --internal-network, --originator-is-device)"
        );
        let one = outcomes(&[(NotAConnection::NoRemoteIp, 1)], 0);
        assert_eq!(one.why_none_counts().unwrap(), "the only record: no remote IP");
        let mixed = outcomes(&[(NotAConnection::Inbound, 3), (NotAConnection::NotInternal, 1_500)], 7);
        let told = mixed.why_none_counts().unwrap();
        assert!(told.starts_with("none of 1,510 records: 1,500 both ends external"), "{told}");
        assert!(told.ends_with("; 3 inbound, opened by the other side"), "{told}");
    }

    #[test]
    fn where_some_count_or_nothing_came_there_is_nothing_to_tell() {
        assert_eq!(Outcomes::default().why_none_counts(), None);
        let some = Outcomes { counted: 1, ..outcomes(&[(NotAConnection::NotInternal, 9)], 0) };
        assert_eq!(some.why_none_counts(), None);
    }

    #[test]
    fn advice_names_cure_of_most_records() {
        let external = Outcomes { counted: 3, ..outcomes(&[(NotAConnection::NotInternal, 9)], 0) };
        let advice = external.advice().unwrap();
        assert!(advice.starts_with("9 of 12 records: both ends external; set internal_networks"), "{advice}");
        let few = Outcomes { counted: 9, ..outcomes(&[(NotAConnection::NotInternal, 9)], 0) };
        assert_eq!(few.advice(), None);
        assert_eq!(outcomes(&[(NotAConnection::Inbound, 9)], 0).advice(), None, "inbound needs no advice");

        let midstream = outcomes(&[(NotAConnection::StartNotSeen, 9)], 0);
        assert_eq!(midstream.advice(), None);
        let hints = Hints { wrong_checksums: 8, ..Hints::default() };
        let advice = Outcomes { hints, ..midstream }.advice().unwrap();
        assert!(advice.contains("ignore_checksums"), "{advice}");

        let others = outcomes(&[(NotAConnection::OtherEvent, 9)], 0);
        let hints = Hints { other_log: ipstats_formats::LogName::new("dns"), ..Hints::default() };
        let named = Outcomes { hints, ..others };
        assert_eq!(named.advice().unwrap(), "9 of 9 records: rows of dns.log of Zeek; send conn.log");
        assert_eq!(Outcomes { counted: 1, ..named }.advice(), None, "agents send events of all kinds");
    }
}
