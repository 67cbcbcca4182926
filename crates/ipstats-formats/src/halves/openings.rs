//! Openings as they are kept where a crash does not reach.
//!
//! ```text
//! version: 1                                                      1 byte
//! for each opening, the latest last, integers little-endian:
//!   source, destination   as IPv6 addresses                    2 × 16
//!   flow                  what the log calls it                     8
//!   start                 seconds, or the least number for none     8
//!   written               microseconds                              8
//! ```

use super::Half;
use ipstats_model::{CanonicalIp, Timestamp};

/// Most openings that are kept of a log.
const OPENINGS_MAX: usize = 512;

/// Says that what follows is as described above.
const VERSION: u8 = 1;

const OPENING_BYTES: usize = 56;

/// A start that is not known.
const NO_START: i64 = i64::MIN;

/// Which half started a flow, of the flows of one log that its next pieces, or the last ones again, may show the other half
/// of. Bounded: 512 openings, which are 29 KB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings(pub(super) Vec<Half>);

impl Openings {
    /// These, and the later ones that are `news`; the oldest make room.
    pub(super) fn with(&self, news: &[Half]) -> Self {
        let mut openings: Vec<Half> = Vec::with_capacity(self.0.len() + news.len());
        for (number, opening) in news.iter().enumerate().rev() {
            let later = news.get(number + 1..).unwrap_or_default();
            if !later.iter().any(|later| later.is_of_same_flow(opening)) {
                openings.push(*opening);
            }
        }
        let known = self.0.iter().rev().filter(|known| !news.iter().any(|new| new.is_of_same_flow(known)));
        openings.extend(known);
        openings.truncate(OPENINGS_MAX);
        openings.reverse();
        Self(openings)
    }

    /// Them as bytes, at most 29 KB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.0.len() * OPENING_BYTES);
        bytes.push(VERSION);
        for Half { flow, start, source, destination, written_micros } in &self.0 {
            bytes.extend_from_slice(source.as_bytes());
            bytes.extend_from_slice(destination.as_bytes());
            bytes.extend_from_slice(&flow.to_le_bytes());
            bytes.extend_from_slice(&start.map_or(NO_START, Timestamp::second).to_le_bytes());
            bytes.extend_from_slice(&written_micros.to_le_bytes());
        }
        bytes
    }

    /// The openings in `bytes`; nothing if they are not what [`encode`](Self::encode) gives.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, openings) = bytes.split_first()? else { return None };
        let (openings, []) = openings.as_chunks::<OPENING_BYTES>() else { return None };
        openings.iter().map(opening).collect::<Option<_>>().map(Self)
    }
}

fn opening(bytes: &[u8; OPENING_BYTES]) -> Option<Half> {
    let (source, bytes) = bytes.split_first_chunk()?;
    let (destination, numbers) = bytes.split_first_chunk()?;
    let ([flow, start, written_micros], []) = numbers.as_chunks() else { return None };
    let start = Some(i64::from_le_bytes(*start)).filter(|second| *second != NO_START);
    Some(Half {
        flow: i64::from_le_bytes(*flow),
        start: start.map(Timestamp::from_second),
        source: CanonicalIp::from_bytes(*source),
        destination: CanonicalIp::from_bytes(*destination),
        written_micros: i64::from_le_bytes(*written_micros),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(flow: i64) -> Half {
        Half {
            flow,
            start: (flow % 2 == 0).then(|| Timestamp::from_second(-flow)),
            source: "10.0.0.1".parse().unwrap(),
            destination: "2001:db8::1".parse().unwrap(),
            written_micros: i64::MAX - flow,
        }
    }

    fn flows(openings: &Openings) -> Vec<i64> {
        openings.0.iter().map(|opening| opening.flow).collect()
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for count in [0, 1, 2, 512] {
            let openings = Openings((0..count).map(half).collect());
            assert_eq!(Openings::decode(&openings.encode()), Some(openings));
        }
        let bytes = Openings(vec![half(7)]).encode();
        assert_eq!(bytes.len(), 57);
        let another = [&[2], &bytes[1..]].concat();
        for damaged in [&[][..], &bytes[1..], &bytes[..56], &[&bytes[..], &[0]].concat(), &another] {
            assert_eq!(Openings::decode(damaged), None);
        }
    }

    #[test]
    fn the_latest_are_kept_once() {
        let openings = Openings((0..511).map(half).collect());
        let more = openings.with(&[half(600), half(3), half(601), half(600)]);
        assert_eq!(flows(&more), [(1..3).collect(), (4..511).collect(), vec![3, 601, 600]].concat()[0..]);
        let turned = Half { source: half(3).destination, destination: half(3).source, ..half(3) };
        assert_eq!(more.with(&[turned]).0.last(), Some(&turned), "the other half was it");
        assert!(openings.with(&(0..2000).map(half).collect::<Vec<_>>()).encode().len() < 30 << 10);
    }
}
