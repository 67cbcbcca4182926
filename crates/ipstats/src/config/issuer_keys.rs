//! Where the keys of an outside issuer come from, and for how long they are believed.

use super::Place;
use super::duration::Duration;
use super::issuers::TENANT_PLACEHOLDER;
use super::reader::Section;
use reqwest::Certificate;
use std::fs;
use std::path::PathBuf;
use url::{Host, Url};

/// After how long keys are fetched again, unless configured.
const REFRESH_DEFAULT: Duration = Duration::of_seconds(600);

/// How often keys may be fetched at most.
const REFRESH_MIN: Duration = Duration::of_seconds(10);

/// For how long keys are believed while their issuer cannot be reached, unless configured.
const MAX_AGE_DEFAULT: Duration = Duration::of_seconds(24 * 3600);

/// For how long at most.
const MAX_AGE_MAX: Duration = Duration::of_seconds(7 * 24 * 3600);

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySource {
    /// The `issuer` that its discovery document must be about.
    pub issuer: String,
    /// Where the keys or what leads to them is.
    pub location: KeyLocation,
    /// Certificates that are trusted beside the system's.
    pub authorities: Option<Authorities>,
    /// Whether unencrypted connections are allowed.
    pub allow_http: bool,
    /// After how many seconds keys are fetched again.
    pub refresh_seconds: i64,
    /// For how many seconds keys are believed while their issuer cannot be reached.
    pub max_age_seconds: i64,
}

/// What is fetched first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// A discovery document (OpenID Connect Discovery 1.0), which names the key set.
    Discovery(Url),
    /// The key set (RFC 7517) itself.
    KeySet(Url),
}

/// Certificates of authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// The file they are from.
    pub file: PathBuf,
    /// What it holds; it was seen to hold certificates.
    pub pem: Vec<u8>,
    /// Whether those of the system are not trusted.
    pub are_only: bool,
}

/// The keys of `[[issuers]]` that are about keys.
pub(super) fn read(section: &mut Section<'_>, issuer: &str, place: &Place<'_>) -> Option<KeySource> {
    let allow_http = section.read_flag("allow_http").unwrap_or(false);
    let key_set = section.read::<Url>("jwks_url");
    let discovery = section.read::<Url>("discovery_url");
    let refresh = section.read::<Duration>("keys_refresh").unwrap_or(REFRESH_DEFAULT);
    let max_age = section.read::<Duration>("keys_max_age").unwrap_or(MAX_AGE_DEFAULT.max(refresh));
    let (file, are_only) = section.read_ca(place.folder);
    if key_set.is_some() && discovery.is_some() {
        section.problem("discovery_url", "either jwks_url or discovery_url, not both");
    }
    if refresh < REFRESH_MIN {
        section.problem("keys_refresh", format_args!("{refresh} is too often: {REFRESH_MIN} is the least"));
    }
    if max_age < refresh || max_age > MAX_AGE_MAX {
        let why = format_args!("{max_age} is not between keys_refresh ({refresh}) and {MAX_AGE_MAX}");
        section.problem("keys_max_age", why);
    }
    let authorities = file.map(|file| authorities(section, file, are_only));
    let (key, location) = match (key_set, discovery) {
        (Some(url), _) => ("jwks_url", Some(KeyLocation::KeySet(url))),
        (None, Some(url)) => ("discovery_url", Some(KeyLocation::Discovery(url))),
        (None, None) => ("issuer", discovery_of(section, issuer).map(KeyLocation::Discovery)),
    };
    let location = location.filter(|location| may_be_asked(section, key, location.url(), allow_http))?;
    Some(KeySource {
        issuer: issuer.to_owned(),
        location,
        authorities: authorities.map_or(Some(None), |read| read.map(Some))?,
        allow_http,
        refresh_seconds: refresh.seconds,
        max_age_seconds: max_age.seconds,
    })
}

/// Where the issuer's discovery document is. One that issues for many tenants describes itself to the tenant `common`.
fn discovery_of(section: &Section<'_>, issuer: &str) -> Option<Url> {
    let base = issuer.replace(TENANT_PLACEHOLDER, "common");
    let url = format!("{}/.well-known/openid-configuration", base.trim_end_matches('/')).parse::<Url>();
    let url = url.ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    if url.is_none() && !issuer.is_empty() {
        section.problem(
            "issuer",
            "not a URL without query and fragment: set jwks_url to say where its keys are",
        );
    }
    url
}

fn may_be_asked(section: &Section<'_>, key: &'static str, url: &Url, allow_http: bool) -> bool {
    let problem = match url.scheme() {
        "https" => None,
        "http" if allow_http || is_loopback(url) => None,
        "http" => Some(
            "http:// lets anybody on the way choose the keys: use https://, or set allow_http = true to accept that",
        ),
        _ => Some("expected a URL that begins with https://"),
    };
    let problem = problem.or((!url.username().is_empty() || url.password().is_some())
        .then_some("a URL with a user or a password in it"));
    if let Some(problem) = problem {
        section.problem(key, problem);
    }
    problem.is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn authorities(section: &Section<'_>, file: PathBuf, are_only: bool) -> Option<Authorities> {
    let refuse =
        |why: &dyn std::fmt::Display| section.problem("ca_file", format_args!("{}: {why}", file.display()));
    let pem = fs::read(&file).map_err(|error| refuse(&error)).ok()?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Some(Authorities { file, pem, are_only }),
        _ => {
            refuse(&"no certificates in PEM are in it");
            None
        }
    }
}

impl KeyLocation {
    /// What is fetched first.
    pub fn url(&self) -> &Url {
        let (Self::Discovery(url) | Self::KeySet(url)) = self;
        url
    }
}
