//! What reverse proxies say about a request: `X-Forwarded-*`, or `Forwarded` (RFC 7239).
//!
//! Each proxy on the way adds to the right of a list, so it is read from the right, and only as far as the proxies that
//! said it are trusted: what stands further left can be made up by anybody.

use crate::config::{Proxies, ProxyHeaders, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use std::net::{IpAddr, SocketAddr};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the proxies say, the nearest of them first.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    /// Whom each speaks for.
    clients: Vec<&'a str>,
    /// The hosts that were asked; they are looked up among the public ones only.
    pub(super) hosts: Vec<&'a str>,
    /// How the client speaks to the first proxy.
    pub(super) scheme: Option<Scheme>,
}

impl<'a> Told<'a> {
    /// What `headers` tell, which came from a trusted proxy.
    pub(super) fn by(proxies: &Proxies, headers: &'a HeaderMap) -> Self {
        match proxies.headers {
            ProxyHeaders::XForwarded => Self::x_forwarded(headers),
            ProxyHeaders::Forwarded => Self::forwarded(headers),
        }
    }

    /// The client behind `peer`: the nearest that is no trusted proxy. Where a proxy does not name whom it speaks for,
    /// it is that proxy.
    pub(super) fn client(&self, proxies: &Proxies, peer: IpAddr) -> IpAddr {
        let mut client = peer;
        for said in &self.clients {
            match address(said) {
                Some(address) if proxies.trust(client) => client = address.to_canonical(),
                _ => break,
            }
        }
        client
    }

    fn x_forwarded(headers: &'a HeaderMap) -> Self {
        let values = |name| from_the_right(headers, name).map(str::trim);
        let scheme = values(PROTO).last().and_then(Scheme::from_name);
        Self { clients: values(FOR).collect(), hosts: values(HOST).collect(), scheme }
    }

    fn forwarded(headers: &'a HeaderMap) -> Self {
        let mut told = Self::default();
        for value in headers.get_all(FORWARDED).iter().rev() {
            for element in split(text(value), b',').into_iter().rev() {
                let mut client = "";
                for (name, value) in split(element, b';').into_iter().filter_map(|pair| pair.split_once('='))
                {
                    let value = value.trim().trim_matches('"');
                    match name.trim().to_ascii_lowercase().as_str() {
                        "for" => client = value,
                        "host" => told.hosts.push(value),
                        "proto" => told.scheme = Scheme::from_name(value),
                        _ => {}
                    }
                }
                told.clients.push(client);
            }
        }
        told
    }
}

/// The items of a header that holds a list, the last one first.
fn from_the_right(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().rev().flat_map(|value| text(value).rsplit(','))
}

/// What is not text says nothing, but stands where it stands.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// The parts of `text` between separators that are not in quotes.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                parts.extend(text.get(start..position));
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// An address as proxies write it: with a port or without, IPv6 in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(headers: ProxyHeaders) -> Proxies {
        Proxies { networks: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], headers }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let name = HeaderName::from_static;
        lines.iter().map(|(key, value)| (name(key), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_client_is_the_nearest_that_is_no_trusted_proxy() {
        let proxies = proxies(ProxyHeaders::XForwarded);
        for (peer, lines, client) in [
            ("10.0.0.1", &["198.51.100.7"] as &[&str], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7, 10.2.2.2"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1,"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.3.3.3"], "10.3.3.3"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
        ] {
            let headers: HeaderMap =
                lines.iter().map(|line| (FOR, HeaderValue::from_str(line).unwrap())).collect();
            let told = Told::by(&proxies, &headers);
            let found = told.client(&proxies, peer.parse().unwrap()).to_canonical();
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }

    #[test]
    fn hosts_are_told_from_the_right_and_the_scheme_is_that_of_the_client() {
        let headers = headers(&[("x-forwarded-host", "a.org, b.org"), ("x-forwarded-proto", "HTTPS, http")]);
        let told = Told::by(&proxies(ProxyHeaders::XForwarded), &headers);
        assert_eq!((told.hosts, told.scheme), (vec!["b.org", "a.org"], Some(Scheme::Https)));
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        let proxies = proxies(ProxyHeaders::Forwarded);
        let headers = headers(&[
            (
                "forwarded",
                r#"for=1.1.1.1;by=made-up, For="[2001:db8::1]:4711" ; Proto=https;host="a.org:8443""#,
            ),
            ("forwarded", r#"for=10.1.1.1;proto=http;host="x,y;z""#),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil.org"),
        ]);
        let told = Told::by(&proxies, &headers);
        assert_eq!(
            told.client(&proxies, "10.0.0.1".parse().unwrap()),
            "2001:db8::1".parse::<IpAddr>().unwrap()
        );
        assert_eq!((told.hosts, told.scheme), (vec!["x,y;z", "a.org:8443"], Some(Scheme::Https)));
        let other = Told::by(&Proxies { headers: ProxyHeaders::XForwarded, ..proxies.clone() }, &headers);
        assert_eq!(other.client(&proxies, "10.0.0.1".parse().unwrap()), "6.6.6.6".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn an_element_that_names_nobody_hides_those_behind_it() {
        let proxies = proxies(ProxyHeaders::Forwarded);
        for value in ["for=1.1.1.1, proto=https", "for=1.1.1.1, for=_hidden", "for=1.1.1.1, for=\"[::1\""] {
            let headers = HeaderMap::from_iter([(FORWARDED, HeaderValue::from_static(value))]);
            let peer = "10.0.0.1".parse().unwrap();
            assert_eq!(Told::by(&proxies, &headers).client(&proxies, peer), peer, "{value}");
        }
    }
}
