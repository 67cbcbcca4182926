//! The URLs under which clients reach the service.

use super::values::InvalidValue;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use strum::VariantArray;

/// First part of the service's own paths. A prefix that began with it could not be told from a path.
const OWN_PATHS: &str = "/api";

/// A URL under which clients reach the service: scheme, host, optional port and path prefix; no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    scheme: Scheme,
    /// Host and port as a `Host` header has them, lower-case, without the port of the scheme.
    authority: String,
    /// The path, empty or with a slash in front and none behind.
    prefix: String,
}

/// How a client speaks to the service, or to the proxy in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl PublicUrl {
    /// The URL of a service that listens on `address` and has no other name.
    pub fn of_address(scheme: Scheme, address: SocketAddr) -> Self {
        let authority = address.to_string();
        let text = format!("{}://{authority}", scheme.name());
        Self { text, scheme, authority: scheme.without_port(&authority).to_owned(), prefix: String::new() }
    }

    /// The whole URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a `Host` header means this URL; the port of the scheme may be spelled out or not.
    pub fn has_host(&self, host: &str) -> bool {
        self.scheme.without_port(host).eq_ignore_ascii_case(&self.authority)
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The path, empty or with a slash in front and none behind.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Scheme {
    /// `http` or `https`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The scheme with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    fn without_port(self, authority: &str) -> &str {
        let port = match self {
            Self::Http => ":80",
            Self::Https => ":443",
        };
        authority.strip_suffix(port).unwrap_or(authority)
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "a URL such as https://ipstats.example.org (scheme, host, optional port and path)";
        let wrong = || InvalidValue::new(text, expected);
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let scheme = Scheme::from_name(scheme).ok_or_else(wrong)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let path_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(host_like) || !path.bytes().all(path_like) {
            return Err(wrong());
        }
        let prefix = path.trim_end_matches('/');
        if prefix == OWN_PATHS || prefix.starts_with("/api/") {
            let expected = "a URL whose path is its own: the service's paths begin with /api behind it";
            return Err(InvalidValue::new(text, expected));
        }
        let authority = authority.to_ascii_lowercase();
        Ok(Self {
            text: format!("{}://{authority}{prefix}", scheme.name()),
            scheme,
            authority: scheme.without_port(&authority).to_owned(),
            prefix: prefix.to_owned(),
        })
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
            ("HTTPS://a.org:443", "https://a.org:443", "a.org", "xa.org"),
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
            "https://a/api",
            "https://a/api/v1.0/",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
        assert_eq!("https://a/apis/".parse::<PublicUrl>().unwrap().prefix(), "/apis");
    }
}
