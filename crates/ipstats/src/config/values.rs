//! Values of single settings, each with the one text form it is written in.

use ipstats_formats::{CountRule, DeviceFrom};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use tracing_subscriber::EnvFilter;

/// What is answered for an IP that was not contacted in the retained 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownIp {
    /// `not_found`: 404 `ResourceNotFound`.
    #[default]
    NotFound,
    /// `zero`: 200 with zero devices.
    Zero,
}

/// Where connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreBackend {
    /// `embedded`: the engine in the data folder.
    #[default]
    Embedded,
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

/// A URL under which clients reach the service: scheme, host, optional port and path prefix; no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    /// Host and port as a `Host` header has them, lower-case.
    authority: String,
}

/// A number of bytes, written as `512 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteCount(pub u64);

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
    expected: &'static str,
}

fn invalid(text: &str, expected: &'static str) -> InvalidValue {
    InvalidValue { text: text.to_owned(), expected }
}

impl FromStr for UnknownIp {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "not_found" => Ok(Self::NotFound),
            "zero" => Ok(Self::Zero),
            _ => Err(invalid(text, "one of not_found, zero")),
        }
    }
}

impl fmt::Display for UnknownIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not_found",
            Self::Zero => "zero",
        })
    }
}

impl FromStr for StoreBackend {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "embedded" => Ok(Self::Embedded),
            _ => Err(invalid(text, "one of embedded")),
        }
    }
}

impl fmt::Display for StoreBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
        })
    }
}

impl FromStr for LogFormat {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(invalid(text, "one of text, json")),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl PublicUrl {
    /// The URL of a service that listens on `address` and has no other name.
    pub fn of_address(address: SocketAddr) -> Self {
        Self { text: format!("http://{address}"), authority: address.to_string() }
    }

    /// The whole URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a `Host` header means this URL; the port of the scheme may be spelled out or not.
    pub fn has_host(&self, host: &str) -> bool {
        let port = if self.text.starts_with("https:") { ":443" } else { ":80" };
        let without_port = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
        without_port(host) == without_port(&self.authority)
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "a URL such as https://ipstats.example.org (scheme, host, optional port and path)";
        let wrong = || invalid(text, expected);
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let path_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        let well_formed = matches!(scheme, "http" | "https")
            && !authority.is_empty()
            && authority.bytes().all(host_like)
            && path.bytes().all(path_like);
        if !well_formed {
            return Err(wrong());
        }
        let authority = authority.to_ascii_lowercase();
        Ok(Self { text: format!("{scheme}://{authority}{}", path.trim_end_matches('/')), authority })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteCount {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || invalid(text, "a size such as 512 MiB or 2 GiB");
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

impl FromStr for CountSetting {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "opened" => Ok(Self(CountRule::Opened)),
            "attempted" => Ok(Self(CountRule::Attempted)),
            _ => Err(invalid(text, "one of opened, attempted")),
        }
    }
}

impl fmt::Display for CountSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            CountRule::Opened => "opened",
            CountRule::Attempted => "attempted",
        })
    }
}

impl FromStr for DeviceSetting {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ip" => Ok(Self(DeviceFrom::Ip)),
            "mac" => Ok(Self(DeviceFrom::Mac)),
            _ => Err(invalid(text, "one of ip, mac")),
        }
    }
}

impl fmt::Display for DeviceSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            DeviceFrom::Ip => "ip",
            DeviceFrom::Mac => "mac",
        })
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
            Ok(_) if !text.is_empty() => Ok(Self(text.to_owned())),
            _ => Err(invalid(
                text,
                "a log level (error, warn, info, debug, trace) or a filter such as ipstats=debug",
            )),
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
            Err(invalid(text, "a name (1 to 128 visible characters)"))
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
    fn a_public_url_has_one_spelling() {
        for (text, shown, host, other) in [
            (
                "https://API.example.org/",
                "https://api.example.org",
                "Api.example.org:443",
                "api.example.org:80",
            ),
            ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080", "[::1]"),
            ("https://a.org:8443/defender/", "https://a.org:8443/defender", "a.org:8443", "a.org"),
            ("https://a.org:443", "https://a.org:443", "a.org", "xa.org"),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), shown);
            assert!(url.has_host(host) && !url.has_host(other), "{text}");
        }
        for text in [
            "",
            "example.org",
            "ftp://example.org",
            "https://",
            "https://a b",
            "https://a/?q=1",
            "https://u@a",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
