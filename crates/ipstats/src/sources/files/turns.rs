//! Which of the files at rest are looked at in a round: all of them where there are few, else some in turn, so that thousands
//! of archives cost no more than hundreds.

/// Files at rest that are looked at in one round.
const LOOKS_MAX: usize = 500;

/// The turns of files at rest.
#[derive(Debug, Default)]
pub(super) struct Turns {
    round: usize,
    /// Every so many rounds each file has its turn; 0 before anything was asked.
    period: usize,
    /// Files that were asked about in this round.
    asked: usize,
}

impl Turns {
    /// Another round begins.
    pub(super) const fn begin_round(&mut self) {
        self.period = self.asked.div_ceil(LOOKS_MAX);
        self.round = self.round.wrapping_add(1);
        self.asked = 0;
    }

    /// Whether it is the turn of the next file. Files are asked about in the same order in each round.
    pub(super) const fn is_next(&mut self) -> bool {
        let number = self.asked;
        self.asked += 1;
        self.period <= 1 || number % self.period == self.round % self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_its_turn_and_no_round_has_many() {
        for files in [0, 1, LOOKS_MAX, LOOKS_MAX + 1, 20_000] {
            let mut turns = Turns::default();
            let mut looks = vec![0; files];
            let period = files.div_ceil(LOOKS_MAX).max(1);
            for round in 0..=period {
                turns.begin_round();
                let due: Vec<_> = (0..files).filter(|_| turns.is_next()).collect();
                // How many there are is known after the first round.
                if round > 0 {
                    assert!(due.len() <= LOOKS_MAX, "{files}: {}", due.len());
                    due.iter().for_each(|file| looks[*file] += 1);
                }
            }
            assert!(looks.iter().all(|looks| *looks == 1), "{files}");
        }
    }
}
