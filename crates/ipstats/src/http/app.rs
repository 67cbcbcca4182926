//! What the handlers share.

use super::ingest::{Senders, SmallBodies};
use super::public_urls::PublicUrls;
use crate::audit::{AuditError, AuditFigures, AuditLog, Full, Place};
use crate::auth::{
    Authority, Figures, IngestKeys, IssuerFigures, Issuers, Registry, Roles, SecretProofs, SigningKey,
    SigningKeyError, Trust, Verifier,
};
use crate::clock::Clock;
use crate::config::{
    AuditDestination, Config, IngestSource, OrganizationEntry, Proxies, PublicUrl, Scheme, UnknownIp,
};
use crate::limit::Limiter;
use crate::metrics::Metrics;
use crate::operation::Operation;
use crate::secret::SecretError;
use crate::sources::Account;
use crate::store::{Store, StoreError};
use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use ipstats_model::Organization;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How often it is looked whether keys of an issuer are due.
const KEYS_TICK: Duration = Duration::from_secs(1);

/// The service behind the routes.
pub struct App {
    pub(super) store: Arc<Store>,
    /// The time of the data; an operator may pin it.
    pub(super) data_clock: Clock,
    /// The time of tokens; never pinned.
    pub(super) token_clock: Clock,
    pub(super) secrets: SecretProofs,
    /// Of tokens; they outlive a reload.
    pub(super) auth_figures: Arc<Figures>,
    pub(super) limiter: Limiter,
    pub(super) metrics: Metrics,
    audit: ArcSwapOption<AuditLog>,
    senders: Senders,
    small_bodies: SmallBodies,
    acknowledgements: AtomicU64,
    /// The URL of the address listened on.
    of_address: PublicUrl,
    closing: AtomicBool,
    open_requests: AtomicUsize,
    snapshot: ArcSwap<Snapshot>,
}

/// The service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no randomness.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// The service cannot go on with another configuration.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The key of the built-in authority cannot be read again.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] AuditError),
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
    pub(super) registry: Arc<Registry>,
    /// Whether the built-in authority issues tokens.
    pub(super) issues_tokens: bool,
    /// What the service says it is to clients of Elasticsearch.
    pub(super) elastic_version: String,
    ingest_sources: Vec<IngestSource>,
    audiences: Vec<String>,
    organizations: Vec<OrganizationEntry>,
}

impl App {
    /// The service that `config` describes, listening on `listening`, over `store`.
    pub fn new(
        config: &Config,
        key: &SigningKey,
        store: impl Into<Arc<Store>>,
        listening: SocketAddr,
        data_clock: Clock,
        token_clock: Clock,
    ) -> Result<Self, AppError> {
        let of_address = PublicUrl::of_address(config.scheme(), listening);
        let auth_figures = Arc::<Figures>::default();
        let audit = config.audit_log.as_ref().map(AuditLog::open).transpose()?;
        let senders = Senders::default();
        senders.of_all(&config.ingest_sources);
        Ok(Self {
            store: store.into(),
            data_clock,
            token_clock,
            secrets: SecretProofs::new()?,
            limiter: Limiter::new(&config.rate_limits, config.rate_limits_shared.as_ref()),
            snapshot: ArcSwap::from_pointee(Snapshot::new(config, key, &of_address, &auth_figures, None)),
            auth_figures,
            metrics: Metrics::new(Clock::System.unix_millis()),
            audit: ArcSwapOption::from_pointee(audit),
            senders,
            small_bodies: SmallBodies::default(),
            acknowledgements: AtomicU64::new(0),
            of_address,
            closing: AtomicBool::new(false),
            open_requests: AtomicUsize::new(0),
        })
    }

    /// Keeps the keys of outside issuers fresh, for as long as it is polled.
    pub async fn keep_keys_fresh(&self) {
        let mut ticks = tokio::time::interval(KEYS_TICK);
        loop {
            ticks.tick().await;
            self.snapshot().verifier.refresh_keys(self.token_clock.now());
        }
    }

    /// Tries once to reach where replicas count calls together.
    pub async fn reach_quotas(&self) {
        self.limiter.reach().await;
    }

    /// Keeps reaching it, for as long as it is polled.
    pub async fn keep_quotas(&self) {
        self.limiter.keep().await;
    }

    /// How often tokens were accepted and refused.
    pub fn auth_figures(&self) -> &Figures {
        &self.auth_figures
    }

    /// The state of each outside issuer.
    pub fn issuer_figures(&self) -> Vec<IssuerFigures> {
        self.snapshot().verifier.issuer_figures(self.token_clock.now())
    }

    /// Goes on with another configuration, all of it but for what takes a restart. Calls that were counted stay
    /// counted, and the file of the audit log is opened again. What fails, fails before anything is changed.
    pub fn reload(&self, config: &Config) -> Result<(), ReloadError> {
        let key = config.signing_key_file.as_deref().map(SigningKey::load).transpose()?;
        self.reload_audit(config.audit_log.as_ref())?;
        self.limiter.set_limits(&config.rate_limits);
        self.senders.of_all(&config.ingest_sources);
        let before = self.snapshot();
        // Without a file the keys stay those of now: not those of the start, which may have been withdrawn since.
        let key = key.as_ref().unwrap_or_else(|| before.authority.key());
        let issuers = Some(before.verifier.issuers());
        let snapshot = Snapshot::new(config, key, &self.of_address, &self.auth_figures, issuers);
        self.snapshot.store(Arc::new(snapshot));
        Ok(())
    }

    fn reload_audit(&self, destination: Option<&AuditDestination>) -> Result<(), AuditError> {
        let current = self.audit.load();
        match (current.as_ref(), destination) {
            (None, None) => Ok(()),
            (Some(current), Some(same)) if current.destination() == same => current.reopen(),
            (_, other) => {
                let opened = other.map(AuditLog::open).transpose()?;
                // The old one writes what is queued and ends.
                self.audit.store(opened.map(Arc::new));
                Ok(())
            }
        }
    }

    /// A place in the audit log for a request for `operation`; none where there is no log or no line.
    pub(super) fn audit_place(&self, operation: Operation) -> Result<Option<Place>, Full> {
        let audit = self.audit.load();
        audit.as_ref().filter(|_| operation.is_decision()).map(|log| log.place()).transpose()
    }

    /// Of the audit log, where there is one.
    pub(super) fn audit_figures(&self) -> Option<AuditFigures> {
        self.audit.load().as_ref().map(|log| log.figures())
    }

    /// The URL of the service where a request does not tell.
    pub fn base_url(&self) -> String {
        self.snapshot().public_urls.first().to_string()
    }

    /// The configured ingest keys, and what became of the records that came in under each.
    pub fn ingest_accounts(&self) -> Vec<(IngestSource, Arc<Account>)> {
        let snapshot = self.snapshot();
        snapshot.ingest_sources.iter().map(|source| (source.clone(), self.senders.of(source))).collect()
    }

    /// From now on the service says that it is not ready.
    pub fn begin_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Closes the store and the audit log; to be called when no request is under way any more.
    pub async fn close(&self) -> Result<(), StoreError> {
        let closed = self.store.close().await;
        self.close_audit_log().await;
        closed
    }

    /// Writes the last lines of the audit log.
    pub async fn close_audit_log(&self) {
        if let Some(audit) = self.audit.load_full() {
            // A thread of its own: it may have to wait for a disk.
            let _ = tokio::task::spawn_blocking(move || audit.close()).await;
        }
    }

    /// Requests that are not answered yet.
    pub fn open_requests(&self) -> usize {
        self.open_requests.load(Ordering::Relaxed)
    }

    pub(super) fn request_opened(&self) {
        self.open_requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn request_closed(&self) {
        self.open_requests.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// What is kept of the sender with the key of `source`.
    pub(super) fn sender(&self, source: &IngestSource) -> Arc<Account> {
        self.senders.of(source)
    }

    /// Memory for bodies that wait.
    pub(super) fn small_bodies(&self) -> &SmallBodies {
        &self.small_bodies
    }

    /// Numbers of deliveries that are durable: the next is given out, all below it were.
    pub(super) fn acknowledgements(&self) -> &AtomicU64 {
        &self.acknowledgements
    }

    pub(super) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// A snapshot to keep while something is waited for.
    pub(super) fn whole_snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }
}

impl Snapshot {
    /// What follows from `config`. Keys that were fetched for the issuers `before` are kept.
    fn new(
        config: &Config,
        key: &SigningKey,
        of_address: &PublicUrl,
        figures: &Arc<Figures>,
        before: Option<&Issuers>,
    ) -> Self {
        let public_urls = PublicUrls::new(&config.public_urls, of_address.clone());
        let authority = Authority::new(key.clone(), public_urls.first().as_str());
        let mut issuers = Issuers::default();
        if config.issues_tokens() {
            // A token that was issued under one public URL is good under all.
            let organizations = || config.organizations.iter().map(|entry| entry.id);
            issuers = public_urls.iter().fold(issuers, |issuers, url| {
                issuers.with_built_in(&authority.at(url.as_str()), organizations())
            });
        }
        let registry = Arc::new(Registry::new(&config.applications, &config.users));
        let trust = Trust {
            issuers: issuers.with_outside(&config.issuers, before),
            audiences: config.audiences.clone(),
            registry: Arc::clone(&registry),
            roles: Roles::new(&config.roles),
        };
        Self {
            public_urls,
            proxies: config.proxies.clone(),
            scheme: of_address.scheme(),
            unknown_ip: config.unknown_ip,
            verifier: Verifier::new(trust, Arc::clone(figures)),
            authority,
            ingest_keys: IngestKeys::new(&config.ingest_sources),
            elastic_version: config.elastic_version.clone(),
            ingest_sources: config.ingest_sources.clone(),
            audiences: config.audiences.clone(),
            organizations: config.organizations.clone(),
            registry,
            issues_tokens: config.issues_tokens(),
        }
    }

    /// The organization that a path calls `tenant`: its id or its name.
    pub(super) fn tenant(&self, tenant: &str) -> Option<Organization> {
        let id = tenant.parse().ok();
        let found = self.organizations.iter().find(|entry| Some(entry.id) == id || entry.name == tenant);
        found.map(|entry| entry.id)
    }

    /// The audience of tokens for whoever does not ask for one.
    pub(super) fn first_audience(&self) -> Option<&str> {
        self.audiences.first().map(String::as_str)
    }

    /// The configured spelling of an audience; a trailing slash does not matter.
    pub(super) fn audience(&self, asked: &str) -> Option<&str> {
        let same = |audience: &&String| audience.trim_end_matches('/') == asked.trim_end_matches('/');
        self.audiences.iter().find(same).map(String::as_str)
    }
}
