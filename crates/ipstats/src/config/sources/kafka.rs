//! Sources of `kind = "kafka"` and `kind = "event-hubs"`.

use crate::config::reader::Section;
use crate::config::values::Name;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A topic of a Kafka cluster. Secrets stay in their files, which are read when a connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaTopic {
    /// The topic; an Event Hub's may be in its connection string.
    pub topic: Option<String>,
    /// Which brokers, and how to prove who we are.
    pub access: KafkaAccess,
    /// PEM certificates to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether those of the system are not trusted.
    pub ca_only: bool,
    /// Where a partition without a checkpoint begins.
    pub begin: Begin,
}

/// How to reach a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KafkaAccess {
    /// Brokers by name.
    Brokers {
        /// `host:port` each; one that answers is enough.
        brokers: Vec<String>,
        /// Whether connections are encrypted.
        tls: bool,
        /// SASL PLAIN: user name, and the file that holds the password.
        login: Option<(String, PathBuf)>,
    },
    /// An Azure Event Hubs namespace by its Kafka endpoint: TLS, and SASL PLAIN with the connection string.
    EventHubs {
        /// The file that holds the connection string.
        connection_string_file: PathBuf,
    },
}

/// Where a partition without a checkpoint begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begin {
    /// With the oldest record that the broker keeps.
    #[default]
    Earliest,
    /// With records that arrive from now on.
    Latest,
}

/// `host:port`.
struct Broker(String);

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no broker; write host:port, such as kafka-1.example.net:9092")]
struct NoBroker(String);

/// The text is no [`Begin`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not one of earliest, latest")]
pub struct UnknownBegin(String);

pub(super) fn read_kafka(section: &mut Section<'_>, folder: &Path) -> Option<KafkaTopic> {
    let brokers = section.read_list::<Broker>("brokers");
    if brokers.as_ref().map_or(!section.has("brokers"), Vec::is_empty) {
        section.problem("brokers", "name at least one broker, such as [\"kafka-1.example.net:9092\"]");
    }
    let topic = section.require::<Name>("topic");
    let tls = section.read_flag("tls").unwrap_or(false);
    let (username, password_file) =
        (section.read::<Name>("username"), section.read_path("password_file", folder));
    match (&username, &password_file) {
        (Some(_), None) => section.problem("password_file", "is missing: a user name needs its password"),
        (None, Some(_)) => section.problem("username", "is missing: a password needs its user name"),
        _ => {}
    }
    let login = username.map(|username| username.0).zip(password_file);
    let ((ca_file, ca_only), begin) = shared(section, folder);
    let brokers = brokers?.into_iter().map(|broker| broker.0).collect();
    let access = KafkaAccess::Brokers { brokers, tls, login };
    Some(KafkaTopic { topic: Some(topic?.0), access, ca_file, ca_only, begin })
}

pub(super) fn read_event_hubs(section: &mut Section<'_>, folder: &Path) -> Option<KafkaTopic> {
    let topic = section.read::<Name>("topic").map(|topic| topic.0);
    let connection_string_file = section.read_path("connection_string_file", folder);
    if connection_string_file.is_none() && !section.has("connection_string_file") {
        section.problem(
            "connection_string_file",
            "name the file that holds the connection string of the hub or its namespace",
        );
    }
    let ((ca_file, ca_only), begin) = shared(section, folder);
    let access = KafkaAccess::EventHubs { connection_string_file: connection_string_file? };
    Some(KafkaTopic { topic, access, ca_file, ca_only, begin })
}

fn shared(section: &mut Section<'_>, folder: &Path) -> ((Option<PathBuf>, bool), Begin) {
    (section.read_ca(folder), section.read("begin").unwrap_or_default())
}

impl Begin {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
        }
    }
}

impl FromStr for Broker {
    type Err = NoBroker;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_broker = text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains(['/', ' ']) && port.parse::<u16>().is_ok()
        });
        if is_broker { Ok(Self(text.to_owned())) } else { Err(NoBroker(text.to_owned())) }
    }
}

impl FromStr for Begin {
    type Err = UnknownBegin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            other => Err(UnknownBegin(other.to_owned())),
        }
    }
}
