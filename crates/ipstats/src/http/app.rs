//! What the handlers share.

use super::public_urls::PublicUrls;
use crate::auth::{Authority, ClientSecrets, IngestKeys, Issuers, SigningKey, Verifier};
use crate::clock::Clock;
use crate::config::{Application, Config, OrganizationEntry, Proxies, PublicUrl, Scheme, UnknownIp};
use crate::limit::Limiter;
use crate::secret::SecretError;
use crate::store::{Store, StoreError};
use arc_swap::{ArcSwap, Guard};
use ipstats_model::Organization;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The service behind the routes.
pub struct App {
    pub(super) store: Arc<Store>,
    /// The time of the data; an operator may pin it.
    pub(super) data_clock: Clock,
    /// The time of tokens; never pinned.
    pub(super) token_clock: Clock,
    pub(super) client_secrets: ClientSecrets,
    pub(super) limiter: Limiter,
    key: SigningKey,
    /// The URL of the address listened on.
    of_address: PublicUrl,
    closing: AtomicBool,
    snapshot: ArcSwap<Snapshot>,
}

/// What follows from the configuration. A request looks at one snapshot; a reload puts another in its place.
pub(super) struct Snapshot {
    pub(super) public_urls: PublicUrls,
    pub(super) proxies: Proxies,
    /// How the service itself speaks.
    pub(super) scheme: Scheme,
    pub(super) unknown_ip: UnknownIp,
    pub(super) authority: Authority,
    pub(super) verifier: Verifier,
    pub(super) ingest_keys: IngestKeys,
    audiences: Vec<String>,
    organizations: Vec<OrganizationEntry>,
    applications: Vec<Application>,
}

impl App {
    /// The service that `config` describes, listening on `listening`, over `store`.
    pub fn new(
        config: &Config,
        key: SigningKey,
        store: impl Into<Arc<Store>>,
        listening: SocketAddr,
        data_clock: Clock,
        token_clock: Clock,
    ) -> Result<Self, SecretError> {
        let of_address = PublicUrl::of_address(config.scheme(), listening);
        Ok(Self {
            store: store.into(),
            data_clock,
            token_clock,
            client_secrets: ClientSecrets::new()?,
            limiter: Limiter::local(&config.rate_limits),
            snapshot: ArcSwap::from_pointee(Snapshot::new(config, &key, &of_address)),
            key,
            of_address,
            closing: AtomicBool::new(false),
        })
    }

    /// Goes on with another configuration: public URLs, `unknown_ip`, audiences, rate limits, organizations,
    /// applications and ingest keys. Calls that were counted stay counted. The rest of a configuration takes a restart.
    pub fn reload(&self, config: &Config) {
        self.limiter.set_limits(&config.rate_limits);
        self.snapshot.store(Arc::new(Snapshot::new(config, &self.key, &self.of_address)));
    }

    /// The URL of the service where a request does not tell.
    pub fn base_url(&self) -> String {
        self.snapshot().public_urls.first().to_string()
    }

    /// From now on the service says that it is not ready.
    pub fn begin_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Closes the store; to be called when no request is under way any more.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(super) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }
}

impl Snapshot {
    fn new(config: &Config, key: &SigningKey, of_address: &PublicUrl) -> Self {
        let public_urls = PublicUrls::new(&config.public_urls, of_address.clone());
        let authority = Authority::new(key.clone(), public_urls.first().as_str());
        // A token that was issued under one public URL is good under all.
        let issuers = public_urls.iter().fold(Issuers::default(), |issuers, url| {
            issuers
                .with_built_in(&authority.at(url.as_str()), config.organizations.iter().map(|entry| entry.id))
        });
        Self {
            public_urls,
            proxies: config.proxies.clone(),
            scheme: of_address.scheme(),
            unknown_ip: config.unknown_ip,
            verifier: Verifier::new(issuers, config.audiences.iter().cloned()),
            authority,
            ingest_keys: IngestKeys::new(&config.ingest_sources),
            audiences: config.audiences.clone(),
            organizations: config.organizations.clone(),
            applications: config.applications.clone(),
        }
    }

    /// The organization that a path calls `tenant`: its id or its name.
    pub(super) fn tenant(&self, tenant: &str) -> Option<Organization> {
        let id = tenant.parse().ok();
        let found = self.organizations.iter().find(|entry| Some(entry.id) == id || entry.name == tenant);
        found.map(|entry| entry.id)
    }

    /// The application of `organization` with this client id.
    pub(super) fn application(&self, organization: Organization, client_id: &str) -> Option<&Application> {
        let id = client_id.parse().ok()?;
        self.applications
            .iter()
            .find(|application| application.client_id == id && application.organization == organization)
    }

    /// The configured spelling of an audience; a trailing slash does not matter.
    pub(super) fn audience(&self, asked: &str) -> Option<&str> {
        let same = |audience: &&String| audience.trim_end_matches('/') == asked.trim_end_matches('/');
        self.audiences.iter().find(same).map(String::as_str)
    }
}
