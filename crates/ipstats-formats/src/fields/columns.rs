//! Rows that one byte cuts into columns, of which few are read.

use super::positions::Positions;
use crate::outcome::Malformed;

/// Cuts a line into its columns, of which there must be `count`. Those that are read come to `places`, which has one for each
/// column up to the last that is read; a place beyond `N` is of no interest. What is not `is_set` is nothing.
pub(crate) fn cut<const N: usize>(
    line: &[u8],
    separator: u8,
    places: impl Iterator<Item = usize>,
    count: usize,
    is_set: impl Fn(&[u8]) -> bool,
) -> Result<[Option<&[u8]>; N], Malformed> {
    let mut row = [None; N];
    let mut separators = Positions::new(separator, line);
    let mut start = Some(0);
    let mut found = 0;
    for place in places {
        let Some(from) = start else { return Err(Malformed::Columns { expected: count, found }) };
        let end = separators.next();
        start = end.map(|at| at + 1);
        found += 1;
        if let Some(place) = row.get_mut(place) {
            *place = line.get(from..end.unwrap_or(line.len())).filter(|value| is_set(value));
        }
    }
    found += start.map_or(0, |_| separators.count() + 1);
    if found == count { Ok(row) } else { Err(Malformed::Columns { expected: count, found }) }
}
