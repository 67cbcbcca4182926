//! One connection to one broker: TLS, login, and one request at a time.
//!
//! A broker answers the requests of a connection in order, and a fetch may wait half a second for records. So each
//! partition has a connection, and none waits for another one's fetch.

use super::access::{Access, Login};
use super::messages::{self, Call, FETCH_VERSIONS, Metadata};
use super::wire::{Reader, Truncated};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Largest answer of a broker, in bytes; it bounds the memory of a connection.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Longest time to connect with TLS and login, and for one answer. A fetch waits far shorter.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// Why a broker cannot be asked, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum KafkaError {
    #[error("cannot connect to {broker}: {error}")]
    Connect { broker: String, error: io::Error },
    #[error("{0:?} is not a host name or an address that TLS can check")]
    ServerName(String),
    #[error("no broker answers: {0}")]
    NoBroker(String),
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    #[error("the broker did not answer within {} seconds", ANSWER_TIME_MAX.as_secs())]
    Timeout,
    #[error("the broker's answer cannot be read: {0}")]
    Answer(#[from] Truncated),
    #[error("the broker sent an answer of {0} bytes; at most {ANSWER_BYTES_MAX} are read")]
    TooLarge(usize),
    #[error("the broker answered another request than the one that was sent")]
    OutOfOrder,
    #[error("the broker does not know SASL PLAIN; it knows {}", .0.join(", "))]
    NoPlain(Vec<String>),
    #[error("the broker refused the login: {0}")]
    Login(String),
    #[error("the broker answers none of the versions {} to {} of Fetch", FETCH_VERSIONS.start(), FETCH_VERSIONS.end())]
    NoFetch,
    #[error("there is no topic {0:?} on the broker")]
    NoTopic(String),
    #[error("the broker does not list this partition")]
    NoPartition,
    #[error("the partition has no leader")]
    NoLeader,
    #[error("the broker answered {}", error_name(*.0))]
    Refused(i16),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that is logged in.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    correlation: i32,
    fetch_version: i16,
}

impl Connection {
    /// Connects to the first of the brokers that answers.
    pub(super) async fn to_any(access: &Access) -> Result<Self, KafkaError> {
        let mut failures = Vec::new();
        for broker in &access.brokers {
            match Self::to(broker, access).await {
                Ok(connection) => return Ok(connection),
                // A login that one broker refuses is refused by all.
                Err(error @ (KafkaError::Login(_) | KafkaError::NoPlain(_))) => return Err(error),
                Err(error) => failures.push(error.to_string()),
            }
        }
        Err(KafkaError::NoBroker(failures.join("; ")))
    }

    /// Connects to `broker`, which is `host:port`.
    pub(super) async fn to(broker: &str, access: &Access) -> Result<Self, KafkaError> {
        let failed = |error| KafkaError::Connect { broker: broker.to_owned(), error };
        let connect = async {
            let stream = open(broker, access, &failed).await?;
            let mut connection = Self { stream, correlation: 0, fetch_version: 0 };
            let versions = connection.call(Call::ApiVersions, &[]).await?;
            connection.fetch_version = messages::read_fetch_version(&versions)?.ok_or(KafkaError::NoFetch)?;
            if let Some(login) = &access.login {
                connection.log_in(login).await?;
            }
            Ok(connection)
        };
        match tokio::time::timeout(CONNECT_TIME_MAX, connect).await {
            Ok(connected) => connected,
            Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
        }
    }

    /// The version of `Fetch` to send.
    pub(super) const fn fetch_version(&self) -> i16 {
        self.fetch_version
    }

    /// The partitions of a topic and their leaders.
    pub(super) async fn metadata(&mut self, topic: &str) -> Result<Metadata, KafkaError> {
        let answer = self.call(Call::Metadata, &messages::write_metadata(topic)).await?;
        let metadata = Metadata::read(&answer, topic)?;
        match metadata.error {
            0 if metadata.partitions.is_empty() => Err(KafkaError::NoTopic(topic.to_owned())),
            UNKNOWN_TOPIC => Err(KafkaError::NoTopic(topic.to_owned())),
            0 => Ok(metadata),
            error => Err(KafkaError::Refused(error)),
        }
    }

    /// An offset of one partition: [`messages::EARLIEST`] or [`messages::LATEST`].
    pub(super) async fn offset(&mut self, topic: &str, partition: i32, at: i64) -> Result<i64, KafkaError> {
        let body = messages::write_list_offsets(topic, partition, at);
        match messages::read_list_offsets(&self.call(Call::ListOffsets, &body).await?)? {
            (0, offset) => Ok(offset),
            (error, _) => Err(KafkaError::Refused(error)),
        }
    }

    /// Sends a request; the answer after its header.
    pub(super) async fn call(&mut self, call: Call, body: &[u8]) -> Result<Vec<u8>, KafkaError> {
        match tokio::time::timeout(ANSWER_TIME_MAX, self.exchange(call, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(KafkaError::Timeout),
        }
    }

    async fn exchange(&mut self, call: Call, body: &[u8]) -> Result<Vec<u8>, KafkaError> {
        self.correlation = self.correlation.wrapping_add(1);
        let request = call.request(self.correlation, body);
        // One write: a broker that closes the connection in between would hide its reason.
        let length = u32::try_from(request.bytes.len()).unwrap_or(u32::MAX);
        self.stream.write_all(&[&length.to_be_bytes(), request.bytes.as_slice()].concat()).await?;
        self.stream.flush().await?;
        let length = self.stream.read_u32().await? as usize;
        if length > ANSWER_BYTES_MAX {
            return Err(KafkaError::TooLarge(length));
        }
        let mut answer = Vec::new();
        (&mut self.stream).take(length as u64).read_to_end(&mut answer).await?;
        if answer.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if Reader::new(&answer).i32()? != request.correlation {
            return Err(KafkaError::OutOfOrder);
        }
        Ok(answer.split_off(size_of::<i32>()))
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), KafkaError> {
        let answer = self.call(Call::SaslHandshake, &messages::write_sasl_handshake("PLAIN")).await?;
        let (error, mechanisms) = messages::read_sasl_handshake(&answer)?;
        if error != 0 {
            return Err(KafkaError::NoPlain(mechanisms));
        }
        let proof = messages::write_sasl_plain(&login.username, &login.password);
        let answer = match self.call(Call::SaslAuthenticate, &proof).await {
            // Event Hubs and others close the connection instead of answering.
            Err(KafkaError::Connection(error)) => return Err(KafkaError::Login(error.to_string())),
            answer => answer?,
        };
        match messages::read_sasl_authenticate(&answer)? {
            (0, _) => Ok(()),
            (error, reason) => Err(KafkaError::Login(reason.unwrap_or_else(|| error_name(error)))),
        }
    }
}

/// Opens a stream to `broker`, encrypted if `access` has TLS.
async fn open(
    broker: &str,
    access: &Access,
    failed: &impl Fn(io::Error) -> KafkaError,
) -> Result<Box<dyn Stream>, KafkaError> {
    let stream = TcpStream::connect(broker).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let Some(tls) = &access.tls else { return Ok(Box::new(stream)) };
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| KafkaError::ServerName(host.to_owned()))?;
    let connector = TlsConnector::from(std::sync::Arc::clone(tls));
    Ok(Box::new(connector.connect(name, stream).await.map_err(failed)?))
}

impl Metadata {
    /// `host:port` of the broker that leads a partition.
    pub(super) fn leader_of(&self, partition: i32) -> Result<String, KafkaError> {
        let found = self.partitions.iter().find(|found| found.number == partition);
        let found = found.ok_or(KafkaError::NoPartition)?;
        // Replicas that are away do not prevent reading from the leader.
        if !matches!(found.error, 0 | REPLICA_NOT_AVAILABLE) {
            return Err(KafkaError::Refused(found.error));
        }
        let leader = self.brokers.iter().find(|(node, ..)| *node == found.leader);
        let (_, host, port) = leader.ok_or(KafkaError::NoLeader)?;
        Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }
}

pub(super) const OFFSET_OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC: i16 = 3;
const REPLICA_NOT_AVAILABLE: i16 = 9;

/// The name of an error in Kafka's protocol guide, with what to do where that helps; the number of others.
fn error_name(error: i16) -> String {
    let name = match error {
        -1 => "UNKNOWN_SERVER_ERROR",
        OFFSET_OUT_OF_RANGE => "OFFSET_OUT_OF_RANGE",
        2 => "CORRUPT_MESSAGE",
        UNKNOWN_TOPIC => "UNKNOWN_TOPIC_OR_PARTITION",
        5 => "LEADER_NOT_AVAILABLE",
        6 => "NOT_LEADER_OR_FOLLOWER: the partition's leader changed",
        7 => "REQUEST_TIMED_OUT",
        8 => "BROKER_NOT_AVAILABLE",
        REPLICA_NOT_AVAILABLE => "REPLICA_NOT_AVAILABLE",
        29 => "TOPIC_AUTHORIZATION_FAILED: allow the user Read and Describe on the topic",
        31 => "CLUSTER_AUTHORIZATION_FAILED",
        33 => "UNSUPPORTED_SASL_MECHANISM",
        35 => "UNSUPPORTED_VERSION",
        44 => "POLICY_VIOLATION",
        56 => "KAFKA_STORAGE_ERROR",
        58 => "SASL_AUTHENTICATION_FAILED",
        74 => "FENCED_LEADER_EPOCH",
        75 => "UNKNOWN_LEADER_EPOCH",
        76 => "UNSUPPORTED_COMPRESSION_TYPE: the broker is too old for the topic's zstd",
        78 => "OFFSET_NOT_AVAILABLE",
        other => return format!("error {other}"),
    };
    name.to_owned()
}
