//! Which half of a flow a record is, in logs that show each direction by itself: Suricata's `netflow`.
//!
//! A record does not say which end started the flow, and nothing in it tells: once a connection stands, both directions have
//! the same flags. But the half that started it is written first, and the other right behind it, under the same id and with
//! the same start. So whoever sees a log in its order, the framer, remembers who came first.
//!
//! The halves may come in two pieces of a log: requests, messages, files. Those who read the pieces share a memory. And a piece may
//! come again, because its answer was lost or it could not be recorded; so what is remembered is which end started, not that
//! an answer is still to come.
//!
//! Invariants:
//! - A half that is read again is again what it was, for as long as its flow is remembered.
//! - The half that was written first is never taken for the answer, also where the answer overtook it.
//! - The memory is bounded, whoever shares it, and is of records, not of bytes: how a stream is cut does not show.

mod openings;
mod recent;

pub use openings::Openings;

use ipstats_model::{CanonicalIp, Timestamp};
use parking_lot::Mutex;
use recent::Recent;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// Flows in one of the two generations that are remembered. What fills a table of 65,536 places: 1.6 MiB.
const GENERATION_FLOWS_MAX: usize = 57_344;

/// What is remembered of flows whose two halves are records of their own. Clones share one memory, and read one piece of a log.
#[derive(Clone, Debug, Default)]
pub struct Halves {
    memory: Arc<Mutex<Memory>>,
    /// Whose flows these are.
    log: u64,
    recent: Arc<Mutex<Recent>>,
    /// Which piece of the log is read with it.
    piece: u32,
}

/// One direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    /// What the log calls the flow.
    pub(crate) flow: i64,
    /// When the flow started, where the record says it.
    pub(crate) start: Option<Timestamp>,
    pub(crate) source: CanonicalIp,
    pub(crate) destination: CanonicalIp,
    /// When the record was written, in microseconds; 0 where it does not say.
    pub(crate) written_micros: i64,
}

/// Flows by a hash of all that both halves say: two that meet are one in 10^14.
#[derive(Debug, Default)]
struct Memory {
    hasher: RandomState,
    young: HashMap<u64, Opening>,
    /// What was young before; forgotten when the young ones are as many.
    old: HashMap<u64, Opening>,
}

/// The half that started a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opening {
    written_micros: i64,
    /// Whether its source is the lower of the two addresses.
    from_lower: bool,
}

impl Halves {
    /// The same memory for a reader of `log`: its flows are not those of other logs.
    #[must_use]
    pub fn of(&self, log: impl Hash) -> Self {
        let memory = Arc::clone(&self.memory);
        let log = memory.lock().hasher.hash_one(log);
        Self { memory, log, ..Self::default() }
    }

    /// The same log for another reader, whose news are its own.
    #[must_use]
    pub fn of_another_reader(&self) -> Self {
        Self { recent: Arc::default(), ..self.clone() }
    }

    /// The same for another piece of the log, which this reader may have to read again without those before it.
    #[must_use]
    pub fn of_another_piece(&self) -> Self {
        let piece = self.recent.lock().begin_piece();
        Self { piece, ..self.clone() }
    }

    /// Remembers what was known of the log when somebody asked for [`news`](Self::news).
    pub fn recall(&self, openings: &Openings) {
        let mut memory = self.memory.lock();
        openings.0.iter().for_each(|opening| memory.recall(self.log, opening));
    }

    /// What is to be known of the log after a crash, if more was read of it since this was asked for; `known` was until then.
    pub fn news(&self, known: &Openings) -> Option<Openings> {
        let news = self.recent.lock().take();
        let openings = if news.is_empty() { return None } else { known.with(&news) };
        (openings != *known).then_some(openings)
    }

    /// Takes the next half: whether it is the answer to one that came before.
    pub(crate) fn is_answer(&self, half: &Half) -> bool {
        let opening = self.memory.lock().answered(self.log, half);
        let mut recent = self.recent.lock();
        match opening {
            Some(Opening { written_micros, .. }) => {
                recent.answered(self.piece, Half { written_micros, ..half.turned() });
            }
            None => recent.opened(self.piece, *half),
        }
        opening.is_some()
    }
}

impl Half {
    /// The half from the other end, as far as it is the same.
    const fn turned(self) -> Self {
        Self { source: self.destination, destination: self.source, ..self }
    }

    fn ends(&self) -> (CanonicalIp, CanonicalIp) {
        (self.source.min(self.destination), self.source.max(self.destination))
    }

    fn is_of_same_flow(&self, other: &Self) -> bool {
        self.flow == other.flow && self.start == other.start && self.ends() == other.ends()
    }
}

impl From<&Half> for Opening {
    fn from(half: &Half) -> Self {
        Self { written_micros: half.written_micros, from_lower: half.source < half.destination }
    }
}

impl Memory {
    /// The opening that `half` is the answer to; else `half` is one itself.
    fn answered(&mut self, log: u64, half: &Half) -> Option<Opening> {
        let (flow, this) = (self.flow(log, half), Opening::from(half));
        match self.known(flow) {
            Some(known) if known.from_lower == this.from_lower => None,
            Some(known) if known.written_micros <= this.written_micros => Some(known),
            Some(_) | None => {
                self.remember(flow, this);
                None
            }
        }
    }

    /// Remembers an opening of a former process, unless more is known.
    fn recall(&mut self, log: u64, opening: &Half) {
        let flow = self.flow(log, opening);
        if self.known(flow).is_none() {
            self.remember(flow, opening.into());
        }
    }

    fn flow(&self, log: u64, half: &Half) -> u64 {
        self.hasher.hash_one((log, half.flow, half.start, half.ends()))
    }

    fn known(&self, flow: u64) -> Option<Opening> {
        self.young.get(&flow).or_else(|| self.old.get(&flow)).copied()
    }

    fn remember(&mut self, flow: u64, opening: Opening) {
        if self.young.len() == GENERATION_FLOWS_MAX {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(flow, opening);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: [&str; 2] = ["10.0.0.1", "8.8.8.8"];
    const BACK: [&str; 2] = ["8.8.8.8", "10.0.0.1"];

    fn half(flow: i64, [source, destination]: [&str; 2], written_micros: i64) -> Half {
        Half {
            flow,
            start: Some(Timestamp::from_second(7)),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            written_micros,
        }
    }

    #[test]
    fn the_second_half_is_the_answer_however_often_both_come() {
        let halves = Halves::default();
        for _ in 0..3 {
            assert!(!halves.is_answer(&half(7, THERE, 1)));
            assert!(halves.is_answer(&half(7, BACK, 1)));
            assert!(halves.is_answer(&half(7, BACK, 1)), "it comes again alone");
        }
    }

    #[test]
    fn an_answer_is_of_the_same_flow_between_the_same_ends() {
        let halves = Halves::default();
        assert!(!halves.is_answer(&half(7, THERE, 1)));
        assert!(!halves.is_answer(&half(8, BACK, 2)), "another flow");
        assert!(!halves.is_answer(&half(7, ["8.8.8.8", "10.0.0.2"], 2)), "of another sensor");
        let later = Half { start: Some(Timestamp::from_second(8)), ..half(7, BACK, 2) };
        assert!(!halves.is_answer(&later), "an id that is used again");
    }

    #[test]
    fn what_was_written_first_started_the_flow_though_it_comes_second() {
        let halves = Halves::default();
        assert!(!halves.is_answer(&half(7, BACK, 2)), "nothing tells yet");
        assert!(!halves.is_answer(&half(7, THERE, 1)));
        assert!(halves.is_answer(&half(7, BACK, 2)), "now it does");
        assert!(!halves.is_answer(&half(7, THERE, 1)));
    }

    #[test]
    fn logs_share_the_memory_and_not_their_flows() {
        let halves = Halves::default();
        let (one, same, other) = (halves.of("one"), halves.of("one"), halves.of("other"));
        assert!(!one.is_answer(&half(7, THERE, 1)));
        assert!(!other.is_answer(&half(7, BACK, 2)));
        assert!(same.is_answer(&half(7, BACK, 2)));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let halves = Halves::default();
        let flows = 3 * i64::try_from(GENERATION_FLOWS_MAX).unwrap();
        for flow in 0..flows {
            assert!(!halves.is_answer(&half(flow, THERE, 1)));
        }
        let memory = halves.memory.lock();
        assert_eq!(memory.young.len() + memory.old.len(), 2 * GENERATION_FLOWS_MAX);
        assert!(memory.young.capacity().max(memory.old.capacity()) <= GENERATION_FLOWS_MAX, "what it takes");
        drop(memory);
        assert!(!halves.is_answer(&half(0, BACK, 2)));
        assert!(halves.is_answer(&half(flows - 1, BACK, 2)));
    }

    /// Another process reads on with what is known of the log.
    fn after_a_crash(openings: &Openings) -> Halves {
        let halves = Halves::default();
        halves.recall(&Openings::decode(&openings.encode()).unwrap());
        halves
    }

    #[test]
    fn what_is_torn_by_a_crash_is_known_again() {
        let halves = Halves::default();
        assert!(!halves.is_answer(&half(6, THERE, 1)));
        assert!(halves.is_answer(&half(6, BACK, 1)));
        assert_eq!(halves.news(&Openings::default()), None, "whoever reads it again meets both");
        assert!(!halves.is_answer(&half(7, THERE, 1)));
        let open = halves.news(&Openings::default()).unwrap();
        assert_eq!(halves.news(&open), None);

        let next = after_a_crash(&open);
        assert!(next.is_answer(&half(7, BACK, 2)));
        assert_eq!(next.news(&open), None, "it is known already");
        // The piece with the answer is read again.
        assert!(after_a_crash(&open).is_answer(&half(7, BACK, 2)));
    }

    #[test]
    fn a_piece_with_more_flows_than_are_kept_can_be_read_again() {
        let halves = Halves::default();
        assert!(!halves.is_answer(&half(0, BACK, 1)));
        let open = halves.news(&Openings::default()).unwrap();
        let piece = || (1..2000).map(|flow| half(flow, THERE, 3));
        assert!(halves.is_answer(&half(0, THERE, 2)));
        assert!(!piece().any(|half| halves.is_answer(&half)));

        let next = after_a_crash(&halves.news(&open).unwrap());
        assert!(next.is_answer(&half(0, THERE, 2)));
        assert!(next.is_answer(&half(1999, BACK, 4)));
        assert!(!next.is_answer(&half(1, BACK, 4)), "it was too long ago");
    }

    #[test]
    fn halves_in_two_pieces_are_kept_until_the_next_news() {
        let first = Halves::default();
        let second = first.of_another_piece();
        assert!(!first.is_answer(&half(7, THERE, 1)));
        assert!(second.is_answer(&half(7, BACK, 1)));
        let known = first.news(&Openings::default()).unwrap();
        assert!(after_a_crash(&known).is_answer(&half(7, BACK, 1)), "the second may be read again alone");
    }
}
