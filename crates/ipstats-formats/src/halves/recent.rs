//! The openings of a log that were met since somebody asked, as far as those who read the log on after a crash need them.
//!
//! An opening whose answer was in the same piece is left out: whoever reads the piece again meets both.

use super::Half;
use std::collections::VecDeque;

/// Openings kept of either kind. Suricata writes the halves of a flow in a row, or nearly, if it has several threads.
const RECENT_MAX: usize = 256;

/// Openings without an answer so far, and those whose answer was in another piece.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pieces: u32,
    /// With the number of the piece; the latest is last.
    open: VecDeque<(u32, Half)>,
    /// What the pieces at hand need when they are read again, and not the next ones.
    met: VecDeque<Half>,
}

impl Recent {
    /// The number of another piece.
    pub(super) const fn begin_piece(&mut self) -> u32 {
        self.pieces = self.pieces.wrapping_add(1);
        self.pieces
    }

    pub(super) fn opened(&mut self, piece: u32, opening: Half) {
        push(&mut self.open, (piece, opening));
    }

    /// The answer to `opening` was read in `piece`.
    pub(super) fn answered(&mut self, piece: u32, opening: Half) {
        // The answer is right behind, if it is here at all.
        match self.open.iter().rposition(|(_, open)| open.is_of_same_flow(&opening)) {
            Some(place) if self.open.get(place).is_some_and(|(of, _)| *of == piece) => {
                self.open.remove(place);
            }
            Some(_) => {}
            None => push(&mut self.met, opening),
        }
    }

    /// Takes all of it: what the next piece is least likely to ask for is first.
    pub(super) fn take(&mut self) -> Vec<Half> {
        let open = self.open.drain(..).map(|(_, opening)| opening);
        // Those that were met are last: however many are open, a piece that is read again finds them.
        open.chain(self.met.drain(..)).collect()
    }
}

/// Adds the latest; the oldest makes room.
fn push<T>(recent: &mut VecDeque<T>, latest: T) {
    if recent.len() == RECENT_MAX {
        recent.pop_front();
    }
    recent.push_back(latest);
}
