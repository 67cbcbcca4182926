//! The URLs under which clients reach the service.

use super::values::InvalidValue;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// A URL under which clients reach the service: scheme, host, optional port and path prefix; no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    /// Host and port as a `Host` header has them, lower-case.
    authority: String,
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
        let wrong = || InvalidValue::new(text, expected);
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

#[cfg(test)]
mod tests {
    use super::*;

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
