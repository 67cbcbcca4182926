//! One value of a record, as JSON and CSV give it, and what it must be.

use crate::fields::time::{self, Zone};
use crate::outcome::Malformed;
use ipstats_model::{CanonicalIp, Timestamp};
use std::borrow::Cow;
use std::fmt::Write;

/// A value of a field. A field that is absent is [`Null`](Self::Null).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Scalar<'a> {
    #[default]
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// An array or an object.
    Compound,
}

/// Longest part of a wrong value that a message shows, in characters.
const SHOWN_CHARACTERS_MAX: usize = 48;

impl Scalar<'_> {
    /// The same value with an owned text.
    pub(crate) fn into_owned<'o>(self) -> Scalar<'o> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(flag) => Scalar::Bool(flag),
            Self::Integer(number) => Scalar::Integer(number),
            Self::Float(number) => Scalar::Float(number),
            Self::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
            Self::Compound => Scalar::Compound,
        }
    }

    /// The text; nothing if the field is null, absent or empty.
    pub(crate) fn text(&self, field: &'static str) -> Result<Option<&str>, Malformed> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) if text.is_empty() => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            _ => Err(self.is_not("text", field)),
        }
    }

    /// The text of a field that must have one.
    pub(crate) fn needed_text(&self, field: &'static str) -> Result<&str, Malformed> {
        self.text(field)?.ok_or(Malformed::Missing { field })
    }

    /// The address; nothing if the field is null, absent or empty.
    pub(crate) fn ip(&self, field: &'static str) -> Result<Option<CanonicalIp>, Malformed> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        ip(text.as_bytes()).map(Some).ok_or_else(|| self.is_not(IP_ADDRESS, field))
    }

    /// The time: text, or a number of seconds since the epoch.
    pub(crate) fn time(&self, field: &'static str, zone: Zone) -> Result<Timestamp, Malformed> {
        let time = match self {
            Self::Integer(seconds) => time::from_seconds(*seconds),
            Self::Float(seconds) => time::from_seconds_float(*seconds),
            Self::Bool(_) | Self::Compound => None,
            Self::Null | Self::Text(_) => time::from_text(self.needed_text(field)?, zone),
        };
        time.ok_or_else(|| match self {
            Self::Text(text) if time::from_text(text, Zone::Utc).is_some() => {
                self.is_not("a time with its zone", field)
            }
            _ => self.is_not(A_TIME, field),
        })
    }

    /// The time in UTC: as [`time`](Self::time), or a whole number of milliseconds since the epoch, which no seconds
    /// look like.
    pub(crate) fn time_or_millis(&self, field: &'static str) -> Result<Timestamp, Malformed> {
        self.time(field, Zone::Utc).or_else(|problem| {
            let milliseconds = match self {
                Self::Integer(milliseconds) => Some(*milliseconds),
                Self::Text(text) => text.parse().ok(),
                _ => None,
            };
            milliseconds.and_then(|number: i64| time::from_seconds(number.div_euclid(1000))).ok_or(problem)
        })
    }

    /// The whole number, also where it is written as text.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether the field is this word of an enumeration, whose case shippers change.
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Text(text) if text.eq_ignore_ascii_case(word))
    }

    /// Whether the field is one of these words, in any case.
    pub(crate) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// The text, if it is one; anything else is nothing.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The whole number, where it is not negative.
    pub(crate) fn count(&self) -> Option<u64> {
        self.number().and_then(|number| number.try_into().ok())
    }

    /// The port number.
    pub(crate) fn port(&self) -> Option<u16> {
        self.number().and_then(|number| number.try_into().ok())
    }

    /// Whether the field is null, absent or empty.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Text(text) if text.is_empty())
    }

    /// Yes, no, or not said.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Text(text) => match text.as_ref() {
                "T" => Some(true),
                "F" => Some(false),
                text if text.eq_ignore_ascii_case("true") => Some(true),
                text if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// That this value is not what its field must be.
    pub(crate) fn is_not(&self, expected: &'static str, field: &'static str) -> Malformed {
        Malformed::Invalid { field, value: self.shown(), expected }
    }

    /// The value as messages show it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => shown(text),
            Self::Compound => "an array or an object".to_owned(),
        }
    }
}

pub(crate) const IP_ADDRESS: &str = "an IP address";
pub(crate) const A_TIME: &str = "a time";

/// An address as logs write it: the canonical grammar, and IPv6 with a zone (`fe80::1%eth0`), which is left out.
pub(crate) fn ip(text: &[u8]) -> Option<CanonicalIp> {
    CanonicalIp::parse_ascii(text).or_else(|| {
        let zone = memchr::memchr(b'%', text)?;
        let address = text.get(..zone)?;
        let has_zone = zone + 1 < text.len();
        if has_zone && address.contains(&b':') { CanonicalIp::parse_ascii(address) } else { None }
    })
}

/// `text` in quotes, shortened.
pub(crate) fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(SHOWN_CHARACTERS_MAX).collect();
    shown = format!("{shown:?}");
    if characters.next().is_some() {
        let _ = write!(shown, "… ({} bytes)", text.len());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Scalar<'_> {
        Scalar::Text(Cow::Borrowed(text))
    }

    #[test]
    fn nothing_is_not_the_same_as_wrong() {
        for nothing in [Scalar::Null, text("")] {
            assert_eq!(nothing.text("f"), Ok(None));
            assert_eq!(nothing.ip("f"), Ok(None));
            assert_eq!(nothing.needed_text("f"), Err(Malformed::Missing { field: "f" }));
            assert_eq!(nothing.time("f", Zone::Utc), Err(Malformed::Missing { field: "f" }));
        }
        for wrong in [Scalar::Integer(7), Scalar::Bool(true), Scalar::Compound, Scalar::Float(0.5)] {
            assert!(wrong.text("f").is_err());
            assert!(wrong.ip("f").is_err());
        }
        assert_eq!(Scalar::Integer(7).text("f").unwrap_err().to_string(), "f is 7, not text");
        assert_eq!(text("nope").ip("f").unwrap_err().to_string(), "f is \"nope\", not an IP address");
    }

    #[test]
    fn zones_of_addresses_are_left_out() {
        let link_local = "fe80::1".parse().ok();
        assert_eq!(ip(b"fe80::1%eth0"), link_local);
        assert_eq!(ip(b"fe80:0:0:0:0:0:0:1%12"), link_local);
        for wrong in
            ["10.0.0.1%eth0", "fe80::1%", "%eth0", "10.0.0.0/8", "[::1]:80", "1.2.3.4:80", "host", ""]
        {
            assert_eq!(ip(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn long_values_are_shortened() {
        let message = text(&"é".repeat(500)).is_not("x", "f").to_string();
        assert!(message.len() < 200 && message.contains("… (1000 bytes)"), "{message}");
    }
}
