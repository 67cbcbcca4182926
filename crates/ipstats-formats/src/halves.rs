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

use ipstats_model::{CanonicalIp, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// Flows in one of the two generations that are remembered. What fills a table of 65,536 places: 1.6 MiB.
const GENERATION_FLOWS_MAX: usize = 57_344;

/// What is remembered of flows whose two halves are records of their own. Clones share one memory.
#[derive(Clone, Debug, Default)]
pub struct Halves {
    memory: Arc<Mutex<Memory>>,
    /// Whose flows these are.
    log: u64,
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
    /// The same memory for the pieces of `log`: its flows are not those of other logs.
    #[must_use]
    pub fn of(&self, log: impl Hash) -> Self {
        let memory = Arc::clone(&self.memory);
        let log = memory.lock().hasher.hash_one(log);
        Self { memory, log }
    }

    /// Takes the next half: whether it is the answer to one that came before.
    pub(crate) fn is_answer(&self, half: &Half) -> bool {
        self.memory.lock().is_answer(self.log, half)
    }
}

impl Memory {
    fn is_answer(&mut self, log: u64, half: &Half) -> bool {
        let Half { flow, start, source, destination, written_micros } = *half;
        let ends = (source.min(destination), source.max(destination));
        let flow = self.hasher.hash_one((log, flow, start, ends));
        let this = Opening { written_micros, from_lower: source < destination };
        match self.young.get(&flow).or_else(|| self.old.get(&flow)) {
            Some(known) if known.from_lower == this.from_lower => false,
            Some(known) if known.written_micros <= this.written_micros => true,
            Some(_) | None => {
                self.remember(flow, this);
                false
            }
        }
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
}
