//! Times as logs write them. Every time is truncated to whole seconds.

use crate::fields::scalar::Scalar;
use ipstats_model::Timestamp;

/// What a time without a zone means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// UTC, because the format is defined in UTC.
    Utc,
    /// Nothing: it is ambiguous, and no time.
    Required,
}

/// RFC 3339 or ISO 8601 text, or seconds since the epoch in decimal.
pub(crate) fn from_text(text: &str, zone: Zone) -> Option<Timestamp> {
    from_epoch_text(text.as_bytes())
        .or_else(|| from_usual_shape(text.as_bytes(), zone))
        .or_else(|| from_civil_text(text, zone))
}

/// Seconds since the epoch in decimal, with or without a sign and a fraction: `1379288667.706265`.
pub(crate) fn from_epoch_text(text: &[u8]) -> Option<Timestamp> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut seconds: i64 = 0;
    let mut length = 0;
    for byte in digits {
        match byte {
            b'0'..=b'9' => seconds = seconds.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?,
            _ => break,
        }
        length += 1;
    }
    let fraction = match digits.split_at_checked(length)? {
        (_, []) => &[],
        (_, [b'.', fraction @ ..]) if !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit) => {
            fraction
        }
        _ => return None,
    };
    // Truncating a fraction means rounding down, before the epoch too.
    let floor = i64::from(negative && fraction.iter().any(|digit| *digit != b'0'));
    let seconds = if negative { -seconds } else { seconds } - floor;
    (length > 0).then(|| from_seconds(seconds))?
}

/// Seconds since the epoch.
pub(crate) fn from_seconds(seconds: i64) -> Option<Timestamp> {
    jiff::Timestamp::from_second(seconds).ok().map(|_| Timestamp::from_second(seconds))
}

/// Seconds since the epoch with a binary fraction.
pub(crate) fn from_seconds_float(seconds: f64) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates; what is too large is refused"
    )]
    let whole = seconds.floor() as i64;
    if seconds.is_finite() { from_seconds(whole) } else { None }
}

/// Fractions of a second that an epoch time may be counted in.
const UNITS_OF_EPOCH: [i64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// A time with its zone, or an epoch time in the largest unit in which it is before the year 10000: seconds,
/// milliseconds, microseconds or nanoseconds. Those of this century differ by a factor of 1000 and cannot be mistaken.
pub(crate) fn from_any_unit(value: &Scalar<'_>) -> Option<Timestamp> {
    let of_integer =
        |number: i64| UNITS_OF_EPOCH.into_iter().find_map(|unit| from_seconds(number.div_euclid(unit)));
    match value {
        Scalar::Integer(number) => of_integer(*number),
        Scalar::Float(number) => UNITS_OF_EPOCH.into_iter().find_map(|unit| {
            #[expect(clippy::cast_precision_loss, reason = "powers of ten up to 10^9 are exact")]
            let unit = unit as f64;
            from_seconds_float(number / unit)
        }),
        Scalar::Text(text) => {
            from_text(text, Zone::Required).or_else(|| text.parse().ok().and_then(of_integer))
        }
        Scalar::Null | Scalar::Bool(_) | Scalar::Compound => None,
    }
}

/// The shape almost every record has, read in place: `2017-08-29T13:32:59`, or with a space for the `T`; a fraction or
/// none; then `Z`, an offset (`+0200`, `+02:00`), or nothing where that is UTC.
fn from_usual_shape(text: &[u8], zone: Zone) -> Option<Timestamp> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] =
        *date_time
    else {
        return None;
    };
    let offset = offset_seconds(without_fraction(rest)?, zone)?;
    let (year, month, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(m1, m2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
    // Leap seconds, and years jiff does not represent in every zone, go the long way.
    if !(1..9999).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_epoch(year, month, day)?;
    Some(Timestamp::from_second(days * 86_400 + hour * 3600 + minute * 60 + second - offset))
}

/// What follows a fraction of seconds, or all of it where there is none.
fn without_fraction(text: &[u8]) -> Option<&[u8]> {
    let [b'.', fraction @ ..] = text else { return Some(text) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { None } else { fraction.get(digits..) }
}

/// Seconds that a zone is ahead of UTC.
fn offset_seconds(text: &[u8], zone: Zone) -> Option<i64> {
    let (sign, digits) = match text {
        b"Z" => return Some(0),
        [] if zone == Zone::Utc => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        // As Fluent Bit writes times of Windows.
        [b' ', offset @ ..] if offset.starts_with(b"+") || offset.starts_with(b"-") => {
            return offset_seconds(offset, zone);
        }
        _ => return None,
    };
    let ([h1, h2, b':', n1, n2] | [h1, h2, n1, n2]) = *digits else { return None };
    let (hours, minutes) = (two(h1, h2)?, two(n1, n2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Two decimal digits.
fn two(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, or nothing if there is no such date.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    const DAYS_BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let index = usize::try_from(month).ok()?;
    let (before, after) = (*DAYS_BEFORE.get(index.checked_sub(1)?)?, *DAYS_BEFORE.get(index)?);
    let leap = i64::from((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
    let length = after - before + if month == 2 { leap } else { 0 };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Leap days of all years before this one, less those before 1970 (477).
    let previous = year - 1;
    let leap_days = previous / 4 - previous / 100 + previous / 400 - 477;
    let leap_day_this_year = if month > 2 { leap } else { 0 };
    Some((year - 1970) * 365 + leap_days + before + leap_day_this_year + day - 1)
}

/// How the portal of Sentinel writes times into CSV, in columns it calls `TimeGenerated [UTC]`.
const SENTINEL_EXPORT: &str = "%m/%d/%Y, %I:%M:%S%.f %p";

/// Everything else that is a time: offsets, a space for the `T`, leap seconds; and a civil time where that is UTC.
fn from_civil_text(text: &str, zone: Zone) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if zone == Zone::Required || text.len() < "2017-08-29T13:32".len() {
        return None;
    }
    let civil: jiff::civil::DateTime =
        text.parse().or_else(|_| jiff::civil::DateTime::strptime(SENTINEL_EXPORT, text)).ok()?;
    let time = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_second(time.as_second() - i64::from(time.subsec_nanosecond() < 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, zone: Zone) -> Option<String> {
        from_text(text, zone).map(|time| time.to_string())
    }

    #[test]
    fn times_of_logs_are_read() {
        for (text, expected) in [
            ("1379288667.706265", "2013-09-15T23:44:27Z"),
            ("1379288667.999999999", "2013-09-15T23:44:27Z"),
            ("1379288667", "2013-09-15T23:44:27Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("0.000000", "1970-01-01T00:00:00Z"),
            ("-0.5", "1969-12-31T23:59:59Z"),
            ("7258118400", "2200-01-01T00:00:00Z"),
            ("2023-12-21T19:04:59.0109752Z", "2023-12-21T19:04:59Z"),
            ("2023-12-21T19:04:59Z", "2023-12-21T19:04:59Z"),
            ("2023-12-21 19:04:59Z", "2023-12-21T19:04:59Z"),
            ("2023-12-21T21:04:59.5+02:00", "2023-12-21T19:04:59Z"),
            ("2023-12-21T21:04:59.500000+0200", "2023-12-21T19:04:59Z"),
            ("2023-12-21T14:34:59-0430", "2023-12-21T19:04:59Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2200-12-31T23:59:59Z", "2200-12-31T23:59:59Z"),
        ] {
            assert_eq!(shown(text, Zone::Required).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_utc_only_where_the_format_says_so() {
        for text in ["2023-12-21T19:04:59.0109752", "2023-12-21 19:04:59", "12/21/2023, 7:04:59.010 PM"] {
            assert_eq!(shown(text, Zone::Utc).as_deref(), Some("2023-12-21T19:04:59Z"), "{text}");
            assert_eq!(shown(text, Zone::Required), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "-.5",
            "1.",
            "1.5.5",
            "+1",
            "1e9",
            "NaN",
            "inf",
            "0x10",
            " 1",
            "2023-12-21",
            "12:00:00",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-01-00T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:60:00Z",
            "99999999999999999999",
            "253402300800",
            "-999999999999",
            "1379288667706",
            "2023-12-21T19:04:59.Z",
        ] {
            assert_eq!(shown(text, Zone::Utc), None, "{text}");
        }
    }

    #[test]
    fn floats_are_floored_and_bounded() {
        assert_eq!(from_seconds_float(1.9).map(Timestamp::second), Some(1));
        assert_eq!(from_seconds_float(-0.1).map(Timestamp::second), Some(-1));
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e15] {
            assert_eq!(from_seconds_float(float), None, "{float}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_path_agrees_with_the_model(seconds in -62_135_596_800_i64..253_370_764_800) {
            let text = Timestamp::from_second(seconds).to_string();
            let fast = from_usual_shape(text.as_bytes(), Zone::Required);
            prop_assert_eq!(fast, Some(Timestamp::from_second(seconds)));
            prop_assert_eq!(text.parse::<Timestamp>().ok(), Some(Timestamp::from_second(seconds)));
        }

        #[test]
        fn offsets_agree_with_the_model(hours in -23_i32..24, minutes in 0..60, colon: bool, space: bool) {
            let colon = if colon { ":" } else { "" };
            let t = if space { ' ' } else { 'T' };
            let text = format!("2024-03-01{t}10:20:30.5{hours:+03}{colon}{minutes:02}");
            prop_assert!(from_usual_shape(text.as_bytes(), Zone::Required).is_some());
            let sign = if hours < 0 { '-' } else { '+' };
            let model = format!("2024-03-01T10:20:30.5{sign}{:02}:{minutes:02}", hours.abs());
            prop_assert_eq!(from_text(&text, Zone::Required), model.parse::<Timestamp>().ok(), "{}", text);
        }

        #[test]
        fn any_text_is_a_time_or_not(text in ".{0,40}") {
            let _ = from_text(&text, Zone::Utc);
        }

        #[test]
        fn any_civil_numbers_agree_with_the_model(y in 0..10_000, m in 0..14, d in 0..33, h in 0..26, n in 0..62, s in 0..59) {
            let text = format!("{y:04}-{m:02}-{d:02}T{h:02}:{n:02}:{s:02}Z");
            prop_assert_eq!(from_text(&text, Zone::Utc), text.parse::<Timestamp>().ok(), "{}", text);
        }
    }

    #[test]
    fn epoch_times_are_read_in_any_unit() {
        let expected = Some(Timestamp::from_second(1_796_032_800));
        for number in [1_796_032_800, 1_796_032_800_123, 1_796_032_800_123_456, 1_796_032_800_123_456_789] {
            assert_eq!(from_any_unit(&Scalar::Integer(number)), expected, "{number}");
            assert_eq!(from_any_unit(&Scalar::Text(number.to_string().into())), expected, "{number}");
        }
        for number in [1_796_032_800.5, 1_796_032_800_123.0, 1.796_032_800_1e15] {
            assert_eq!(from_any_unit(&Scalar::Float(number)), expected, "{number}");
        }
        for text in ["2026-11-30T10:00:00Z", "2026-11-30 11:00:00+01:00", "1796032800.25"] {
            assert_eq!(from_any_unit(&Scalar::Text(text.into())), expected, "{text}");
        }
        for wrong in ["2026-11-30 10:00:00", "", "now", "30/Nov/2026:10:00:00"] {
            assert_eq!(from_any_unit(&Scalar::Text(wrong.into())), None, "{wrong}");
        }
    }
}
