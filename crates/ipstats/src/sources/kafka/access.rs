//! How to reach a cluster, from the configuration and the files it names. Files are read for each connection, so that a
//! new secret takes effect without a restart.

use crate::config::{KafkaAccess, KafkaTopic};
use rustls_platform_verifier::Verifier;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// The user name that goes with a connection string (Microsoft, "Azure Event Hubs for Apache Kafka").
const EVENT_HUBS_USER: &str = "$ConnectionString";

/// The port of the Kafka endpoint of Event Hubs.
const EVENT_HUBS_PORT: u16 = 9093;

/// Everything that a connection takes.
pub(super) struct Access {
    pub(super) topic: String,
    /// `host:port` each.
    pub(super) brokers: Vec<String>,
    pub(super) login: Option<Login>,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// A user of SASL PLAIN.
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
}

/// Why no connection can be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccessError {
    #[error("its {key} {} cannot be read: {error}", path.display())]
    File { key: &'static str, path: PathBuf, error: std::io::Error },
    #[error("its ca_file {} holds no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("its connection_string_file {}: {reason}; expected Endpoint=sb://NAMESPACE.servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=…", path.display())]
    ConnectionString { path: PathBuf, reason: &'static str },
    #[error("its connection_string_file {}: the connection string names no hub (EntityPath): name it as topic in the configuration", .0.display())]
    NoHub(PathBuf),
}

impl Access {
    /// The access that `topic` describes.
    pub(super) fn of(topic: &KafkaTopic) -> Result<Self, AccessError> {
        let named = topic.topic.clone();
        match &topic.access {
            KafkaAccess::Brokers { brokers, tls, login } => {
                let login = match login {
                    None => None,
                    Some((username, file)) => Some(Login {
                        username: username.clone(),
                        password: secret_in("password_file", file)?,
                    }),
                };
                let tls = tls.then(|| tls_config(topic)).transpose()?;
                Ok(Self { topic: named.unwrap_or_default(), brokers: brokers.clone(), login, tls })
            }
            KafkaAccess::EventHubs { connection_string_file } => {
                let password = secret_in("connection_string_file", connection_string_file)?;
                let (broker, hub) = event_hub(&password).map_err(|reason| AccessError::ConnectionString {
                    path: connection_string_file.clone(),
                    reason,
                })?;
                let topic_name =
                    named.or(hub).ok_or_else(|| AccessError::NoHub(connection_string_file.clone()))?;
                let login = Some(Login { username: EVENT_HUBS_USER.to_owned(), password });
                let tls = Some(tls_config(topic)?);
                Ok(Self { topic: topic_name, brokers: vec![broker], login, tls })
            }
        }
    }
}

/// The broker and the hub that a connection string names.
fn event_hub(connection_string: &str) -> Result<(String, Option<String>), &'static str> {
    let parts = || connection_string.split(';').filter_map(|part| part.split_once('='));
    let find = |name: &str| {
        parts().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let endpoint = find("Endpoint").ok_or("no Endpoint is in it")?;
    let host = endpoint.strip_prefix("sb://").ok_or("its Endpoint does not begin with sb://")?;
    let host = host.trim_end_matches('/');
    if host.is_empty() || find("SharedAccessKey").is_none_or(str::is_empty) {
        return Err("its Endpoint or its SharedAccessKey is empty");
    }
    let broker = if host.contains(':') { host.to_owned() } else { format!("{host}:{EVENT_HUBS_PORT}") };
    Ok((broker, find("EntityPath").map(str::to_owned)))
}

/// A secret in a file, without the line end behind it.
fn secret_in(key: &'static str, path: &Path) -> Result<String, AccessError> {
    let text =
        fs::read_to_string(path).map_err(|error| AccessError::File { key, path: path.to_owned(), error })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// TLS that trusts what the system trusts, and the certificates in `ca_file`; with `ca_only` those alone.
fn tls_config(topic: &KafkaTopic) -> Result<Arc<ClientConfig>, AccessError> {
    let named = match &topic.ca_file {
        None => Vec::new(),
        Some(path) => certificates(path)?,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = if topic.ca_only {
        let mut roots = RootCertStore::empty();
        for certificate in named {
            roots.add(certificate)?;
        }
        builder.with_root_certificates(roots)
    } else {
        let verifier = Verifier::new_with_extra_roots(named, provider)?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let unreadable = |error| AccessError::File { key: "ca_file", path: path.to_owned(), error };
    let pem = fs::read(path).map_err(unreadable)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(AccessError::NoCertificate(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_cannot_be_read_is_named_with_its_key() {
        let error = secret_in("password_file", Path::new("/nowhere/secret")).unwrap_err().to_string();
        assert!(
            error.starts_with("its password_file /nowhere/secret cannot be read: No such file"),
            "{error}"
        );
    }

    #[test]
    fn a_connection_string_names_the_broker_and_the_hub() {
        let text =
            "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=read;SharedAccessKey=a+b/c=";
        let broker = "contoso.servicebus.windows.net:9093".to_owned();
        assert_eq!(event_hub(text), Ok((broker.clone(), None)));
        assert_eq!(event_hub(&format!("{text};EntityPath=mde")), Ok((broker, Some("mde".to_owned()))));
        let local = event_hub("Endpoint=sb://localhost:1234;SharedAccessKey=x");
        assert_eq!(local, Ok(("localhost:1234".to_owned(), None)));
        for wrong in
            ["", "hello", "Endpoint=https://x/;SharedAccessKey=x", "Endpoint=sb://x/;SharedAccessKey="]
        {
            assert!(event_hub(wrong).is_err(), "{wrong}");
        }
    }
}
