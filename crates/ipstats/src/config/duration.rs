//! Spans of time, in whole seconds.

use super::values::InvalidValue;
use std::fmt;
use std::str::FromStr;

/// A span of time, written as `60 s`, `10 min` or `24 h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duration {
    pub(super) seconds: i64,
}

const UNITS: [(&str, i64); 3] = [("h", 3600), ("min", 60), ("s", 1)];

impl Duration {
    pub(super) const fn of_seconds(seconds: i64) -> Self {
        Self { seconds }
    }
}

impl FromStr for Duration {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || InvalidValue::new(text, "a span of time such as 60 s, 10 min or 24 h");
        let unit = UNITS.iter().find_map(|(name, seconds)| Some((text.strip_suffix(name)?, *seconds)));
        let (number, seconds) = unit.ok_or_else(wrong)?;
        let number: u32 = number.trim_end().parse().map_err(|_| wrong())?;
        i64::from(number).checked_mul(seconds).map(Self::of_seconds).ok_or_else(wrong)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, seconds): &&(&str, i64)| self.seconds >= *seconds && self.seconds % seconds == 0;
        let (name, seconds) = UNITS.iter().find(fits).copied().unwrap_or(("s", 1));
        write!(f, "{} {name}", self.seconds / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_with_a_unit_and_shown_with_the_largest_that_fits() {
        for (text, seconds, shown) in [
            ("60 s", 60, "1 min"),
            ("10min", 600, "10 min"),
            ("24 h", 86_400, "24 h"),
            ("0 s", 0, "0 s"),
            ("90 s", 90, "90 s"),
        ] {
            assert_eq!(text.parse(), Ok(Duration::of_seconds(seconds)), "{text}");
            assert_eq!(Duration::of_seconds(seconds).to_string(), shown);
        }
        for text in ["", "60", "-1 s", "1.5 h", "1 d", "s", "99999999999 s", " 1 s"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
