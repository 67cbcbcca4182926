//! The Redis or Valkey server that replicas count calls in: the connection to it, while there is one.
//!
//! One connection carries all decisions. Whoever finds that it does not answer drops it for all, and from then on there is
//! none until [`Server::keep`], in the background, has made another over which a decision came back in time.

use super::question::{Answer, Limits, Ruling, probe, script};
use crate::config::SharedLimits;
use crate::limit::CallKey;
use arc_swap::ArcSwapOption;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    Script, ScriptInvocation, TlsCertificates,
};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::rustls::RootCertStore;

/// Decisions under way at once; more wait for their turn.
const DECISIONS_UNDER_WAY_MAX: usize = 256;

/// How often it is looked whether the server answers.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// The server of `[rate_limits_shared]`.
pub(super) struct Server {
    settings: SharedLimits,
    script: Script,
    connection: ArcSwapOption<MultiplexedConnection>,
    turns: Semaphore,
    /// Whether it was said that the server is away.
    is_said_away: AtomicBool,
}

/// The server is of no use now.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
    #[error("no connection within {} s", .0.as_secs())]
    NoConnection(Duration),
    #[error("rate_limits_shared.password_file cannot be read: {0}")]
    Password(io::Error),
    #[error("{}: {source}", file.display())]
    Certificates { file: PathBuf, source: io::Error },
    #[error(transparent)]
    Server(#[from] RedisError),
}

impl Server {
    pub(super) fn new(settings: SharedLimits) -> Self {
        if settings.url.is_encrypted() {
            // The client takes what the process has chosen; where that was done before, it stays.
            let _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        Self {
            settings,
            script: script(),
            connection: ArcSwapOption::empty(),
            turns: Semaphore::new(DECISIONS_UNDER_WAY_MAX),
            is_said_away: AtomicBool::new(false),
        }
    }

    /// Whether decisions come from the server now.
    pub(super) fn is_there(&self) -> bool {
        self.connection.load().is_some()
    }

    /// The server's decision about one call; none where it is away, and at once where that is known.
    pub(super) async fn decide(&self, limits: &Limits, key: CallKey<'_>) -> Option<Ruling> {
        let connection = self.connection.load_full()?;
        let answer = self.ask_or_drop(&connection, &limits.question(&self.script, key)).await?;
        limits.ruling(answer)
    }

    /// Looks after the connection, for as long as it is polled.
    pub(super) async fn keep(&self) {
        loop {
            tokio::time::sleep(LOOKED_AT_EVERY).await;
            self.look().await;
        }
    }

    /// Asks the server something, over a new connection where there is none. Takes a few seconds at most.
    pub(super) async fn look(&self) {
        if let Some(connection) = self.connection.load_full() {
            self.ask_or_drop(&connection, &probe(&self.script)).await;
            return;
        }
        match self.connect().await {
            Ok(connection) => {
                self.connection.store(Some(Arc::new(connection)));
                self.is_said_away.store(false, Ordering::Relaxed);
                tracing::info!(server = %self.settings.url, "calls are counted together with the other replicas");
            }
            Err(reason) => self.say_away(&reason),
        }
    }

    async fn ask_or_drop(
        &self,
        connection: &Arc<MultiplexedConnection>,
        question: &ScriptInvocation<'_>,
    ) -> Option<Answer> {
        let answer = self.ask(connection, question).await;
        let dropped = |reason| {
            let before = self.connection.compare_and_swap(connection, None);
            if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, connection)) {
                self.say_away(&reason);
            }
        };
        answer.map_err(dropped).ok()
    }

    async fn ask(
        &self,
        connection: &MultiplexedConnection,
        question: &ScriptInvocation<'_>,
    ) -> Result<Answer, Away> {
        let asked = async {
            // The semaphore is never closed.
            let _turn = self.turns.acquire().await.ok();
            question.invoke_async(&mut connection.clone()).await
        };
        let longest = self.settings.time_limits.decision;
        let answer = timeout(longest, asked).await;
        Ok(answer.map_err(|_| Away::Slow(longest))??)
    }

    /// A connection over which a decision came back in time.
    async fn connect(&self) -> Result<MultiplexedConnection, Away> {
        let longest = self.settings.time_limits.connection;
        let (client, waits) =
            (self.client()?, AsyncConnectionConfig::new().set_connection_timeout(Some(longest)));
        let connecting = client.get_multiplexed_async_connection_with_config(&waits);
        let connection = timeout(longest, connecting).await.map_err(|_| Away::NoConnection(longest))??;
        self.ask(&connection, &probe(&self.script)).await?;
        Ok(connection)
    }

    /// Password and certificates are read each time, so that new ones are taken up.
    fn client(&self) -> Result<Client, Away> {
        let SharedLimits { url, username, password, ca_file, ca_only, .. } = &self.settings;
        let mut login = RedisConnectionInfo::default().set_db(url.database().into());
        if let Some(username) = username {
            login = login.set_username(username);
        }
        if let Some(password) = password {
            login = login.set_password(password.read().map_err(Away::Password)?.reveal());
        }
        let (host, port) = (url.host().to_owned(), url.port());
        let address = if url.is_encrypted() {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let server = address.into_connection_info()?.set_redis_settings(login);
        let Some(file) = ca_file else { return Ok(Client::open(server)?) };
        let read = std::fs::read(file);
        let mut root_cert = read.map_err(|source| Away::Certificates { file: file.clone(), source })?;
        if !ca_only {
            // The client takes these certificates in place of the system's.
            append_system_certificates(&mut root_cert);
        }
        Ok(Client::build_with_tls(server, TlsCertificates { client_tls: None, root_cert: Some(root_cert) })?)
    }

    fn say_away(&self, reason: &Away) {
        if self.is_said_away.swap(true, Ordering::Relaxed) {
            return;
        }
        let SharedLimits { url, replicas, .. } = &self.settings;
        tracing::warn!(
            server = %url,
            "calls cannot be counted together with the other replicas ({reason}): until they can, this one of {replicas} \
             admits its part of the limits"
        );
    }
}

/// Appends to `pem` the certificates that the system trusts. Those that cannot be trust anchors are left out, as they are
/// where the system's are trusted alone.
fn append_system_certificates(pem: &mut Vec<u8>) {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "a certificate of the system cannot be read");
    }
    for certificate in found.certs {
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            let text = BASE64_STANDARD.encode(&certificate);
            let text = format!("\n-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
            pem.extend_from_slice(text.as_bytes());
        }
    }
}
