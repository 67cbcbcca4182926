//! Carries requests, and carries them again while waiting helps: after 429 as long as the server asks for, and through
//! outages (no connection, 502, 503, 504) with growing pauses.
//!
//! All requests of a courier share one gate: what one of them learns about waiting holds for all, so that a server that
//! asks for a pause gets one.

use super::error::{ClientError, Step, Unreachable};
use super::patience::Patience;
use crate::config::{ServerAccess, ServerUrl};
use crate::visible::Visible;
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, StatusCode};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{self, Runtime};

const CONNECT_SECONDS_MAX: u64 = 15;

/// Longest answer that is read, in bytes; real ones have some hundred.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Waits from this length on are told: shorter ones are not worth a line.
const TOLD_FROM: Duration = Duration::from_secs(2);

/// Who is told why nothing happens for a while.
pub type Listener = Box<dyn Fn(&str) + Send + Sync>;

/// Carries requests to servers. Its methods block.
pub struct Courier {
    http: Client,
    /// Where connections live. reqwest's own blocking client is not used because it does not see the answer of a server
    /// that refuses a long body before its end.
    runtime: Runtime,
    retry_for: Duration,
    /// Nothing is sent before this time.
    gate: Mutex<Option<Instant>>,
    listener: Listener,
}

/// What a server answered, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) is_json: bool,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
    retry_after_seconds: Option<u64>,
}

impl Courier {
    /// A courier that rides out outages of up to `retry_for`, and trusts whom `access` says.
    pub fn new(access: &ServerAccess, retry_for: Duration, listener: Listener) -> Result<Self, ClientError> {
        let mut builder = ClientBuilder::new()
            .user_agent(concat!("ipstats/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX));
        if let Some(file) = &access.ca_file {
            let certificates = certificates(file)?;
            builder = if access.ca_only {
                builder.tls_certs_only(certificates)
            } else {
                builder.tls_certs_merge(certificates)
            };
        }
        let http = builder.build().map_err(|error| ClientError::Tls(Unreachable::from(error)))?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(ClientError::Threads)?;
        Ok(Self { http, runtime, retry_for, gate: Mutex::default(), listener })
    }

    /// What the server at `url` answers to the request that `request` makes, which is asked for once an attempt. The
    /// last answer where waiting does not help.
    pub(super) fn carry<E: From<ClientError>>(
        &self,
        step: Step,
        url: &ServerUrl,
        mut request: impl FnMut(&Client) -> Result<RequestBuilder, E>,
    ) -> Result<Reply, E> {
        let mut patience = Patience::new(self.retry_for);
        loop {
            self.wait_at_gate();
            let request = request(&self.http)?;
            let outcome = self.runtime.block_on(async { Reply::read(request.send().await?).await });
            let (wait, why) = match &outcome {
                Ok(reply) if reply.status == StatusCode::TOO_MANY_REQUESTS => {
                    (patience.with_quota(reply.retry_after_seconds), "the quota is used up".to_owned())
                }
                Ok(reply) if reply.is_of_an_outage() => {
                    let wait = patience.with_outage(Instant::now(), reply.retry_after_seconds, jitter());
                    (wait, format!("{url} answers {}", reply.status))
                }
                Err(unreachable) if unreachable.may_pass => {
                    (patience.with_outage(Instant::now(), None, jitter()), format!("{url}: {unreachable}"))
                }
                _ => (None, String::new()),
            };
            let Some(wait) = wait else {
                let url = url.clone();
                return outcome.map_err(|cause| ClientError::Unreachable { step, url, cause }.into());
            };
            self.close_gate(wait, &why);
        }
    }

    /// Where a body lives while it is sent.
    pub(super) fn runtime(&self) -> &runtime::Handle {
        self.runtime.handle()
    }

    fn close_gate(&self, wait: Duration, why: &str) {
        let until = Instant::now() + wait;
        let mut gate = self.gate.lock();
        let known = gate.is_some_and(|known| known + TOLD_FROM > until);
        if !known && wait >= TOLD_FROM {
            (self.listener)(&format!("{}: waiting {} s", Visible(why), wait.as_secs_f64().ceil()));
        }
        *gate = (*gate).max(Some(until));
    }

    fn wait_at_gate(&self) {
        loop {
            let opens = *self.gate.lock();
            let left = opens.map(|opens| opens.saturating_duration_since(Instant::now()));
            match left {
                Some(left) if !left.is_zero() => thread::sleep(left),
                _ => return,
            }
        }
    }
}

impl Reply {
    async fn read(mut response: Response) -> Result<Self, Unreachable> {
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, location) = (text(CONTENT_TYPE), text(LOCATION));
        let retry_after_seconds = text(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok());
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        let is_json = content_type.is_some_and(|value| value.to_ascii_lowercase().contains("json"));
        Ok(Self { status, is_json, location, body, retry_after_seconds })
    }

    fn is_of_an_outage(&self) -> bool {
        matches!(
            self.status,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        )
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, ClientError> {
    let unusable = |reason: String| ClientError::CaFile { file: file.to_owned(), reason };
    let pem = fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable("there is no certificate in it (PEM is expected)".to_owned()));
    }
    Ok(certificates)
}

/// From 0 to 1. Where the system gives no randomness, waits are merely in step.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
