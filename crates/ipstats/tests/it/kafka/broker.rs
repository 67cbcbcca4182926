//! A broker of its own for a test: tansu, which speaks Kafka's protocol and keeps records in memory.

use crate::peer;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PRODUCE_TIME_MAX: Duration = Duration::from_mins(5);

/// Longest wait until the broker listens.
const START_TIME_MAX: Duration = Duration::from_mins(5);

pub(crate) struct Broker {
    process: Child,
    program: PathBuf,
    /// Host and port.
    pub(crate) address: String,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::start_behind(None)
    }

    /// A broker that tells its clients to come by another address.
    pub(crate) fn start_behind(front: Option<&str>) -> Self {
        let program = peer::place("kafka").join("tansu");
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(&program)
            .env_clear()
            .arg("--listener-url")
            .arg(format!("tcp://{address}"))
            .arg("--advertised-listener-url")
            .arg(format!("tcp://{}", front.unwrap_or(&address)))
            .args(["--storage-engine", "memory://ipstats/"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let broker = Self { process, program, address };
        let begun = Instant::now();
        while std::net::TcpStream::connect(&broker.address).is_err() {
            assert!(begun.elapsed() < START_TIME_MAX, "the broker does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        broker
    }

    pub(crate) fn create(&self, topic: &str, partitions: u32) {
        let partitions = partitions.to_string();
        let broker = format!("tcp://{}", self.address);
        let mut command = Command::new(&self.program);
        command.args(["topic", "create", "--broker", &broker, "--partitions", &partitions, topic]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Produces to the broker itself.
    pub(crate) fn produce(&self, topic: &str, partition: i32, messages: Vec<String>) {
        produce(ClientBuilder::new(vec![self.address.clone()]), topic, partition, messages);
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

/// Produces messages to the cluster that `client` names; each partition has another compression.
#[expect(
    clippy::default_trait_access,
    reason = "the type of times is of a crate that nothing else here needs"
)]
pub(crate) fn produce(client: ClientBuilder, topic: &str, partition: i32, messages: Vec<String>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let record = |text: String| Record {
        key: None,
        value: Some(text.into_bytes()),
        headers: BTreeMap::new(),
        timestamp: std::default::Default::default(),
    };
    let records = messages.into_iter().map(record).collect();
    let compression = match partition {
        0 => Compression::Gzip,
        1 => Compression::Lz4,
        2 => Compression::Snappy,
        _ => Compression::Zstd,
    };
    let produced = async {
        let client = client.build().await.unwrap();
        let retry = UnknownTopicHandling::Retry;
        let partition = client.partition_client(topic, partition, retry).await.unwrap();
        partition.produce(records, compression).await.unwrap();
    };
    runtime.block_on(async { tokio::time::timeout(PRODUCE_TIME_MAX, produced).await.unwrap() });
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
