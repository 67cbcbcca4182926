//! Whole logs, cut into records and parsed.
//!
//! The first byte chooses the size of the pieces in which a log arrives, and the longest record.

use ipstats_formats::{Format, FormatChoice, Framer, Limits, Settings, StreamError, Tally};
use ipstats_model::{Batch, Row};

/// Recognizing a format from its first lines, and reading on as what it was recognized as.
pub fn recognize(data: &[u8]) {
    check(data, &[]);
}

/// Zeek conn.log, TSV and JSON.
pub fn zeek(data: &[u8]) {
    check(data, &[Format::ZeekTsv, Format::ZeekJson]);
}

/// Defender DeviceNetworkEvents, every export.
pub fn mde(data: &[u8]) {
    check(data, &[Format::MdeStreaming, Format::MdeHuntingCsv, Format::MdeHuntingJson]);
}

/// Our own NDJSON and CSV.
pub fn own(data: &[u8]) {
    check(data, &[Format::IpstatsNdjson, Format::IpstatsCsv]);
}

/// What agents on hosts write: Sysmon and osquery.
pub fn hosts(data: &[u8]) {
    check(data, &[Format::SysmonJson, Format::SysmonEvtx, Format::Osquery]);
}

/// What sensors and schemas of many sources write: Suricata, VPC flow logs, ECS and OCSF.
pub fn network(data: &[u8]) {
    check(data, &[Format::Suricata, Format::VpcFlow, Format::Ecs, Format::Ocsf]);
}

/// Reads `data` as each of `formats`, whole and in pieces: nothing panics, and the pieces do not show.
fn check(data: &[u8], formats: &[Format]) {
    let Some((knob, stream)) = data.split_first() else { return };
    let piece_bytes = usize::from(knob % 32) + 1;
    let line_bytes_max = if *knob < 128 { Limits::default().line_bytes_max } else { 64 };
    let settings = Settings { limits: Limits { line_bytes_max }, ..Settings::default() };
    for choice in formats.iter().map(|format| FormatChoice::from(*format)).chain([FormatChoice::Auto]) {
        let whole = read(choice, &settings, stream, stream.len().max(1));
        let pieces = read(choice, &settings, stream, piece_bytes);
        assert_eq!(whole, pieces, "{choice}, {piece_bytes} bytes at a time");
        let (rows, tally, _) = whole;
        assert_eq!(rows.len() as u64, tally.connections());
    }
}

fn read(
    choice: FormatChoice,
    settings: &Settings,
    stream: &[u8],
    piece_bytes: usize,
) -> (Vec<Row>, Tally, Result<(), StreamError>) {
    let mut frames = Vec::new();
    let mut cutter = Framer::new(choice, settings.limits);
    let fed = stream.chunks(piece_bytes).try_for_each(|piece| cutter.feed(piece, &mut frames));
    let end = fed.and_then(|()| cutter.finish(&mut frames));
    let (mut batch, mut tally) = (Batch::new(), Tally::default());
    for frame in &frames {
        frame.parse(settings, &mut batch, &mut tally);
    }
    (batch.rows().to_vec(), tally, end)
}
