//! What became of the records of one source, lately.
//!
//! Owns sums over the last hour in slices of ten seconds, the newest event, and the last trouble. It is told the time, and
//! its size does not depend on how many records there were.

use ipstats_formats::{NotAConnection, Tally};
use ipstats_model::{Recorded, Timestamp};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Length of a slice, in seconds.
const SLICE_SECONDS: i64 = 10;

/// Slices that are kept: an hour of them.
const SLICES_MAX: i64 = 3600 / SLICE_SECONDS;

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

/// The account of one source; shared by whoever brings its records and whoever looks at it.
#[derive(Debug, Default)]
pub struct Account(Mutex<Books>);

/// An account at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The last 60 seconds, to the ten seconds.
    pub last_minute: Outcomes,
    /// The last 60 minutes.
    pub last_hour: Outcomes,
    /// Time of the newest event that was read as a connection, ever since the service began.
    pub newest_event: Option<Timestamp>,
    /// What hinders the source, since when.
    pub trouble: Option<(Timestamp, String)>,
}

#[derive(Debug, Default)]
struct Books {
    /// The oldest first; each with its number: seconds since the epoch over [`SLICE_SECONDS`].
    slices: VecDeque<(i64, Outcomes)>,
    newest_event: Option<Timestamp>,
    trouble: Option<(Timestamp, String)>,
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

    /// Records of any outcome.
    pub fn records(&self) -> u64 {
        self.counted + self.outside_retention + self.malformed + self.not_a_connection.iter().sum::<u64>()
    }

    fn add(&mut self, other: &Self) {
        self.counted += other.counted;
        self.outside_retention += other.outside_retention;
        self.malformed += other.malformed;
        for (mine, theirs) in self.not_a_connection.iter_mut().zip(other.not_a_connection) {
            *mine += theirs;
        }
    }
}

impl Account {
    /// Adds records at `now`.
    pub fn add(&self, tally: &Tally, recorded: Recorded, now: Timestamp) {
        let mut books = self.0.lock();
        books.newest_event = books.newest_event.max(tally.newest());
        let slice = now.second().div_euclid(SLICE_SECONDS);
        let outcomes = Outcomes::new(tally, recorded);
        match books.slices.back_mut() {
            // A clock that was set back goes on with the slice at hand.
            Some((last, sum)) if *last >= slice => sum.add(&outcomes),
            _ => books.slices.push_back((slice, outcomes)),
        }
        while books.slices.front().is_some_and(|(oldest, _)| *oldest <= slice - SLICES_MAX) {
            books.slices.pop_front();
        }
    }

    /// Notes what hinders the source; whether that is news.
    pub fn trouble(&self, what: String, now: Timestamp) -> bool {
        let trouble = &mut self.0.lock().trouble;
        if trouble.as_ref().is_some_and(|(_, known)| *known == what) {
            return false;
        }
        *trouble = Some((now, what));
        true
    }

    /// Nothing hinders the source any more; whether that is news.
    pub fn recovered(&self) -> bool {
        self.0.lock().trouble.take().is_some()
    }

    /// The account at `now`.
    pub fn statement(&self, now: Timestamp) -> Statement {
        let books = self.0.lock();
        let current = now.second().div_euclid(SLICE_SECONDS);
        let since = |slices: i64| {
            let mut sum = Outcomes::default();
            books
                .slices
                .iter()
                .filter(|(slice, _)| *slice > current - slices)
                .for_each(|(_, part)| sum.add(part));
            sum
        };
        Statement {
            last_minute: since(60 / SLICE_SECONDS),
            last_hour: since(SLICES_MAX),
            newest_event: books.newest_event,
            trouble: books.trouble.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(counted: u64) -> Recorded {
        Recorded { counted, ..Recorded::default() }
    }

    #[test]
    fn the_minute_and_the_hour_slide() {
        let account = Account::default();
        let start = Timestamp::from_second(1_700_000_000);
        for second in 0..7200 {
            account.add(&Tally::default(), counted(1), start.plus_seconds(second));
            let statement = account.statement(start.plus_seconds(second));
            let (minute, hour) = (statement.last_minute.counted, statement.last_hour.counted);
            assert!((second.min(50)..=60).contains(&i64::try_from(minute).unwrap()), "{second}: {minute}");
            assert!((second.min(3590)..=3600).contains(&i64::try_from(hour).unwrap()), "{second}: {hour}");
            assert!(account.0.lock().slices.len() <= 360);
        }
        let later = account.statement(start.plus_seconds(7200 + 3600));
        assert_eq!((later.last_minute.records(), later.last_hour.records()), (0, 0));
    }

    #[test]
    fn a_clock_that_is_set_back_loses_nothing() {
        let account = Account::default();
        let now = Timestamp::from_second(1_700_000_000);
        account.add(&Tally::default(), counted(1), now);
        account.add(&Tally::default(), counted(2), now.plus_seconds(-500));
        assert_eq!(account.statement(now).last_hour.counted, 3);
    }

    #[test]
    fn trouble_is_news_once() {
        let (account, now) = (Account::default(), Timestamp::from_second(7));
        assert!(account.trouble("no file".into(), now));
        assert!(!account.trouble("no file".into(), now.plus_seconds(1)));
        assert_eq!(account.statement(now).trouble, Some((now, "no file".into())));
        assert!(account.recovered() && !account.recovered());
    }
}
