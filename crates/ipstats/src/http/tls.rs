//! TLS served directly: the certificate in force, which a reload replaces, and the handshake.
//!
//! A certificate is read as a whole or not at all: what cannot be read, or does not fit its key, never takes the place
//! of what is in force. Versions 1.2 and 1.3; the provider is named here, so nothing depends on a global default.

use crate::config::TlsFiles;
use arc_swap::ArcSwap;
use ipstats_model::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use x509_parser::parse_x509_certificate;

/// Longest time for a handshake.
const HANDSHAKE_SECONDS_MAX: u64 = 10;

/// From how many days before its end on a certificate is warned about.
const WARNING_DAYS: i64 = 14;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// What is offered to clients that ask which protocols there are.
const PROTOCOLS: [&[u8]; 1] = [b"http/1.1"];

/// The certificate that connections begin with; shared by all that hold a clone.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<Identity>>);

/// A certificate that fits its key.
pub struct Identity {
    config: Arc<ServerConfig>,
    certificate: PathBuf,
    expires: Timestamp,
}

/// The certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls: {}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificate and key do not make an identity.
    #[error("tls: the certificate {} and the key {} cannot be used together: {source}", files.certificate.display(), files.key.display())]
    Unusable {
        /// The files.
        files: TlsFiles,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

impl Identity {
    /// Reads `files`.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let in_file = |file: &PathBuf, problem| TlsError::File { file: file.clone(), problem };
        let in_certificate = |problem| in_file(&files.certificate, problem);
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
        let chain = chain.map_err(|error| in_certificate(told(&error, "certificate")))?;
        let first =
            chain.first().ok_or_else(|| in_certificate(told(&pem::Error::NoItemsFound, "certificate")))?;
        let expires =
            expiry(first).ok_or_else(|| in_certificate("the first certificate is damaged".to_owned()))?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| in_file(&files.key, told(&error, "private key")))?;
        let config = server_config(chain, key)
            .map_err(|source| TlsError::Unusable { files: files.clone(), source })?;
        Ok(Self { config: Arc::new(config), certificate: files.certificate.clone(), expires })
    }

    /// What an operator should know of the certificate at `now`: that it has expired, or soon will have.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let (certificate, expires) = (self.certificate.display(), self.expires);
        let seconds = expires.second() - now.second();
        if seconds <= 0 {
            Some(format!("the certificate {certificate} has expired on {expires}: clients refuse it"))
        } else if seconds <= WARNING_DAYS * DAY_SECONDS {
            Some(format!("the certificate {certificate} expires on {expires}: renew it and send SIGHUP"))
        } else {
            None
        }
    }
}

impl Tls {
    /// Connections begin with `identity`.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(identity)))
    }

    /// New connections begin with another identity; those that there are go on.
    pub fn replace(&self, identity: Identity) {
        self.0.store(Arc::new(identity));
    }

    /// What an operator should know of the certificate in force at `now`.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        self.0.load().warning(now)
    }

    /// A connection after its handshake; nothing where that fails or takes too long.
    pub(super) async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0.load().config));
        match tokio::time::timeout(Duration::from_secs(HANDSHAKE_SECONDS_MAX), acceptor.accept(stream)).await
        {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(seconds = HANDSHAKE_SECONDS_MAX, "a TLS handshake took too long");
                None
            }
        }
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    Some(Timestamp::from_second(certificate.validity().not_after.timestamp()))
}

/// What is wrong with a PEM file that should hold `expected`.
fn told(error: &pem::Error, expected: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("there is no {expected} in PEM in it"),
        pem::Error::Io(error) => error.to_string(),
        error => format!("it is damaged ({error})"),
    }
}
