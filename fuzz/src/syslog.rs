//! Syslog. The first byte chooses the size of the pieces and the longest message.

use ipstats_formats::syslog::{Cut, Messages, record};
use ipstats_formats::{FormatChoice, RecordReader, Settings, Tally};
use ipstats_model::Batch;

/// A connection in pieces brings what it brings whole, and the record of any message is read.
pub fn syslog(data: &[u8]) {
    let Some((knob, stream)) = data.split_first() else { return };
    let bytes_max = if *knob < 128 { 1 << 18 } else { 32 };
    let whole = messages(stream, stream.len().max(1), bytes_max);
    assert_eq!(messages(stream, usize::from(knob % 32) + 1, bytes_max), whole);
    let mut records = RecordReader::new(FormatChoice::Auto, &Settings::default());
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    for message in whole.iter().flatten() {
        if let Some(record) = record(message) {
            let _ = records.read(record, &Settings::default(), &mut batch, &mut tally);
        }
    }
    assert_eq!(batch.len() as u64, tally.connections());
}

/// The messages; nothing in place of one that is too long or cut off.
fn messages(stream: &[u8], piece_bytes: usize, bytes_max: usize) -> Vec<Option<Vec<u8>>> {
    let (mut messages, mut found) = (Messages::new(bytes_max), Vec::new());
    let mut each = |cut: Cut<'_>| {
        found.push(match cut {
            Cut::Whole(message) => Some(message.to_vec()),
            Cut::TooLong | Cut::CutOff => None,
        });
    };
    stream.chunks(piece_bytes).for_each(|piece| messages.feed(piece, &mut each));
    messages.finish(&mut each);
    found
}
