//! Points in time, in the three grains of the semantics: second, minute and UTC day.

use std::fmt;
use std::str::FromStr;

/// A UTC time in whole seconds since 1970-01-01T00:00:00Z. Fractions are truncated on the way in.
///
/// Shown as `2017-07-30T13:36:06Z` (RFC 3339), parsed from RFC 3339 with any offset and number of fraction digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A whole UTC minute, counted from 1970-01-01T00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(u32);

/// A UTC day, counted from 1970-01-01. Shown as `2017-07-30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

/// The text is not a time this project understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time (write it as 2017-07-30T13:36:06Z)")]
pub struct InvalidTimestamp {
    text: String,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z, the first time a store can hold.
    pub const EPOCH: Self = Self(0);

    /// 2106-02-07T06:28:14Z, the last time a store can hold: the last second of 32 bits is kept for "never".
    pub const LATEST: Self = Self(u32::MAX as i64 - 1);

    /// The time `seconds` after the epoch; negative before it.
    pub const fn from_second(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn second(self) -> i64 {
        self.0
    }

    /// The minute this second lies in; times outside `u32` minutes are moved to its ends.
    pub fn minute(self) -> Minute {
        let minute = self.0.div_euclid(60).clamp(0, i64::from(u32::MAX));
        Minute(u32::try_from(minute).unwrap_or(u32::MAX))
    }

    /// The UTC day this second lies in.
    pub fn day(self) -> Day {
        self.minute().day()
    }

    /// The second within its minute, 0 to 59.
    pub fn second_of_minute(self) -> u8 {
        u8::try_from(self.0.rem_euclid(60)).unwrap_or(0)
    }

    /// The start of this time's minute.
    #[must_use]
    pub const fn floor_to_minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(60))
    }

    /// This time moved by `seconds`, stopping at the ends of the representable range.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl Minute {
    /// The minute `minutes` after the epoch.
    pub const fn from_index(minutes: u32) -> Self {
        Self(minutes)
    }

    /// Minutes since the epoch.
    pub const fn index(self) -> u32 {
        self.0
    }

    /// The first second of this minute.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * 60)
    }

    /// The UTC day this minute lies in.
    pub const fn day(self) -> Day {
        Day(self.0 / 1440)
    }
}

impl Day {
    /// The day `days` after 1970-01-01.
    pub const fn from_index(days: u32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn index(self) -> u32 {
        self.0
    }

    /// Midnight, the first second of this day.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * 86_400)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = jiff::Timestamp::from_second(self.0) else {
            return write!(f, "epoch{:+}s", self.0);
        };
        let date_time = jiff::tz::Offset::UTC.to_datetime(time);
        let Ok(year) = u16::try_from(date_time.year()) else { return write!(f, "{time:.0}") };
        // Digit by digit: each answer shows two times, and each line of the audit log one.
        let rest =
            [date_time.month(), date_time.day(), date_time.hour(), date_time.minute(), date_time.second()];
        let [month, day, hour, minute, second] = rest.map(|number| number.unsigned_abs().into());
        let mut text = *b"0000-00-00T00:00:00Z";
        let numbers = [year / 100, year % 100, month, day, hour, minute, second];
        for (place, number) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(numbers) {
            if let Some(digits) = text.get_mut(place..place + 2) {
                digits.copy_from_slice(&two_digits(number));
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The last two decimal digits.
fn two_digits(number: u16) -> [u8; 2] {
    [number / 10 % 10, number % 10].map(|digit| b'0' + u8::try_from(digit).unwrap_or_default())
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.start().second()) {
            Ok(time) => time.strftime("%Y-%m-%d").fmt(f),
            Err(_) => write!(f, "epoch{:+}d", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = text.parse::<jiff::Timestamp>().map_err(|_| InvalidTimestamp { text: text.to_owned() })?;
        // Below the epoch jiff's seconds round toward zero; truncating a fraction means rounding down.
        let floor = i64::from(time.subsec_nanosecond() < 0);
        Ok(Self(time.as_second() - floor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fractions_and_offsets_are_truncated_to_utc_seconds() {
        for (text, shown) in [
            ("2017-08-29T13:32:59.9999999Z", "2017-08-29T13:32:59Z"),
            ("2017-08-29T15:32:59+02:00", "2017-08-29T13:32:59Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), shown, "{text}");
        }
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("2017-08-29T13:32:59".parse::<Timestamp>().is_err(), "a time without a zone is ambiguous");
    }

    proptest! {
        /// As the library shows them: from before the year 0 to the year 9999, and what has no date.
        #[test]
        fn times_are_shown_as_a_library_shows_them(second in prop_oneof![
            -70_000_000_000_i64..260_000_000_000, 0_i64..=4_294_967_295, any::<i64>()
        ]) {
            let expected = match jiff::Timestamp::from_second(second) {
                Ok(time) => format!("{time:.0}"),
                Err(_) => format!("epoch{second:+}s"),
            };
            prop_assert_eq!(Timestamp::from_second(second).to_string(), expected);
        }
    }

    #[test]
    fn minutes_and_days_floor() {
        let time: Timestamp = "2017-08-29T13:32:59Z".parse().unwrap();
        assert_eq!(time.floor_to_minute().to_string(), "2017-08-29T13:32:00Z");
        assert_eq!(time.minute().start(), time.floor_to_minute());
        assert_eq!(time.second_of_minute(), 59);
        assert_eq!(time.day().to_string(), "2017-08-29");
        assert_eq!(Timestamp::from_second(-1).floor_to_minute(), Timestamp::from_second(-60));
        assert_eq!(Timestamp::from_second(-1).minute(), Minute::from_index(0));
        assert_eq!(Timestamp::from_second(i64::MAX).minute(), Minute::from_index(u32::MAX));
    }
}
