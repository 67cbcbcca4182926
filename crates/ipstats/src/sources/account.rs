//! What became of the records of one source: since the service began, and lately.
//!
//! Owns a sum of everything, sums over the last hour in slices of ten seconds, the newest event, what is still to be read,
//! and the last trouble. It is told the time, and its size does not depend on how many records there were.

use crate::ingest::Outcomes;
use ipstats_formats::Tally;
use ipstats_model::{Recorded, Timestamp};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Length of a slice, in seconds.
const SLICE_SECONDS: i64 = 10;

/// Slices that are kept: an hour of them.
const SLICES_MAX: i64 = 3600 / SLICE_SECONDS;

/// What a source has not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Of files, as they are stored.
    Bytes(u64),
    /// Of a topic.
    Records(u64),
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing hinders it.
    Running,
    /// Something does; it is tried again until it does not.
    Retrying,
    /// Nothing is tried any more.
    Failed,
}

/// What was sent to a source and not read, since the service began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// Datagrams and connections of senders that are not admitted, and uploads for which there is no room.
    pub refused: u64,
    /// Datagrams that the system dropped because more arrived than were read.
    pub dropped: u64,
    /// Times that no connection could be taken in, because the process has no file descriptor left or the like.
    pub pauses: u64,
}

/// The account of one source; shared by whoever brings its records and whoever looks at it.
#[derive(Debug, Default)]
pub struct Account(Mutex<Books>);

/// An account at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// How the source is.
    pub state: State,
    /// Everything since the service began.
    pub total: Outcomes,
    /// The last 60 seconds, to the ten seconds.
    pub last_minute: Outcomes,
    /// The last 60 minutes.
    pub last_hour: Outcomes,
    /// Time of the newest event that was read as a connection, ever since the service began.
    pub newest_event: Option<Timestamp>,
    /// What is still to be read, where that is known.
    pub backlog: Option<Backlog>,
    /// What was sent and not read.
    pub unread: Unread,
    /// What hinders the source, since when.
    pub trouble: Option<(Timestamp, String)>,
    /// What is odd about its data, although the records were read.
    pub warning: Option<String>,
    /// Why none of the records of the last hour counts, where that is so.
    pub none_counts: Option<String>,
    /// What to do, where some count and most of the last hour's end in one reason.
    pub advice: Option<String>,
}

#[derive(Debug, Default)]
struct Books {
    total: Outcomes,
    /// The oldest first; each with its number: seconds since the epoch over [`SLICE_SECONDS`].
    slices: VecDeque<(i64, Outcomes)>,
    newest_event: Option<Timestamp>,
    backlog: Option<Backlog>,
    unread: Unread,
    trouble: Option<(Timestamp, String)>,
    warning: Option<String>,
    has_failed: bool,
    /// Whether it was told that no record counts.
    told_useless: bool,
}

impl State {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
        }
    }
}

impl Account {
    /// Adds records at `now`. Where that is news, why none of the last hour's counts; most logs hold events of other kinds,
    /// and a log of nothing else is no news.
    pub fn add(&self, tally: &Tally, recorded: Recorded, now: Timestamp) -> Option<String> {
        let mut books = self.0.lock();
        books.newest_event = books.newest_event.max(tally.newest());
        let slice = slice_at(now);
        let outcomes = Outcomes::new(tally, recorded);
        books.total.add(&outcomes);
        match books.slices.back_mut() {
            // A clock that was set back goes on with the slice at hand.
            Some((last, sum)) if *last >= slice => sum.add(&outcomes),
            _ => books.slices.push_back((slice, outcomes)),
        }
        while books.slices.front().is_some_and(|(oldest, _)| *oldest <= slice - SLICES_MAX) {
            books.slices.pop_front();
        }
        if outcomes.counted > 0 {
            books.told_useless = false;
        }
        if books.told_useless {
            return None;
        }
        let hour = books.since(SLICES_MAX, slice);
        let why = if hour.are_other_events() { None } else { hour.why_none_counts() };
        books.told_useless = why.is_some();
        why
    }

    /// Sets what is still to be read.
    pub fn set_backlog(&self, backlog: Backlog) {
        self.0.lock().backlog = Some(backlog);
    }

    /// Sets what is odd about its data, although the records were read.
    pub fn set_warning(&self, warning: Option<String>) {
        self.0.lock().warning = warning;
    }

    /// The source begins, or begins again.
    pub fn begun(&self) {
        let mut books = self.0.lock();
        (books.backlog, books.trouble, books.has_failed) = (None, None, false);
    }

    /// Nobody brings records any more. Why is what hindered it last, or `unless_known`.
    pub fn failed(&self, unless_known: &str, now: Timestamp) {
        let mut books = self.0.lock();
        books.has_failed = true;
        books.trouble.get_or_insert_with(|| (now, unless_known.to_owned()));
    }

    /// Counts a datagram or connection of a sender that is not admitted, or an upload for which there is no room.
    pub fn refused(&self) {
        self.0.lock().unread.refused += 1;
    }

    /// Counts datagrams that the system dropped.
    pub fn dropped(&self, datagrams: u64) {
        self.0.lock().unread.dropped += datagrams;
    }

    /// Counts a pause in which no connection can be taken in.
    pub fn paused(&self) {
        self.0.lock().unread.pauses += 1;
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
        let current = slice_at(now);
        let last_hour = books.since(SLICES_MAX, current);
        let state = match &books.trouble {
            _ if books.has_failed => State::Failed,
            Some(_) => State::Retrying,
            None => State::Running,
        };
        Statement {
            state,
            total: books.total,
            last_minute: books.since(60 / SLICE_SECONDS, current),
            last_hour,
            newest_event: books.newest_event,
            backlog: books.backlog,
            unread: books.unread,
            trouble: books.trouble.clone(),
            warning: books.warning.clone(),
            none_counts: last_hour.why_none_counts(),
            advice: if last_hour.counted > 0 { last_hour.advice() } else { None },
        }
    }
}

impl Books {
    /// What came in the last `slices` up to `current`.
    fn since(&self, slices: i64, current: i64) -> Outcomes {
        let mut sum = Outcomes::default();
        let recent = self.slices.iter().filter(|(slice, _)| *slice > current - slices);
        recent.for_each(|(_, part)| sum.add(part));
        sum
    }
}

/// The number of the slice that `now` is in.
fn slice_at(now: Timestamp) -> i64 {
    now.second().div_euclid(SLICE_SECONDS)
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
        assert_eq!(account.statement(now).state, State::Retrying);
        assert!(account.recovered() && !account.recovered());
        assert_eq!(account.statement(now).state, State::Running);
    }

    #[test]
    fn what_failed_says_why_until_it_begins_again() {
        let (account, now) = (Account::default(), Timestamp::from_second(7));
        account.failed("it ended", now);
        let failed = account.statement(now);
        assert_eq!((failed.state, failed.trouble), (State::Failed, Some((now, "it ended".into()))));
        account.begun();
        account.trouble("no broker".into(), now);
        account.failed("it ended", now.plus_seconds(1));
        assert_eq!(account.statement(now).trouble, Some((now, "no broker".into())));
    }

    #[test]
    fn a_source_of_which_nothing_counts_is_news_once_and_again_after_it_counted() {
        let account = Account::default();
        let start = Timestamp::from_second(1_700_000_000);
        let outside = Recorded { too_old: 1, ..Recorded::default() };
        let told = |recorded, second| account.add(&Tally::default(), recorded, start.plus_seconds(second));
        assert!(told(outside, 0).is_some());
        assert_eq!(told(outside, 1), None);
        assert_eq!(told(counted(1), 2), None);
        // Not all of the last hour.
        assert_eq!(told(outside, 3), None);
        assert_eq!(account.statement(start.plus_seconds(3)).none_counts, None);
        assert!(told(outside, 3700).is_some());
        let statement = account.statement(start.plus_seconds(3700));
        assert!(statement.none_counts.is_some());
        assert_eq!((statement.total.counted, statement.total.outside_retention), (1, 4));
    }
}
