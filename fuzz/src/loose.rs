//! Records one by one: what shippers deliver, and syslog carries.

use ipstats_formats::{Format, FormatChoice, RecordReader, Settings, Tally};
use ipstats_model::Batch;

/// The input is cut into records at line ends: each has one outcome, and each connection is counted. The first byte chooses a
/// format that the key admits.
pub fn loose(data: &[u8]) {
    let Some((knob, text)) = data.split_first() else { return };
    let choice =
        Format::ALL.get(usize::from(*knob)).map_or(FormatChoice::Auto, |format| FormatChoice::from(*format));
    let (settings, mut batch, mut tally) = (Settings::default(), Batch::new(), Tally::default());
    let mut records = RecordReader::new(choice, &settings);
    for record in text.split(|byte| *byte == b'\n') {
        // Whether it is malformed is its sender's to know.
        let _ = records.read(record, &settings, &mut batch, &mut tally);
    }
    records.finish(&settings, &mut batch, &mut tally);
    assert_eq!(batch.len() as u64, tally.connections());
}
