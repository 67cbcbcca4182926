//! Values of single settings, each with the one text form it is written in.

use ipstats_engine::Options;
use ipstats_formats::{CountRule, DeviceFrom};
use std::fmt;
use std::str::FromStr;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What is answered for an IP that was not contacted in the retained 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownIp {
    /// `not_found`: 404 `ResourceNotFound`.
    #[default]
    NotFound,
    /// `zero`: 200 with zero devices.
    Zero,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `text`: for people.
    #[default]
    Text,
    /// `json`: one JSON object a line.
    Json,
}

/// A number of bytes, written as `512 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteCount(pub u64);

/// Memory of the store: a number of bytes that an engine works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory(pub(super) u64);

/// A name: 1 to 128 visible characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

/// What is logged: a `tracing` filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogLevel(pub(super) String);

/// Which connections count, for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CountSetting(pub(super) CountRule);

/// How a source names devices that its logs show as network endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeviceSetting(pub(super) DeviceFrom);

/// What is wrong with a value, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidValue {
    text: String,
    expected: String,
}

impl InvalidValue {
    pub(super) fn new(text: &str, expected: impl Into<String>) -> Self {
        Self { text: text.to_owned(), expected: expected.into() }
    }
}

/// Values that are each written as one word.
macro_rules! words {
    ($type:ty: $($word:literal => Self $(::$variant:ident)? $(($inner:path))?),+) => {
        impl FromStr for $type {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self $(::$variant)? $(($inner))?),)+
                    _ => Err(InvalidValue::new(text, format!("one of {}", [$($word),+].join(", ")))),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self $(::$variant)? $(($inner))? => f.write_str($word),)+
                }
            }
        }
    };
}

pub(super) use words;

words!(UnknownIp: "not_found" => Self::NotFound, "zero" => Self::Zero);
words!(LogFormat: "text" => Self::Text, "json" => Self::Json);
words!(CountSetting: "opened" => Self(CountRule::Opened), "attempted" => Self(CountRule::Attempted));
words!(DeviceSetting: "ip" => Self(DeviceFrom::Ip), "mac" => Self(DeviceFrom::Mac));

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteCount {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || InvalidValue::new(text, "a size such as 512 MiB or 2 GiB");
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)))
            .ok_or_else(wrong)?;
        let number: u64 = number.trim().parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        let (name, bytes) = unit.copied().unwrap_or(("B", 1));
        write!(f, "{} {name}", self.0 / bytes)
    }
}

impl FromStr for Memory {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<ByteCount>()? {
            ByteCount(bytes) if bytes < Options::MEMORY_BYTES_MIN => {
                let least = ByteCount(Options::MEMORY_BYTES_MIN);
                Err(InvalidValue::new(text, format!("enough for the store: give it {least} or more")))
            }
            ByteCount(bytes) => Ok(Self(bytes)),
        }
    }
}

impl Name {
    pub(super) fn texts(names: Vec<Self>) -> Vec<String> {
        names.into_iter().map(|name| name.0).collect()
    }
}

impl FromStr for LogLevel {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<EnvFilter>() {
            Ok(_) if text.split(',').all(|directive| !is_unknown_word(directive)) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidValue::new(
                text,
                "a log level (error, warn, info, debug, trace) or a filter such as ipstats=debug",
            )),
        }
    }
}

/// Whether a directive is empty, or a bare word and no level. `tracing` would take it as the name of a module, and log nothing else.
fn is_unknown_word(directive: &str) -> bool {
    let is_word = directive.chars().all(|char| char.is_alphanumeric() || "_-: ".contains(char));
    let directive = directive.trim();
    directive.is_empty() || (is_word && directive.parse::<LevelFilter>().is_err())
}

/// A version such as 9.1.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version(String);

impl Default for Version {
    /// Newer than any: shippers of Elastic refuse to talk to what is older than they are.
    fn default() -> Self {
        Self("9.99.0".to_owned())
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('.').collect();
        if parts.len() == 3 && parts.iter().all(|part| part.parse::<u16>().is_ok()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new(text, "a version of three numbers, such as 9.1.0"))
        }
    }
}

impl FromStr for Name {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let visible = !text.trim().is_empty() && !text.chars().any(char::is_control);
        if visible && text.chars().count() <= 128 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new(text, "a name (1 to 128 visible characters)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_with_a_unit_and_shown_with_the_largest_that_fits() {
        for (text, bytes, shown) in [
            ("512 MiB", 512 << 20, "512 MiB"),
            ("2GiB", 2 << 30, "2 GiB"),
            ("1024 MiB", 1 << 30, "1 GiB"),
            ("1500 B", 1500, "1500 B"),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
            assert_eq!(ByteCount(bytes).to_string(), shown);
        }
        for text in ["", "512", "-1 MiB", "1.5 GiB", "2 GB", "99999999999 GiB", "MiB"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }
    #[test]
    fn a_log_level_is_a_level_or_a_filter() {
        for text in ["info", "OFF", "info,fjall=debug", "ipstats=debug", "warn,ipstats[request]=trace"] {
            assert!(text.parse::<LogLevel>().is_ok(), "{text}");
        }
        for text in ["", "verbose", "information", "info,loud", "ipstats=loud", "info,"] {
            assert!(text.parse::<LogLevel>().is_err(), "{text}");
        }
    }
}
