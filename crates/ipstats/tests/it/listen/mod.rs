//! What is sent to the service by protocols that acknowledge nothing: syslog, NetFlow and IPFIX.

mod exporter;
mod netflow;
mod syslog;

use crate::cli::model::{Answer, Model};
use crate::service::Service;
use crate::site::{Site, expected};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long the service may take to see what was sent.
const PATIENCE: Duration = Duration::from_mins(5);

/// A site with a source that listens.
pub(crate) struct Post {
    pub(crate) site: Site,
    pub(crate) port: u16,
    transports: Vec<String>,
}

impl Post {
    /// A source of `kind` that listens at `port` of 127.0.0.1, with these settings beside.
    pub(crate) fn new(kind: &str, transports: &[&str], settings: &str) -> Self {
        let post = Self {
            site: Site::new(),
            port: free_port(),
            transports: transports.iter().map(ToString::to_string).collect(),
        };
        let listen = transports.iter().map(|transport| format!("'{transport}://127.0.0.1:{}'", post.port));
        let listen = listen.collect::<Vec<_>>().join(", ");
        let source = format!(
            "[[sources]]\nname = 'post'\norganization = 'contoso'\nkind = '{kind}'\nlisten = [{listen}]\n{settings}"
        );
        let file = post.file();
        let rest = fs::read_to_string(&file).unwrap();
        fs::write(file, format!("rate_limits = ['off']\n{rest}{source}")).unwrap();
        post
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.site.place.path("ipstats.toml")
    }

    /// The service, when it listens. Nobody reads its log while it runs: it must not fill the pipe.
    pub(crate) fn serve(&self) -> Service {
        self.serve_by(self.site.serving())
    }

    /// As [`serve`](Self::serve), started by `command`.
    pub(crate) fn serve_by(&self, mut command: Command) -> Service {
        command.env("IPSTATS_LOG_LEVEL", "warn");
        let service = Service::start(command);
        Self::wait(|| self.is_listening(), "nobody listens");
        service
    }

    /// Whether somebody listens, by all transports. It binds no port for connections: that would be in the service's way.
    pub(crate) fn is_listening(&self) -> bool {
        self.transports.iter().all(|transport| match transport.as_str() {
            "tcp" => TcpStream::connect(self.address()).is_ok(),
            _ => UdpSocket::bind(self.address()).is_err(),
        })
    }

    pub(crate) fn address(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.port)
    }

    /// Waits until the service knows all of `model`.
    pub(crate) fn settle(&self, service: &Service, model: &Model) {
        let ips: Vec<IpAddr> = model.ips().into_iter().collect();
        let wanted = expected(model, &ips);
        Self::wait(|| self.site.answers(service, &ips) == wanted, "what was sent is not there");
    }

    pub(crate) fn stored(&self, model: &Model) -> Vec<Answer> {
        self.site.stored(&model.ips().into_iter().collect::<Vec<_>>())
    }

    pub(crate) fn wait(mut is_so: impl FnMut() -> bool, otherwise: &str) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "{otherwise}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A port below those that the system gives out by itself, free for connections and datagrams.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + (std::process::id() % 150) as u16 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 1000;
        if !is_taken(port) {
            return port;
        }
    }
}

fn is_taken(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    UdpSocket::bind(address).is_err() || TcpListener::bind(address).is_err()
}
