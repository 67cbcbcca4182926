//! The URLs that a client asks: a service, and where its tokens come from.

use super::values::InvalidValue;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A URL to ask: scheme, host, optional port and path, as it was written. It holds no user, no query and no fragment, so
/// there is no place for a secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The whole URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL without a slash at its end: what paths are put behind.
    pub fn base(&self) -> &str {
        self.0.trim_end_matches('/')
    }

    /// Whether what is sent there can be read by nobody on the way: it is encrypted, or does not leave this machine.
    pub fn keeps_secrets(&self) -> bool {
        self.0.starts_with("https://") || is_this_machine(self.host())
    }

    fn host(&self) -> &str {
        let authority =
            self.0.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split(']').next(),
            None => authority.split(':').next(),
        }
        .unwrap_or_default()
    }
}

/// Whether what is sent to `host` does not leave this machine.
pub(super) fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl FromStr for ServerUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let (authority, path) =
            rest.map_or(("", ""), |rest| rest.split_at(rest.find('/').unwrap_or(rest.len())));
        let host_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let path_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(host_like) || !path.bytes().all(path_like) {
            let expected = "a URL such as https://ipstats.example.org (scheme, host, optional port and path; user and password are \
                            settings of their own)";
            return Err(InvalidValue::new(text, expected));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_by_encryption_or_on_this_machine() {
        for (text, keeps) in [
            ("https://ipstats.example.org", true),
            ("http://ipstats.example.org", false),
            ("http://localhost:8080", true),
            ("http://localhost.example.org", false),
            ("http://127.0.0.1:8080/below", true),
            ("http://127.0.0.1.example.org", false),
            ("http://[::1]:8080", true),
            ("http://[2001:db8::1]:8080", false),
            ("http://192.168.1.10", false),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().keeps_secrets(), keeps, "{text}");
        }
    }

    #[test]
    fn a_url_has_a_host_and_no_place_for_secrets() {
        let url: ServerUrl = "https://ipstats.example.org/below/".parse().unwrap();
        assert_eq!(
            (url.as_str(), url.base()),
            ("https://ipstats.example.org/below/", "https://ipstats.example.org/below")
        );
        for text in [
            "",
            "ipstats.example.org",
            "ftp://a",
            "https://",
            "https:///a",
            "https://u:p@a",
            "https://a?q",
            "https://a/#f",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }
}
