//! Fetching the keys of an outside issuer: discovery (OpenID Connect Discovery 1.0, section 4), then the key set.
//!
//! The issuer is trusted with whose tokens are believed, and with nothing else: sizes and times are bounded, no redirect
//! is followed, and a document about another issuer is refused.

use super::keys::PublishedKeys;
use crate::config::{KeyLocation, KeySource};
use reqwest::{Certificate, Client, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

/// Longest discovery document or key set, in bytes. Entra's key set has about 20 KiB.
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;

/// Longest wait for one document.
const DOCUMENT_SECONDS_MAX: u64 = 4;

/// Why keys could not be fetched, and from where.
#[derive(Debug, thiserror::Error)]
#[error("{url}")]
pub(super) struct FetchError {
    url: Url,
    source: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("no answer")]
    Request(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Status(u16),
    #[error("the answer is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    #[error("the answer is not what it should be")]
    Document(#[from] serde_json::Error),
    #[error("it describes the issuer {described:?} and not {expected:?}: correct `issuer`, to the letter")]
    OtherIssuer { described: String, expected: String },
    #[error("it leads to keys at {0:?}, which is no URL that begins with https://")]
    Unencrypted(String),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The keys of the issuer behind `source`.
pub(super) async fn keys(source: &KeySource) -> Result<PublishedKeys, FetchError> {
    let at = |url: &Url, problem: Problem| FetchError { url: url.clone(), source: problem };
    let url = source.location.url();
    let client = client(source).map_err(|error| at(url, error.into()))?;
    let keys = match &source.location {
        KeyLocation::KeySet(url) => url.clone(),
        KeyLocation::Discovery(url) => {
            let found = document(&client, url).await.and_then(|discovery| key_set(discovery, source));
            found.map_err(|problem| at(url, problem))?
        }
    };
    document(&client, &keys).await.map_err(|problem| at(&keys, problem))
}

/// A client for one fetch: they are minutes apart, so nothing is kept open.
fn client(source: &KeySource) -> Result<Client, reqwest::Error> {
    let limit = Duration::from_secs(DOCUMENT_SECONDS_MAX);
    let mut builder = Client::builder()
        .user_agent(concat!("ipstats/", env!("CARGO_PKG_VERSION")))
        .timeout(limit)
        .redirect(redirect::Policy::none());
    if source.location.url().scheme() == "http" {
        builder = builder.no_proxy();
    }
    if let Some(authorities) = &source.authorities {
        let certificates = Certificate::from_pem_bundle(&authorities.pem)?;
        builder = if authorities.are_only {
            builder.tls_certs_only(certificates)
        } else {
            builder.tls_certs_merge(certificates)
        };
    }
    builder.build()
}

/// Where the key set is, if the discovery document is about the right issuer.
fn key_set(discovery: Discovery, source: &KeySource) -> Result<Url, Problem> {
    if discovery.issuer != source.issuer {
        let expected = source.issuer.clone();
        return Err(Problem::OtherIssuer { described: discovery.issuer, expected });
    }
    // Who is asked without encryption may answer so, too; nobody else.
    let encrypted = source.location.url().scheme() == "https";
    let may_be = |keys: &Url| keys.scheme() == "https" || (keys.scheme() == "http" && !encrypted);
    let keys = discovery.jwks_uri.parse::<Url>().ok().filter(may_be);
    keys.ok_or(Problem::Unencrypted(discovery.jwks_uri))
}

async fn document<T: DeserializeOwned>(client: &Client, url: &Url) -> Result<T, Problem> {
    let request = client.get(url.clone()).header("accept", "application/json");
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    if response.status() != StatusCode::OK {
        return Err(Problem::Status(response.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if bytes.len() + part.len() > DOCUMENT_BYTES_MAX {
            return Err(Problem::TooLong);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(serde_json::from_slice(&bytes)?)
}
