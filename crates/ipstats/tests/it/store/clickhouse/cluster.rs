//! A cluster on this machine: two shards of two replicas each, kept equal through Debian's ZooKeeper.

use super::gate::Gate;
use super::server::{Ports, Server, free_ports};
#[cfg(target_os = "linux")]
use crate::faults::Faults;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What `[store]` says.
pub(super) const TIMEOUT_SECONDS: u64 = 20;

const START_TIME_MAX: Duration = Duration::from_mins(5);

/// What ZooKeeper of Debian needs to run.
const JARS: &str =
    "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-api.jar:/usr/share/java/slf4j-nop.jar";

pub(super) struct Cluster {
    /// Two of the first shard, two of the second.
    pub(super) servers: [Server; 4],
    pub(super) keeper: Keeper,
    /// What the second server reaches the keeper through.
    pub(super) keeper_gate: Gate,
    /// The disk of the first server, where there is a compiler for its shim.
    #[cfg(target_os = "linux")]
    pub(super) faults: Faults,
}

/// Debian's ZooKeeper.
pub(super) struct Keeper {
    process: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let [keeper_port] = free_ports();
        let keeper = Keeper::start(keeper_port);
        let ports: [u16; 12] = free_ports();
        let ports: [Ports; 4] = std::array::from_fn(|number| Ports {
            http: ports[number],
            tcp: ports[number + 4],
            interserver: ports[number + 8],
        });
        let keeper_gate = Gate::new(&format!("http://127.0.0.1:{keeper_port}"));
        #[cfg(target_os = "linux")]
        let faults = Faults::new();
        let servers = std::array::from_fn(|number| {
            let keeper_port = if number == 1 { keeper_gate.port } else { keeper_port };
            let settings = settings(number, &ports, keeper_port);
            #[cfg(target_os = "linux")]
            if number == 0 {
                return Server::start_under(&faults, &ports[0], &settings);
            }
            Server::start_with(&ports[number], &settings)
        });
        Self {
            servers,
            keeper,
            keeper_gate,
            #[cfg(target_os = "linux")]
            faults,
        }
    }

    /// What `[store]` says about it.
    pub(super) fn store(&self) -> String {
        let urls = self.servers.each_ref().map(Server::url).join("', '");
        format!("urls = ['{urls}']\ncluster = 'main'\nreplicated = true\ntimeout = '{TIMEOUT_SECONDS} s'")
    }
}

/// Two shards of one server each, and no keeper.
pub(super) struct Shards {
    pub(super) servers: [Server; 2],
}

impl Shards {
    /// With the weights that each of the servers gives to the first and the second shard.
    pub(super) fn start(weights: [[u32; 2]; 2]) -> Self {
        let ports: [u16; 6] = free_ports();
        let ports: [Ports; 2] = std::array::from_fn(|number| Ports {
            http: ports[number],
            tcp: ports[number + 2],
            interserver: ports[number + 4],
        });
        let servers = std::array::from_fn(|number| {
            let [first, second] = weights[number];
            let settings = settings_without_keeper(&[(&ports[0], first), (&ports[1], second)]);
            Server::start_with(&ports[number], &settings)
        });
        Self { servers }
    }

    /// What `[store]` says about it.
    pub(super) fn store(&self) -> String {
        let urls = self.servers.each_ref().map(Server::url).join("', '");
        format!("urls = ['{urls}']\ncluster = 'main'\ntimeout = '{TIMEOUT_SECONDS} s'")
    }
}

impl Keeper {
    fn start(port: u16) -> Self {
        let mut keeper = Self { process: None, port, folder: tempfile::tempdir().unwrap() };
        keeper.begin();
        keeper
    }

    /// Starts it, again if it was killed; returns when it serves.
    pub(super) fn begin(&mut self) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let process = Command::new("java")
            .args(["-Xmx128m", "-cp", JARS, "-Dzookeeper.admin.enableServer=false"])
            .arg("org.apache.zookeeper.server.ZooKeeperServerMain")
            .arg(self.port.to_string())
            .arg(self.folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let begun = Instant::now();
        // It listens before it serves.
        while !serves(self.port) {
            assert!(begun.elapsed() < START_TIME_MAX, "the keeper does not serve");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Whether it answers the question for its state.
fn serves(port: u16) -> bool {
    let ask = || {
        let (mut stream, mut state) = (TcpStream::connect(("127.0.0.1", port))?, String::new());
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"srvr")?;
        stream.read_to_string(&mut state)?;
        std::io::Result::Ok(state.contains("Mode: "))
    };
    ask().unwrap_or(false)
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a server of a cluster of these shards, each one server with a weight, has in its settings.
fn settings_without_keeper(shards: &[(&Ports, u32)]) -> String {
    let shards = shards.iter().map(|(ports, weight)| {
        format!(
            "<shard><weight>{weight}</weight><replica><host>127.0.0.1</host><port>{}</port></replica></shard>",
            ports.tcp
        )
    });
    format!("<remote_servers><main>{}</main></remote_servers>", shards.collect::<String>())
}

fn settings(number: usize, ports: &[Ports; 4], keeper_port: u16) -> String {
    let replica =
        |ports: &Ports| format!("<replica><host>127.0.0.1</host><port>{}</port></replica>", ports.tcp);
    let shards = ports.chunks(2).map(|shard| {
        let replicas = shard.iter().map(replica).collect::<String>();
        format!("<shard><internal_replication>true</internal_replication>{replicas}</shard>")
    });
    format!(
        "<remote_servers><main>{}</main></remote_servers>
        <zookeeper><node><host>127.0.0.1</host><port>{keeper_port}</port></node>
        <session_timeout_ms>3000</session_timeout_ms></zookeeper>
        <macros><shard>{}</shard><replica>{number}</replica></macros>
        <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>",
        shards.collect::<String>(),
        number / 2 + 1
    )
}
