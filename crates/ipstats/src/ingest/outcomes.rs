//! How many records ended where: the one sum of outcomes, and why none counts where none does.

use crate::numbers::grouped;
use ipstats_formats::{NotAConnection, Tally};
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
}

impl Outcomes {
    /// The outcomes of records that were parsed as `tally` says and of which `recorded` became durable.
    pub fn new(tally: &Tally, recorded: Recorded) -> Self {
        let mut outcomes = Self {
            counted: recorded.counted,
            outside_retention: recorded.too_old + recorded.too_far_ahead,
            malformed: tally.malformed(),
            not_a_connection: [0; NotAConnection::ALL.len()],
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
        let mut reasons: Vec<(u64, &str)> =
            self.not_a_connection().map(|(reason, count)| (count, advice(reason))).collect();
        let others = [
            (self.outside_retention, "older than 30 days, or more than 5 minutes ahead of this clock"),
            (self.malformed, "malformed; check the format, the log names the first"),
        ];
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

    /// Whether nothing came but events of other kinds.
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
    }
}

/// What a reason means, and what to set where that helps, in the words of the configuration.
const fn advice(reason: NotAConnection) -> &'static str {
    match reason {
        NotAConnection::NotInternal => {
            "both ends external; set internal_networks, or originator_is_device = true"
        }
        NotAConnection::Failed => "failed or half-open attempts; count = \"attempted\" takes them in",
        NotAConnection::OtherTenant => {
            "of another tenant; declare it as [[organizations]] and send them there"
        }
        NotAConnection::OtherEvent => "other types of events; send the log of connections",
        NotAConnection::NoTemplate => {
            "flows before their template; let the exporter send templates every minute"
        }
        NotAConnection::Inbound
        | NotAConnection::Listening
        | NotAConnection::Inspected
        | NotAConnection::StartNotSeen
        | NotAConnection::DirectionUnknown
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
            "all 12,000 records: both ends external; set internal_networks, or originator_is_device = true"
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
}
