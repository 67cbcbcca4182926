//! The active minutes of a tile: count, newest second, distance of the oldest minute, the minutes between, and the second
//! within each.

use super::TileError;
use super::bits::{BitReader, BitWriter, read_ascending, write_ascending};
use ipstats_model::limits::{CLOCK_AHEAD_SECONDS_MAX, RETENTION_HOURS};

/// Minutes between the oldest and the newest that a pruned tile can have, plus one; a longer span is written after this
/// number as an escape.
#[expect(clippy::cast_possible_truncation, reason = "five minutes")]
const SPAN_ESCAPE: u32 = RETENTION_HOURS as u32 * 60 + CLOCK_AHEAD_SECONDS_MAX as u32 / 60 + 2;

/// `minutes` as in [`IpState::minutes`](crate::state::IpState::minutes); not empty.
pub(super) fn write(bits: &mut BitWriter, minutes: &[u32]) {
    let Some((newest, older)) = minutes.split_last() else { return };
    bits.write_gamma(u32::try_from(minutes.len()).unwrap_or(u32::MAX));
    bits.write(*newest, 32);
    if let Some((oldest, inner)) = older.split_first() {
        let span = newest / 60 - oldest / 60;
        write_span(bits, span);
        if !inner.is_empty() {
            let distances: Vec<u32> = inner.iter().rev().map(|second| newest / 60 - second / 60).collect();
            write_ascending(bits, &distances, 1, span - 1);
        }
    }
    older.iter().for_each(|second| write_second(bits, *second));
}

/// What [`write`] wrote; never empty.
pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Vec<u32>, TileError> {
    let count = read_count(bits)?;
    let newest = bits.read(32);
    let mut distances = Vec::new();
    if count > 1 {
        let span = read_span(bits);
        distances.resize(count - 2, 0);
        if !distances.is_empty() {
            let inner = read_ascending(bits, &mut distances, 1, span.saturating_sub(1));
            inner.ok_or(TileError::Damaged("more minutes than time"))?;
        }
        distances.push(span);
    }
    let mut minutes = Vec::with_capacity(count);
    for distance in distances.into_iter().rev() {
        let minute = (newest / 60).checked_sub(distance).ok_or(TileError::Damaged("minute before 1970"))?;
        minutes.push(read_second_in(minute, bits)?);
    }
    minutes.push(newest);
    Ok(minutes)
}

/// The newest second, where the minutes begin.
pub(super) fn read_newest(bits: &mut BitReader<'_>) -> u32 {
    bits.read_gamma();
    bits.read(32)
}

/// The second within its minute.
pub(super) fn write_second(bits: &mut BitWriter, second: u32) {
    bits.write_below(second % 60, 60);
}

/// The second that [`write_second`] wrote, within `minute`.
pub(super) fn read_second_in(minute: u32, bits: &mut BitReader<'_>) -> Result<u32, TileError> {
    let time = minute.checked_mul(60).and_then(|start| start.checked_add(bits.read_below(60)));
    time.ok_or(TileError::Damaged("minute after 2106"))
}

/// A gamma-coded count; dense lists take no bits at all, but each minute has a second of five bits at least.
fn read_count(bits: &mut BitReader<'_>) -> Result<usize, TileError> {
    let count = bits.read_gamma() as usize;
    if count > bits.remaining_bits() {
        return Err(TileError::Damaged("more minutes than bits"));
    }
    Ok(count)
}

fn write_span(bits: &mut BitWriter, span: u32) {
    bits.write_below(span.min(SPAN_ESCAPE), u64::from(SPAN_ESCAPE) + 1);
    if span >= SPAN_ESCAPE {
        bits.write(span, 32);
    }
}

fn read_span(bits: &mut BitReader<'_>) -> u32 {
    match bits.read_below(u64::from(SPAN_ESCAPE) + 1) {
        SPAN_ESCAPE => bits.read(32),
        span => span,
    }
}
