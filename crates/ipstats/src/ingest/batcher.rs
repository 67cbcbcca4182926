//! Records into batches, and batches into the store: the only loop that does it, for every way in which records arrive.

use super::outcomes::Outcomes;
use ipstats_formats::{Frame, Settings, Tally};
use ipstats_model::{Batch, Recorded};

/// Connections in a batch: enough that many share the cost of making it durable.
const BATCH_ROWS_MAX: usize = 1 << 16;

/// Collects connections until they fill a batch, and sums up the outcomes of their records.
///
/// Invariant: a connection is in the recorded outcomes only after the batch that holds it was acknowledged.
#[derive(Debug, Default)]
pub struct Batcher {
    batch: Batch,
    tally: Tally,
    recorded: Recorded,
}

impl Batcher {
    /// Lets `read` add connections and outcomes; gives the batch to `record` if it is full.
    pub fn read<E>(
        &mut self,
        read: impl FnOnce(&mut Batch, &mut Tally),
        record: impl FnOnce(&Batch) -> Result<Recorded, E>,
    ) -> Result<(), E> {
        read(&mut self.batch, &mut self.tally);
        if self.batch.len() >= BATCH_ROWS_MAX { self.flush(record) } else { Ok(()) }
    }

    /// Parses frames; gives each full batch to `record`.
    pub fn parse<E>(
        &mut self,
        frames: &[Frame],
        settings: &Settings,
        mut record: impl FnMut(&Batch) -> Result<Recorded, E>,
    ) -> Result<(), E> {
        frames
            .iter()
            .try_for_each(|frame| self.read(|batch, tally| frame.parse(settings, batch, tally), &mut record))
    }

    /// Gives what is left to `record`. After an error the batch is as it was.
    pub fn flush<E>(&mut self, record: impl FnOnce(&Batch) -> Result<Recorded, E>) -> Result<(), E> {
        if !self.batch.is_empty() {
            self.recorded += record(&self.batch)?;
            self.batch.clear();
        }
        Ok(())
    }

    /// What parsing made of the records since the last call of [`take`](Self::take).
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// For outcomes of records that were not read.
    pub(super) const fn tally_mut(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// The outcomes of the records since the last call of [`take`](Self::take).
    pub fn outcomes(&self) -> Outcomes {
        Outcomes::new(&self.tally, self.recorded)
    }

    /// What parsing made of the records, and what was acknowledged, since the last call.
    pub fn take(&mut self) -> (Tally, Recorded) {
        (std::mem::take(&mut self.tally), std::mem::take(&mut self.recorded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipstats_formats::{FormatChoice, Framer, Limits};

    fn frames(records: usize) -> Vec<Frame> {
        let record = |number| format!("{{\"device\":\"d\",\"ip\":\"10.0.0.1\",\"time\":{number}}}\n");
        let text = (0..records).map(record).collect::<String>();
        let mut stream = Framer::new(FormatChoice::Auto, Limits::default());
        let mut frames = Vec::new();
        stream.feed(text.as_bytes(), &mut frames).unwrap();
        stream.finish(&mut frames).unwrap();
        frames
    }

    #[test]
    fn full_batches_are_recorded() {
        let (mut batcher, mut rows) = (Batcher::default(), Vec::new());
        let mut record = |batch: &Batch| {
            rows.push(batch.len());
            Ok::<_, ()>(Recorded { counted: batch.len() as u64, ..Recorded::default() })
        };
        let records = BATCH_ROWS_MAX * 3 / 2;
        batcher.parse(&frames(records), &Settings::default(), &mut record).unwrap();
        batcher.flush(&mut record).unwrap();
        batcher.flush(&mut record).unwrap();
        assert!(rows.len() == 2 && rows[0] >= BATCH_ROWS_MAX, "{rows:?}");
        assert_eq!(rows.iter().sum::<usize>(), records);
        assert_eq!(
            (batcher.outcomes().counted, batcher.tally().connections()),
            (records as u64, records as u64)
        );
    }

    #[test]
    fn refused_batch_is_kept_for_retry() {
        let mut batcher = Batcher::default();
        batcher.parse(&frames(3), &Settings::default(), |_| Err("full")).unwrap();
        assert_eq!(batcher.flush(|_| Err("full")), Err("full"));
        assert_eq!(batcher.outcomes().counted, 0);
        let all =
            |batch: &Batch| Ok::<_, ()>(Recorded { counted: batch.len() as u64, ..Recorded::default() });
        batcher.flush(all).unwrap();
        assert_eq!(batcher.outcomes().counted, 3);
        assert_eq!(batcher.take().1.counted, 3);
        assert_eq!(batcher.outcomes().records(), 0);
    }
}
