//! The public URLs of the service, and which of them a request was made to.

use super::app::{App, Snapshot};
use crate::config::{PublicUrl, Scheme};
use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::request::Parts;
use std::cmp::Reverse;
use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

/// The URLs of the service; at least one.
pub(super) struct PublicUrls {
    first: Arc<PublicUrl>,
    others: Vec<Arc<PublicUrl>>,
}

/// The public URL that a request was made to: the one of its host where that is on the list, else the first. What a
/// client sends as host is never shown to anybody.
#[derive(Clone)]
pub(super) struct AskedUrl(Arc<PublicUrl>);

impl PublicUrls {
    /// Those that are configured; without any, `otherwise`.
    pub(super) fn new(configured: &[PublicUrl], otherwise: PublicUrl) -> Self {
        match configured {
            [] => Self { first: Arc::new(otherwise), others: Vec::new() },
            [first, others @ ..] => Self {
                first: Arc::new(first.clone()),
                others: others.iter().cloned().map(Arc::new).collect(),
            },
        }
    }

    /// Where a request does not tell.
    pub(super) fn first(&self) -> &Arc<PublicUrl> {
        &self.first
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<PublicUrl>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Whether there is nothing to choose from and no prefix to look for.
    pub(super) fn is_one_without_prefix(&self) -> bool {
        self.others.is_empty() && self.first.prefix().is_empty()
    }

    /// The URL with this host. Of several, the one whose prefix the path has comes first, then the one of the scheme.
    pub(super) fn find(&self, host: &str, scheme: Scheme, path: &str) -> Option<AskedUrl> {
        let fit = |url: &&Arc<PublicUrl>| {
            let prefix = without_prefix(path, url.prefix()).map_or(0, |_| url.prefix().len());
            Reverse((prefix, url.scheme() == scheme))
        };
        let found = self.iter().filter(|url| url.has_host(host)).min_by_key(fit);
        found.map(|url| AskedUrl(Arc::clone(url)))
    }
}

/// A path without the prefix of a public URL, if it has it.
pub(super) fn without_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))
}

impl AskedUrl {
    /// The one that the entrance found for a request, or the first where it had no choice.
    pub(super) fn of(extensions: &Extensions, snapshot: &Snapshot) -> Self {
        let told = extensions.get::<Self>().cloned();
        told.unwrap_or_else(|| Self::untold(&snapshot.public_urls))
    }

    /// A request that does not tell.
    pub(super) fn untold(urls: &PublicUrls) -> Self {
        Self(Arc::clone(urls.first()))
    }
}

impl Deref for AskedUrl {
    type Target = PublicUrl;

    fn deref(&self) -> &PublicUrl {
        &self.0
    }
}

impl FromRequestParts<Arc<App>> for AskedUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions, &app.snapshot()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_urls_with_one_host_prefix_and_scheme_decide() {
        let urls = ["http://a.org", "https://a.org", "https://a.org/x", "https://a.org/x/y", "https://b.org"];
        let urls = PublicUrls::new(&urls.map(|url| url.parse().unwrap()), "http://c.org".parse().unwrap());
        for (host, scheme, path, expected) in [
            ("a.org", Scheme::Http, "/api/x", Some("http://a.org")),
            ("A.org:443", Scheme::Https, "/api/x", Some("https://a.org")),
            ("a.org", Scheme::Https, "/x/api", Some("https://a.org/x")),
            ("a.org", Scheme::Http, "/x/y/api", Some("https://a.org/x/y")),
            ("a.org", Scheme::Https, "/xy/api", Some("https://a.org")),
            ("b.org", Scheme::Http, "/api", Some("https://b.org")),
            ("c.org", Scheme::Http, "/api", None),
        ] {
            let found = urls.find(host, scheme, path);
            assert_eq!(found.as_ref().map(|url| url.as_str()), expected, "{host} {path}");
        }
    }
}
