//! What is sent to the service: from sockets to durable records.
//!
//! ```text
//! sockets ─▶ a task for each socket and connection: who sends, where messages end ─▶ queue ─▶ the source's thread: read, record
//! ```
//!
//! Nothing here is ever acknowledged to a sender, because the protocols know no such thing. So what was received is made
//! durable soon ([`DURABLE_AFTER`]), and a stop reads what has arrived before it ends.
//!
//! Invariants:
//! - The queue is bounded. Where it is full, connections are not read and their senders wait; datagrams wait in the
//!   system, and what it drops is counted.
//! - What senders send that are not admitted is not looked at, and counted.

mod connections;
mod datagrams;
mod drops;
mod gate;
mod parcel;

pub(super) use parcel::{Parcel, Received};

use super::recorder::{Recorder, Stopped};
use crate::config::{Endpoint, Listening, Transport};
use connections::Connections;
use drops::Drops;
use gate::Gate;
use ipstats_formats::{Settings, Tally};
use ipstats_model::Batch;
use socket2::SockRef;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, net};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

/// Longest time from the arrival of a record to its being durable, while the store keeps up.
const DURABLE_AFTER: Duration = Duration::from_millis(250);

/// How long to wait for records before looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// Pause before an address is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Parcels that wait to be read, each of at most [`parcel::BYTES_MAX`] and a message.
const PARCELS_MAX: usize = 64;

/// Longest time for reading what has arrived when a stop is asked for.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// Bytes that the system is asked to keep of datagrams that were not read; it may be allowed to keep fewer.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// How often the system is asked what it dropped.
const DROPS_PERIOD: Duration = Duration::from_secs(5);

/// For how long dropped datagrams hinder a source.
const DROPS_HINDER: Duration = Duration::from_mins(1);

const DROPS_TOLD: &str = "the system drops datagrams, because more arrive than are read: let it keep more (sysctl net.core.rmem_max), or send less";

/// What the messages of a protocol say.
pub(super) trait Protocol {
    /// Reads all messages of a parcel: connections into `batch`, the outcome of each record into `tally`.
    fn read(&mut self, parcel: &Parcel, settings: &Settings, batch: &mut Batch, tally: &mut Tally);
}

/// What the tasks of a source share.
#[derive(Clone)]
struct Shared {
    gate: Arc<Gate>,
    parcels: mpsc::Sender<Parcel>,
    stop: watch::Receiver<bool>,
    /// Longest message of a connection.
    message_bytes_max: usize,
}

/// Returns when a stop is asked for.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Without anybody who could ask, there is nothing to go on for.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Sockets that listen.
#[derive(Default)]
struct Sockets {
    datagrams: Vec<UdpSocket>,
    connections: Vec<TcpListener>,
    drops: Vec<Drops>,
    /// Where they listen.
    endpoints: Vec<Endpoint>,
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {endpoint}: {reason}{}", hint(*endpoint, .reason))]
pub(super) struct BindError {
    endpoint: Endpoint,
    reason: io::Error,
}

/// Whether `endpoint` could be listened on now.
pub(super) fn check(endpoint: Endpoint) -> Result<(), BindError> {
    let bound = match endpoint.transport {
        Transport::Udp => net::UdpSocket::bind(endpoint.address).map(drop),
        Transport::Tcp => net::TcpListener::bind(endpoint.address).map(drop),
    };
    bound.map_err(|reason| BindError { endpoint, reason })
}

/// Takes in what is sent until the recorder is told to stop.
pub(super) fn listen(listening: &Listening, protocol: impl Protocol, recorder: Recorder) {
    let runtime = match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return recorder.trouble(&format!("no threads can be started: {error}")),
    };
    let sockets = loop {
        match runtime.block_on(Sockets::bind(listening)) {
            Ok(sockets) => break sockets,
            Err(error) => recorder.trouble(&error.to_string()),
        }
        if recorder.wait(RETRY_PAUSE).is_err() {
            return;
        }
    };
    recorder.recovered();
    for endpoint in &sockets.endpoints {
        tracing::info!(source = recorder.name(), listening = %endpoint, "records are taken in");
    }
    let (sender, parcels) = mpsc::channel(PARCELS_MAX);
    let (stop, stopped) = watch::channel(false);
    let gate = Gate::new(listening.from.clone(), &recorder);
    let message_bytes_max = recorder.settings().limits.line_bytes_max;
    let drops = sockets
        .begin(&runtime, &Shared { gate: Arc::new(gate), parcels: sender, stop: stopped, message_bytes_max });
    let mut intake =
        Intake { protocol, recorder, runtime, parcels, drops, looked: Instant::now(), dropped: None };
    // Stopped while the store failed: what was received is lost, as is said of these protocols.
    let _ = intake.run(&stop);
    intake.runtime.shutdown_background();
}

/// The source's thread: reads parcels and records.
struct Intake<P> {
    protocol: P,
    recorder: Recorder,
    runtime: Runtime,
    parcels: mpsc::Receiver<Parcel>,
    drops: Vec<Drops>,
    /// When the system was asked last what it dropped.
    looked: Instant,
    /// When it last had dropped something.
    dropped: Option<Instant>,
}

enum Next {
    Parcel(Parcel),
    /// None came in time.
    None,
    /// None will come.
    End,
}

impl<P: Protocol> Intake<P> {
    fn run(&mut self, stop: &watch::Sender<bool>) -> Result<(), Stopped> {
        // Nothing is read on from, but what was known of the log is needed.
        self.recorder.checkpoints()?;
        while !self.recorder.is_stopped() {
            self.round()?;
        }
        // The tasks end when they have handed on what had arrived.
        stop.send_replace(true);
        let end = Instant::now() + STOP_TIME_MAX;
        while let Next::Parcel(parcel) = self.next(end) {
            self.read(&parcel)?;
        }
        self.recorder.flush()
    }

    /// Reads what arrives from the first record on until it has to be durable, and makes it so.
    fn round(&mut self) -> Result<(), Stopped> {
        let mut end = Instant::now() + PATIENCE;
        let mut is_first = true;
        while let Next::Parcel(parcel) = self.next(end) {
            self.read(&parcel)?;
            if std::mem::take(&mut is_first) {
                end = Instant::now() + DURABLE_AFTER;
            }
            if Instant::now() >= end {
                break;
            }
        }
        self.recorder.flush()?;
        self.look_at_drops();
        Ok(())
    }

    fn read(&mut self, parcel: &Parcel) -> Result<(), Stopped> {
        let protocol = &mut self.protocol;
        self.recorder.read(|settings, batch, tally| protocol.read(parcel, settings, batch, tally))
    }

    fn next(&mut self, end: Instant) -> Next {
        if let Ok(parcel) = self.parcels.try_recv() {
            return Next::Parcel(parcel);
        }
        let parcels = &mut self.parcels;
        match self.runtime.block_on(async { tokio::time::timeout_at(end.into(), parcels.recv()).await }) {
            Ok(Some(parcel)) => Next::Parcel(parcel),
            Ok(None) => Next::End,
            Err(_) => Next::None,
        }
    }

    fn look_at_drops(&mut self) {
        if self.looked.elapsed() >= DROPS_PERIOD {
            self.looked = Instant::now();
            let dropped = self.drops.iter_mut().map(Drops::new_ones).sum();
            if dropped > 0 {
                self.dropped = Some(self.looked);
                self.recorder.account().dropped(dropped);
            }
        }
        match self.dropped {
            Some(at) if at.elapsed() < DROPS_HINDER => self.recorder.trouble(DROPS_TOLD),
            _ => self.recorder.recovered(),
        }
    }
}

impl Sockets {
    async fn bind(listening: &Listening) -> Result<Self, BindError> {
        let mut sockets = Self::default();
        for endpoint in &listening.endpoints {
            sockets.add(*endpoint).await.map_err(|reason| BindError { endpoint: *endpoint, reason })?;
        }
        Ok(sockets)
    }

    async fn add(&mut self, endpoint: Endpoint) -> io::Result<()> {
        let address = match endpoint.transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(endpoint.address).await?;
                SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
                self.drops.extend(Drops::of(&socket));
                let address = socket.local_addr()?;
                self.datagrams.push(socket);
                address
            }
            Transport::Tcp => {
                let listener = TcpListener::bind(endpoint.address).await?;
                let address = listener.local_addr()?;
                self.connections.push(listener);
                address
            }
        };
        self.endpoints.push(Endpoint { address, ..endpoint });
        Ok(())
    }

    /// Starts the tasks; what tells which datagrams were dropped.
    fn begin(self, runtime: &Runtime, shared: &Shared) -> Vec<Drops> {
        for socket in self.datagrams {
            runtime.spawn(datagrams::receive(socket, shared.clone()));
        }
        let connections = Connections::default();
        for listener in self.connections {
            runtime.spawn(connections.clone().accept(listener, shared.clone()));
        }
        self.drops
    }
}

/// The way out, where it is known.
fn hint(endpoint: Endpoint, reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::PermissionDenied if endpoint.address.port() < 1024 => {
            "; a port below 1024 takes the capability CAP_NET_BIND_SERVICE, or let senders use another port"
        }
        io::ErrorKind::AddrInUse => "; another program, or another source, listens there",
        io::ErrorKind::AddrNotAvailable => "; this machine does not have the address",
        _ => "",
    }
}
