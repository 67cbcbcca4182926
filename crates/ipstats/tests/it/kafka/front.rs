//! What Event Hubs puts in front of a broker: TLS, and SASL PLAIN (RFC 4616) by the Kafka protocol's
//! `SaslHandshake` (key 17) and `SaslAuthenticate` (key 36).

use super::broker::{self, Broker};
use rcgen::{CertificateParams, KeyPair};
use rskafka::client::{ClientBuilder, Credentials, SaslConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

pub(crate) struct Front {
    /// PEM.
    pub(crate) certificate: String,
    pub(crate) password: String,
    user: String,
    address: String,
    logins: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

struct Login {
    expected: Vec<u8>,
    count: Arc<AtomicUsize>,
}

impl Front {
    /// Listens in front of a broker of its own; `password` is told the address.
    pub(crate) fn start(user: &str, password: impl Fn(&str) -> String) -> (Self, Broker) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let broker = Broker::start_behind(Some(&address));
        let password = password(&address);
        let logins = Arc::new(AtomicUsize::new(0));
        let login =
            Login { expected: format!("\0{user}\0{password}").into_bytes(), count: Arc::clone(&logins) };
        let (acceptor, certificate) = identity();
        runtime.spawn(accept(listener, acceptor, Arc::new(login), broker.address.clone()));
        let user = user.to_owned();
        (Self { certificate, password, user, address, logins, _runtime: runtime }, broker)
    }

    /// Produces through the front, as whoever fills an Event Hub does.
    pub(crate) fn produce(&self, topic: &str, partition: i32, messages: Vec<String>) {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let login = Credentials { username: self.user.clone(), password: self.password.clone() };
        let client = ClientBuilder::new(vec![self.address.clone()])
            .tls_config(Arc::new(tls))
            .sasl_config(SaslConfig::Plain(login));
        broker::produce(client, topic, partition, messages);
    }

    pub(crate) fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }
}

fn identity() -> (TlsAcceptor, String) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate.pem())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, login: Arc<Login>, broker: String) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (acceptor, login, broker) = (acceptor.clone(), Arc::clone(&login), broker.clone());
        tokio::spawn(async move {
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let mut server = TcpStream::connect(broker).await.unwrap();
            if login.passed(&mut client, &mut server).await.is_ok() {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}

/// No error, no message, no bytes, and no lifetime of the session, in the version that was asked in.
fn welcome(version: u8) -> &'static [u8] {
    match version {
        0 => &[0, 0, 0xff, 0xff, 0, 0, 0, 0],
        1 => &[0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // With tagged fields: none in the header and none at the end.
        _ => &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    }
}

impl Login {
    /// Whether a request ends with the right user and password. Version 2 has (no) tagged fields behind them.
    fn is_in(&self, request: &[u8]) -> bool {
        let tagged = request[3] >= 2;
        request[..request.len() - usize::from(tagged)].ends_with(&self.expected)
    }

    /// Answers the login itself, and passes on what comes before it (the versions of the protocol).
    async fn passed(
        &self,
        client: &mut (impl AsyncRead + AsyncWrite + Unpin),
        server: &mut TcpStream,
    ) -> std::io::Result<()> {
        loop {
            let request = frame(client).await?;
            let (key, correlation) = (i16::from_be_bytes([request[0], request[1]]), &request[4..8]);
            match key {
                17 => {
                    // No error, one mechanism.
                    let answer = [correlation, &[0, 0, 0, 0, 0, 1, 0, 5], b"PLAIN"].concat();
                    send(client, &answer).await?;
                }
                36 if self.is_in(&request) => {
                    self.count.fetch_add(1, Ordering::SeqCst);
                    return send(client, &[correlation, welcome(request[3])].concat()).await;
                }
                36 => return Err(std::io::ErrorKind::PermissionDenied.into()),
                _ => {
                    send(server, &request).await?;
                    let answer = frame(server).await?;
                    send(client, &answer).await?;
                }
            }
        }
    }
}

async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> std::io::Result<()> {
    stream.write_u32(u32::try_from(frame.len()).unwrap()).await?;
    stream.write_all(frame).await?;
    stream.flush().await
}
