//! Which format a log seems to have, for whoever was told another one.

use super::progress::Progress;
use super::source::Source;
use ipstats_formats::{Format, FormatChoice, Framer, Limits};
use std::io::Read;
use std::sync::Arc;

/// Bytes of a log that are looked at: more than it takes to recognize any format.
const HEAD_BYTES: u64 = 128 << 10;

/// The format that `source` seems to have, where that is none that `choice` stands for. Nothing about standard input, which
/// cannot be read again.
pub fn other_format(source: &Source, choice: FormatChoice) -> Option<Format> {
    if matches!(source, Source::Stdin) {
        return None;
    }
    let (_, log) = source.open(&Arc::new(Progress::default())).ok()?;
    let mut head = Vec::new();
    // What can be read of a damaged log is enough.
    let _ = log.take(HEAD_BYTES).read_to_end(&mut head);
    let mut framer = Framer::new(FormatChoice::Auto, Limits::default());
    let mut whole = Vec::new();
    framer.feed(&head, &mut whole).and_then(|()| framer.finish(&mut whole)).ok()?;
    framer.format().filter(|format| !choice.admits(*format))
}
