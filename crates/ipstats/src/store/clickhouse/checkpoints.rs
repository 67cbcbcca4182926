//! How far sources were read: rows of which the latest counts.

use super::error::Failure;
use super::link::Statement;
use super::questions::literal;
use super::row_binary::{Values, push_string};
use crate::clock::Clock;
use ipstats_model::Organization;
use parking_lot::Mutex;

/// The numbers that order what is written: milliseconds since the epoch times a thousand, and more where that is not enough.
#[derive(Debug, Default)]
pub(super) struct Versions(Mutex<u64>);

impl Versions {
    fn next(&self) -> u64 {
        let now = u64::try_from(Clock::System.unix_millis()).unwrap_or_default().saturating_mul(1000);
        let mut last = self.0.lock();
        *last = now.max(last.saturating_add(1));
        *last
    }
}

/// Asks for all checkpoints of an organization: [`read`].
pub(super) fn question(organization: Organization) -> Statement {
    let sql = format!(
        "SELECT name, argMax(position, version) AS latest FROM checkpoints WHERE organization = {} \
         GROUP BY name HAVING argMax(forgotten, version) = 0 FORMAT RowBinary",
        literal(organization.as_bytes())
    );
    Statement { sql, ..Statement::default() }
}

/// Names and positions.
pub(super) fn read(answer: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let (mut values, mut checkpoints) = (Values::new(answer), Vec::new());
    while !values.is_empty() {
        checkpoints.push((values.text()?, values.bytes()?.to_vec()));
    }
    Ok(checkpoints)
}

/// Writes checkpoints: one block, which is there as a whole or not at all.
pub(super) fn insert(
    organization: Organization,
    checkpoints: &[(&str, Option<&[u8]>)],
    versions: &Versions,
    settings: Vec<(&'static str, String)>,
) -> Statement {
    let (version, mut rows) = (versions.next(), Vec::new());
    for (name, position) in checkpoints {
        rows.extend_from_slice(organization.as_bytes());
        push_string(&mut rows, name.as_bytes());
        push_string(&mut rows, position.unwrap_or_default());
        rows.push(u8::from(position.is_none()));
        rows.extend_from_slice(&version.to_le_bytes());
    }
    Statement {
        sql: "INSERT INTO checkpoints (organization, name, position, forgotten, version) FORMAT RowBinary"
            .to_owned(),
        rows: Some(rows.into()),
        settings,
        is_outside: false,
    }
}
