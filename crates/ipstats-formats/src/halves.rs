//! Which half of a flow a record is, in logs that show each direction by itself: Suricata's `netflow`.
//!
//! A record does not say which end started the flow, and nothing in it tells: once a connection stands, both directions have
//! the same flags. But the half that started it is written first, and the other right behind it, under the same id. So
//! the framer, which sees the stream in order, remembers the last halves and gives each frame what came before it.
//!
//! Invariant: the memory is of records, not of bytes, so how a stream is cut does not change what is remembered.

use ipstats_model::CanonicalIp;
use std::collections::VecDeque;

/// One direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    /// What the log calls the flow.
    pub(crate) flow: i64,
    pub(crate) source: CanonicalIp,
    pub(crate) destination: CanonicalIp,
}

/// The last halves whose other half has not come yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Halves {
    open: VecDeque<Half>,
}

/// How many halves are remembered. The two are neighbours unless several threads write one log.
const OPEN_MAX: usize = 128;

impl Halves {
    /// Takes the next half: whether it is the answer to one that came before.
    pub(crate) fn is_answer(&mut self, half: Half) -> bool {
        let other = Half { flow: half.flow, source: half.destination, destination: half.source };
        if let Some(place) = self.open.iter().rposition(|open| *open == other) {
            self.open.remove(place);
            return true;
        }
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back(half);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(flow: i64, source: &str, destination: &str) -> Half {
        Half { flow, source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn the_second_half_is_the_answer() {
        let mut halves = Halves::default();
        let (there, back) = (half(7, "10.0.0.1", "8.8.8.8"), half(7, "8.8.8.8", "10.0.0.1"));
        assert!(!halves.is_answer(there));
        assert!(!halves.is_answer(half(8, "8.8.8.8", "10.0.0.1")), "of another flow");
        assert!(halves.is_answer(back));
        assert!(!halves.is_answer(back), "an id that is used again");
        assert!(halves.is_answer(there));
    }

    #[test]
    fn few_are_remembered() {
        assert_eq!(OPEN_MAX, 128, "the numbers below");
        let mut halves = Halves::default();
        for flow in 0..256 {
            assert!(!halves.is_answer(half(flow, "10.0.0.1", "8.8.8.8")));
        }
        assert_eq!(halves.open.len(), OPEN_MAX);
        assert!(!halves.is_answer(half(0, "8.8.8.8", "10.0.0.1")));
        assert!(halves.is_answer(half(200, "8.8.8.8", "10.0.0.1")));
    }
}
