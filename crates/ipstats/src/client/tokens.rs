//! Tokens: got when they are needed, kept until shortly before they expire, replaced once when the service refuses one.

use super::courier::Courier;
use super::error::{ClientError, Step};
use crate::config::{Audience, ClientCredentials, Proof};
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A token that is about to expire is no good: it may be refused by the time it arrives.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// Longest time that a token is kept, whatever is said about it.
const KEPT_SECONDS_MAX: u64 = 24 * 3600;

/// Where it is not said how long a token lasts.
const EXPIRES_IN_SECONDS_DEFAULT: u64 = 600;

/// Longest token, in bytes: what lies beyond makes it none.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

const TOKEN_REQUEST_SECONDS_MAX: u64 = 30;

/// Gets tokens and keeps them.
pub(super) struct Tokens {
    proof: Proof,
    held: Mutex<Option<Held>>,
}

/// A token, shared by the requests that carry it.
#[derive(Clone)]
pub(super) struct Token(Arc<str>);

struct Held {
    token: Token,
    good_until: Option<Instant>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
}

impl Tokens {
    pub(super) fn new(proof: Proof) -> Self {
        Self { proof, held: Mutex::default() }
    }

    /// A token that has not expired. Whoever comes while one is being got waits for it.
    pub(super) fn current(&self, courier: &Courier) -> Result<Token, ClientError> {
        let mut held = self.held.lock();
        if let Some(held) = &*held
            && held.good_until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(held.token.clone());
        }
        let new = self.get(courier)?;
        let token = new.token.clone();
        *held = Some(new);
        Ok(token)
    }

    /// Another token than `refused`, which the service did not accept; none where there is no other.
    pub(super) fn instead_of(
        &self,
        refused: &Token,
        courier: &Courier,
    ) -> Result<Option<Token>, ClientError> {
        if matches!(self.proof, Proof::Token(_)) {
            return Ok(None);
        }
        {
            let mut held = self.held.lock();
            // Another request may have replaced it already.
            if held.as_ref().is_some_and(|held| held.token == *refused) {
                *held = None;
            }
        }
        let token = self.current(courier)?;
        Ok((token != *refused).then_some(token))
    }

    fn get(&self, courier: &Courier) -> Result<Held, ClientError> {
        match &self.proof {
            Proof::Token(token) => Ok(Held { token: Token::from(token.reveal()), good_until: None }),
            Proof::TokenFile(file) => {
                let text =
                    read(file).map_err(|source| ClientError::TokenFile { file: file.clone(), source })?;
                Ok(Held { token: Token::from(text.trim()), good_until: None })
            }
            Proof::Client(credentials) => exchange(credentials, courier),
        }
    }
}

fn exchange(credentials: &ClientCredentials, courier: &Courier) -> Result<Held, ClientError> {
    let url = &credentials.token_url;
    let form = form(credentials);
    let asked = Instant::now();
    let reply = courier.carry(Step::Token, url, |http| {
        Ok::<_, ClientError>(
            http.post(url.as_str())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .timeout(Duration::from_secs(TOKEN_REQUEST_SECONDS_MAX))
                .body(form.clone()),
        )
    })?;
    if !reply.status.is_success() {
        return Err(ClientError::of(Step::Token, url, &reply));
    }
    // What was answered is not told: it may hold a token all the same.
    let answer: TokenAnswer = serde_json::from_slice(&reply.body).map_err(|_| ClientError::NotTheApi {
        step: Step::Token,
        url: url.clone(),
        reason: "there is no access_token in it".to_owned(),
    })?;
    let expires_in = answer.expires_in.unwrap_or(EXPIRES_IN_SECONDS_DEFAULT).min(KEPT_SECONDS_MAX);
    let expires_in = Duration::from_secs(expires_in);
    let good_for = expires_in.checked_sub(EXPIRY_MARGIN).unwrap_or(expires_in / 2);
    Ok(Held { token: Token::from(answer.access_token.as_str()), good_until: asked.checked_add(good_for) })
}

fn form(credentials: &ClientCredentials) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &credentials.client_id)
        .append_pair("client_secret", credentials.client_secret.reveal());
    match &credentials.audience {
        Audience::Scope(scope) => form.append_pair("scope", scope),
        Audience::Resource(resource) => form.append_pair("resource", resource),
        Audience::Implied => &mut form,
    };
    form.finish()
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Version 1 endpoints of Entra send the number as a string.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wire {
        Number(u64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Wire::deserialize(deserializer)? {
        Wire::Number(seconds) => Some(seconds),
        Wire::Text(text) => text.parse().ok(),
        Wire::Other(_) => None,
    })
}

impl Token {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
