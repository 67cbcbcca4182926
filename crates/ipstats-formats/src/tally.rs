//! What became of the records of a stream.

use crate::hints::Hints;
use crate::outcome::{Malformed, NotAConnection};
use ipstats_model::{Organization, Timestamp};
use std::fmt;

/// How many records ended where. Tallies of the frames of one stream are [merged](Self::merge) in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    connections: u64,
    not_a_connection: [u64; NotAConnection::ALL.len()],
    malformed: u64,
    issues: Vec<Issue>,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    other_tenant: Option<Organization>,
    hints: Hints,
}

/// One malformed record: where it is and what is wrong with it. Ordered by line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Issue {
    /// The line it starts on, counted from 1; in an EVTX file, the chunk.
    pub line: u64,
    /// What is wrong.
    pub problem: Malformed,
}

impl Tally {
    /// How many issues are kept: the first ones of the stream.
    pub const ISSUES_MAX: usize = 10;

    /// Connections that were put into the batch.
    pub const fn connections(&self) -> u64 {
        self.connections
    }

    /// Records that are no connections, by reason; reasons that did not occur are left out.
    pub fn not_a_connection(&self) -> impl Iterator<Item = (NotAConnection, u64)> {
        NotAConnection::ALL.into_iter().zip(self.not_a_connection).filter(|(_, count)| *count > 0)
    }

    /// Records that could not be read.
    pub const fn malformed(&self) -> u64 {
        self.malformed
    }

    /// The first malformed records of the stream, at most [`ISSUES_MAX`](Self::ISSUES_MAX), by line.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Records of any outcome.
    pub fn records(&self) -> u64 {
        self.connections + self.not_a_connection.iter().sum::<u64>() + self.malformed
    }

    /// Time of the oldest connection, inside retention or not.
    pub const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// Time of the newest connection, inside retention or not.
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// One of the tenants that records of [another tenant](NotAConnection::OtherTenant) name; of several the least.
    pub const fn other_tenant(&self) -> Option<Organization> {
        self.other_tenant
    }

    /// What the records show about the cause of their outcomes.
    pub const fn hints(&self) -> Hints {
        self.hints
    }

    pub(crate) const fn hints_mut(&mut self) -> &mut Hints {
        &mut self.hints
    }

    /// Adds the tally of other records of the same stream. The order of merging does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.connections += other.connections;
        for (mine, theirs) in self.not_a_connection.iter_mut().zip(other.not_a_connection) {
            *mine += theirs;
        }
        self.malformed += other.malformed;
        other.issues.iter().for_each(|issue| self.keep(issue.clone()));
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
        self.newest = self.newest.max(other.newest);
        self.other_tenant = self.other_tenant.into_iter().chain(other.other_tenant).min();
        self.hints.merge(other.hints);
    }

    /// Counts `count` records that cannot be decoded for one reason, such as messages of a damaged batch.
    pub fn undecodable(&mut self, count: u64, reason: String) {
        if count > 0 {
            self.malformed += count;
            self.keep(Issue { line: 1, problem: Malformed::Stream { reason } });
        }
    }

    /// Counts a message without a record, such as an empty one.
    pub fn other_event(&mut self) {
        self.not_a_connection_for(NotAConnection::OtherEvent);
    }

    /// Counts a connection at `at`.
    pub(crate) fn connection(&mut self, at: Timestamp) {
        self.connections += 1;
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
    }

    /// Keeps the tenant of a record that is not the organization's.
    pub(crate) fn belongs_to(&mut self, tenant: Organization) {
        self.other_tenant = Some(self.other_tenant.map_or(tenant, |kept| kept.min(tenant)));
    }

    /// Counts a record that is no connection.
    pub(crate) fn not_a_connection_for(&mut self, reason: NotAConnection) {
        if let Some(count) = self.not_a_connection.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Counts a malformed record that starts on `line`.
    pub(crate) fn malformed_at(&mut self, line: u64, problem: Malformed) {
        self.malformed += 1;
        self.keep(Issue { line, problem });
    }

    /// The tally with all its issues on `line`.
    pub(crate) fn on_line(mut self, line: u64) -> Self {
        self.issues.iter_mut().for_each(|issue| issue.line = line);
        self
    }

    /// Keeps an issue if it is one of the first. Several on one line are ordered by what they are, so that the order
    /// of merging does not show.
    fn keep(&mut self, issue: Issue) {
        let place = self.issues.partition_point(|kept| *kept <= issue);
        if place < Self::ISSUES_MAX {
            self.issues.truncate(Self::ISSUES_MAX - 1);
            self.issues.insert(place, issue);
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_in_any_order_keeps_the_first_issues_and_all_counts() {
        let parts: Vec<Tally> = (0..20)
            .map(|number| {
                let mut part = Tally::default();
                part.connection(Timestamp::from_second(number));
                part.not_a_connection_for(NotAConnection::NotInternal);
                part.belongs_to(Organization::from_bytes([20 - number.to_le_bytes()[0]; 16]));
                part.malformed_at(
                    1 + number.unsigned_abs() / 2,
                    Malformed::TooLong { bytes_max: 20 - part.issues.len() },
                );
                part.malformed_at(1 + number.unsigned_abs() / 2, Malformed::CutOff);
                part
            })
            .collect();
        let merge = |parts: &mut dyn Iterator<Item = &Tally>| {
            let mut whole = Tally::default();
            parts.for_each(|part| whole.merge(part));
            whole
        };
        let whole = merge(&mut parts.iter());
        assert_eq!(whole, merge(&mut parts.iter().rev()));
        assert_eq!((whole.connections(), whole.malformed(), whole.records()), (20, 40, 80));
        assert_eq!(whole.not_a_connection().collect::<Vec<_>>(), [(NotAConnection::NotInternal, 20)]);
        assert_eq!(whole.issues().len(), Tally::ISSUES_MAX);
        assert_eq!(whole.other_tenant(), Some(Organization::from_bytes([1; 16])));
        assert_eq!(whole.issues().last().map(|issue| issue.line), Some(3));
        assert_eq!(
            (whole.oldest(), whole.newest()),
            (Some(Timestamp::from_second(0)), Some(Timestamp::from_second(19)))
        );
    }
}
