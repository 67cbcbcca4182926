//! What the tables hold, in pieces, and pieces into the tables.
//!
//! Rows are read as they lie there, merged or not: every one of them is a fact that is joined. So no statement sorts or
//! groups, and a table of any size is read with little memory, here and there. A day that fails on the way is read again.
//! First contacts come last: whatever day was dropped before it could be read, they have its part of them.
//!
//! Contacts of a piece go the way of all rows, through `connections`. Moments and first contacts have no device, so they
//! go into the other tables as states.

use super::error::{ClickHouseError, Failure};
use super::link::Statement;
use super::row_binary::{self, Values};
use super::servers::mark_column;
use super::{ClickHouse, Shared};
use crate::store::{Checkpoint, LeftOut, StoreError};
use ipstats_model::limits::CLOCK_AHEAD_SECONDS_MAX;
use ipstats_model::{CanonicalIp, Organization, Piece, Timestamp, retention_start};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// How often a day is read, or a piece written, that fails for a reason that may pass. Writing insists each time.
const TRIES_MAX: u32 = 5;

/// Pause after the first failure; after each further one twice as long.
const PAUSE: Duration = Duration::from_secs(1);

type Each<'a> = &'a mut dyn FnMut(Piece) -> ControlFlow<()>;

impl ClickHouse {
    /// As `Store::read_pieces_here`.
    pub(in crate::store) fn read_pieces_here(
        &self,
        now: Timestamp,
        each: Each<'_>,
    ) -> Result<LeftOut, StoreError> {
        self.ask(async |_deadline| {
            let newest = self.shared.newest_event().await?.unwrap_or(now);
            // Whoever asks may have a clock that is behind the newest contact by as much as that may be ahead.
            let earliest_now = now.min(newest).plus_seconds(-CLOCK_AHEAD_SECONDS_MAX);
            let latest = now.plus_seconds(CLOCK_AHEAD_SECONDS_MAX);
            let mut reading = Reading {
                oldest: second(retention_start(earliest_now)),
                newest: second(latest),
                pieces: HashMap::new(),
                entries: 0,
                left_out: LeftOut::default(),
                each,
            };
            let _ = self.shared.read_all(&mut reading).await?;
            let _ = reading.pass_on_all();
            Ok(reading.left_out)
        })
    }

    /// As `Store::add_piece_here`.
    pub(in crate::store) fn add_piece_here(&self, piece: &Piece) -> Result<(), StoreError> {
        self.check_open()?;
        let written = self.handle.block_on(async {
            let organization = piece.organization;
            let contacts = row_binary::all_rows(organization, &piece.contacts);
            self.shared.put(&format!("connections ({})", row_binary::COLUMNS), contacts).await?;
            let minutes = rows(&piece.moments, organization, minute);
            self.shared.put("minutes (organization, ip, day, minute, first)", minutes).await?;
            let first_contacts = rows(&first_contacts(piece), organization, state);
            self.shared.put("first_contacts (organization, ip, first)", first_contacts).await
        });
        written.map_err(|error: ClickHouseError| StoreError::Write(error.into()))
    }

    /// As `Store::all_checkpoints_here`.
    pub(in crate::store) fn all_checkpoints_here(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let sql = "SELECT organization, name, argMax(position, version) FROM checkpoints GROUP BY organization, name \
                   HAVING argMax(forgotten, version) = 0 ORDER BY organization, name FORMAT RowBinary";
        self.ask(async |deadline| {
            let statement = Statement { sql: sql.to_owned(), ..Statement::default() };
            let answer = self.shared.servers.ask(&statement, deadline).await?;
            let (mut values, mut checkpoints) = (Values::new(&answer), Vec::new());
            while !values.is_empty() {
                let next = checkpoint(&mut values).map_err(|failure| self.shared.unreadable(failure))?;
                checkpoints.push(next);
            }
            Ok(checkpoints)
        })
    }
}

/// Rows on their way into pieces.
struct Reading<'a> {
    /// Seconds since the epoch between which contacts count.
    oldest: u32,
    newest: u32,
    pieces: HashMap<Organization, Piece>,
    entries: usize,
    left_out: LeftOut,
    each: Each<'a>,
}

/// A row of a table: an IP, a device where the table has one, and a time.
struct Row {
    organization: Organization,
    ip: CanonicalIp,
    device: Option<String>,
    second: u32,
}

/// What of a piece a table's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Contacts,
    Moments,
    FirstContacts,
}

impl Shared {
    async fn read_all(&self, reading: &mut Reading<'_>) -> Result<ControlFlow<()>, ClickHouseError> {
        for day in self.days_since(reading.oldest / 86_400).await? {
            // Devices first: a time without one is in no answer.
            for part in [Part::Contacts, Part::Moments] {
                let is_of_day = format!("day = toDate({day})");
                if self.read_part(part, &is_of_day, reading).await?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        // Days go whole: what was there when this began may be gone with one, and be in no contact that was read.
        let newest = self.newest_event().await?.unwrap_or(Timestamp::EPOCH);
        let dropped_before = second(retention_start(newest).day().start());
        let expired_before = reading.oldest.max(dropped_before);
        let has_expired = format!("toUInt32(finalizeAggregation(first)) < {expired_before}");
        self.read_part(Part::FirstContacts, &has_expired, reading).await
    }

    async fn read_part(
        &self,
        part: Part,
        condition: &str,
        reading: &mut Reading<'_>,
    ) -> Result<ControlFlow<()>, ClickHouseError> {
        let (table, device, time) = match part {
            Part::Contacts => ("contacts", "device, ", "last"),
            Part::Moments => ("minutes", "", "first"),
            Part::FirstContacts => ("first_contacts", "", "first"),
        };
        let sql = format!(
            "SELECT organization, ip, {device}toUInt32(finalizeAggregation({time})), {} FROM {table} \
             WHERE {condition} FORMAT RowBinary",
            mark_column()
        );
        let statement = Statement { sql, ..Statement::default() };
        let parse = |values: &mut Values<'_>| {
            Ok(Row {
                organization: Organization::from_bytes(values.array()?),
                ip: CanonicalIp::from_bytes(values.array()?),
                device: if part == Part::Contacts { Some(values.text()?) } else { None },
                second: values.u32()?,
            })
        };
        let mut failures = 0;
        loop {
            match self.servers.for_each_row(&statement, parse, |row| reading.add(part, &row)).await {
                Err(error) if error.may_pass() && failures + 1 < TRIES_MAX => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(failures)).await;
                    failures += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// The days on which there are contacts, from one day on.
    async fn days_since(&self, day: u32) -> Result<Vec<u16>, ClickHouseError> {
        let sql = format!(
            "SELECT DISTINCT toUInt16(day) AS number FROM contacts WHERE day >= toDate({day}) ORDER BY number \
             FORMAT RowBinary"
        );
        let answer = self.ask(sql).await?;
        let (mut values, mut days) = (Values::new(&answer), Vec::new());
        while !values.is_empty() {
            days.push(values.u16().map_err(|failure| self.unreadable(failure))?);
        }
        Ok(days)
    }

    /// Inserts rows; none is no insert.
    async fn put(&self, table_and_columns: &str, rows: Vec<u8>) -> Result<(), ClickHouseError> {
        if rows.is_empty() {
            return Ok(());
        }
        let statement = Statement {
            sql: format!("INSERT INTO {table_and_columns} FORMAT RowBinary"),
            rows: Some(rows.into()),
            settings: self.insert_settings(),
            is_outside: false,
        };
        let mut failures = 0;
        loop {
            match self.servers.insist(&statement, self.servers.deadline()).await {
                // Such as too many parts, which takes as long as it takes to merge them.
                Err(error) if error.may_pass() && failures + 1 < TRIES_MAX => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(failures)).await;
                    failures += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

impl Reading<'_> {
    fn add(&mut self, part: Part, row: &Row) -> ControlFlow<()> {
        if row.second > self.newest {
            self.left_out.too_far_ahead += u64::from(part == Part::Contacts);
            return ControlFlow::Continue(());
        }
        if row.second < self.oldest && part != Part::FirstContacts {
            return ControlFlow::Continue(());
        }
        let piece = self.pieces.entry(row.organization).or_insert_with(|| Piece::new(row.organization));
        let at = Timestamp::from_second(row.second.into());
        match (part, &row.device) {
            (Part::Contacts, device) => {
                let device = device.as_deref().unwrap_or_default();
                self.left_out.without_device += u64::from(!piece.add_contact(device, row.ip, at));
            }
            (Part::Moments, _) => piece.moments.push((row.ip, at)),
            (Part::FirstContacts, _) => piece.first_contacts.push((row.ip, at)),
        }
        self.entries += 1;
        if piece.is_full() {
            let full = self.pieces.remove(&row.organization);
            self.entries -= full.as_ref().map_or(0, Piece::len);
            return full.map_or(ControlFlow::Continue(()), |full| (self.each)(full));
        }
        if Piece::is_enough(self.entries) { self.pass_on_all() } else { ControlFlow::Continue(()) }
    }

    fn pass_on_all(&mut self) -> ControlFlow<()> {
        self.entries = 0;
        self.pieces
            .drain()
            .filter(|(_, piece)| !piece.is_empty())
            .try_for_each(|(_, piece)| (self.each)(piece))
    }
}

/// The first contacts of a piece that its rows of `connections` may not show: one of each run of an IP.
fn first_contacts(piece: &Piece) -> Vec<(CanonicalIp, Timestamp)> {
    let of_one_ip = piece.moments.chunk_by(|(one, _), (next, _)| one == next);
    let earliest = of_one_ip.filter_map(|moments| moments.iter().min_by_key(|(_, at)| *at).copied());
    piece.first_contacts.iter().copied().chain(earliest).collect()
}

fn checkpoint(values: &mut Values<'_>) -> Result<Checkpoint, Failure> {
    Ok((Organization::from_bytes(values.array()?), values.text()?, values.bytes()?.to_vec()))
}

fn rows(
    times: &[(CanonicalIp, Timestamp)],
    organization: Organization,
    columns: impl Fn(&mut Vec<u8>, u32),
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(times.len() * 48);
    for (ip, at) in times {
        bytes.extend_from_slice(organization.as_bytes());
        bytes.extend_from_slice(ip.as_bytes());
        columns(&mut bytes, second(*at));
    }
    bytes
}

/// Day, minute, and the state of the minimum.
fn minute(bytes: &mut Vec<u8>, second: u32) {
    let day = u16::try_from(second / 86_400).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&day.to_le_bytes());
    bytes.extend_from_slice(&(second / 60).to_le_bytes());
    state(bytes, second);
}

/// The state of a minimum or maximum of times, as ClickHouse keeps it: whether there is one, and which.
fn state(bytes: &mut Vec<u8>, second: u32) {
    bytes.push(1);
    bytes.extend_from_slice(&second.to_le_bytes());
}

fn second(time: Timestamp) -> u32 {
    u32::try_from(time.second().max(0)).unwrap_or(u32::MAX)
}
