//! How often may be called: `100 per 00:01:00`, as the error of the API spells it.

use super::reader::Section;
use super::values::InvalidValue;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// What setting switches limits off.
const OFF: &str = "off";

/// Limits that hold at once, at most.
const LIMITS_MAX: usize = 3;

/// Longest span of a limit: a day.
const SPAN_SECONDS_MAX: u32 = 86_400;

/// Most calls of a limit.
const CALLS_MAX: u32 = 1_000_000_000;

/// The limits of Defender's API (CONTRACT.md, "Rate limits").
const DEFAULT: [RateLimit; 2] =
    [RateLimit { calls_max: 100, seconds: 60 }, RateLimit { calls_max: 1500, seconds: 3600 }];

/// In no span of `seconds` are more than `calls_max` calls admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    calls_max: u32,
    seconds: u32,
}

/// An entry of the list: a limit, or the word that there is none.
enum Entry {
    Limit(RateLimit),
    Off,
}

/// The list `rate_limits`; empty where limits are off. What is wrong with it is with the reader.
pub(super) fn read(root: &mut Section<'_>) -> Vec<RateLimit> {
    const KEY: &str = "rate_limits";
    let Some(entries) = root.read_list::<Entry>(KEY) else { return DEFAULT.to_vec() };
    let limits: Vec<_> = entries.iter().filter_map(Entry::limit).collect();
    let repeated =
        |limit: &RateLimit| limits.iter().filter(|other| other.seconds == limit.seconds).count() > 1;
    if entries.is_empty() {
        root.problem(KEY, "the list is empty; leave it out for the default, or say [\"off\"]");
    } else if limits.len() < entries.len() && entries.len() > 1 {
        root.problem(KEY, "\"off\" stands alone, or not at all");
    } else if limits.len() > LIMITS_MAX {
        root.problem(KEY, format_args!("{} limits are too many; {LIMITS_MAX} are possible", limits.len()));
    } else if let Some(limit) = limits.iter().find(|limit| repeated(limit)) {
        root.problem(KEY, format_args!("several limits for the span of \"{limit}\"; keep the lowest"));
    }
    limits
}

/// The list as it is written.
pub(super) fn shown(limits: &[RateLimit]) -> Vec<String> {
    match limits {
        [] => vec![OFF.to_owned()],
        limits => limits.iter().map(ToString::to_string).collect(),
    }
}

impl RateLimit {
    /// Most calls in a span; at least 1.
    pub const fn calls_max(self) -> u32 {
        self.calls_max
    }

    /// One of so many equal parts: rounded down, at least one call.
    pub(super) fn divided_by(self, parts: NonZeroU32) -> Self {
        Self { calls_max: (self.calls_max / parts).max(1), ..self }
    }

    /// The span, in seconds; from 1 to a day.
    pub const fn seconds(self) -> u32 {
        self.seconds
    }
}

impl Entry {
    fn limit(&self) -> Option<RateLimit> {
        match self {
            Self::Limit(limit) => Some(*limit),
            Self::Off => None,
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.seconds / 60, self.seconds % 60);
        write!(f, "{} per {:02}:{:02}:{seconds:02}", self.calls_max, minutes / 60, minutes % 60)
    }
}

impl FromStr for RateLimit {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            let expected = format!(
                "a limit such as 100 per 00:01:00 (1 to {CALLS_MAX} calls per hours:minutes:seconds, a day at most)"
            );
            InvalidValue::new(text, expected)
        };
        let (calls, span) = text.split_once(" per ").ok_or_else(wrong)?;
        let calls_max = calls.parse().ok().filter(|calls| (1..=CALLS_MAX).contains(calls));
        let seconds = span_seconds(span).filter(|seconds| (1..=SPAN_SECONDS_MAX).contains(seconds));
        Ok(Self { calls_max: calls_max.ok_or_else(wrong)?, seconds: seconds.ok_or_else(wrong)? })
    }
}

impl FromStr for Entry {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == OFF { Ok(Self::Off) } else { text.parse().map(Self::Limit) }
    }
}

/// `hh:mm:ss` in seconds.
fn span_seconds(text: &str) -> Option<u32> {
    let part = |text: &str, max: u32| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| is_number && *number <= max)
    };
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some((part(hours, 24)? * 60 + part(minutes, 59)?) * 60 + part(seconds, 59)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_as_the_error_of_the_api_spells_it() {
        for (text, calls_max, seconds) in [
            ("100 per 00:01:00", 100, 60),
            ("1500 per 01:00:00", 1500, 3600),
            ("1 per 00:00:01", 1, 1),
            ("1000000000 per 24:00:00", 1_000_000_000, 86_400),
        ] {
            assert_eq!(text.parse(), Ok(RateLimit { calls_max, seconds }), "{text}");
            assert_eq!(RateLimit { calls_max, seconds }.to_string(), text);
        }
        for text in [
            "",
            "100",
            "100 per minute",
            "0 per 00:01:00",
            "-1 per 00:01:00",
            "1000000001 per 00:01:00",
            "1 per 00:00:00",
            "1 per 24:00:01",
            "1 per 25:00:00",
            "1 per 00:60:00",
            "1 per 1:00",
            "1 per 01:00:00:00",
            "1 per +1:00:00",
        ] {
            assert!(text.parse::<RateLimit>().is_err(), "{text}");
        }
    }
}
