//! Connections: accepted within limits, served, and finished before the process ends.

use super::acceptance::Acceptance;
use super::entrance::Entrance;
use super::peers::{PeerPlace, Peers};
use super::tls::Tls;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;

/// Longest request line and headers together, in bytes; more is refused with 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Most headers of a request.
const HEADERS_MAX: usize = 100;

/// Longest wait for the head of a request on an idle connection.
const HEAD_SECONDS_MAX: u64 = 30;

/// Longest wait for the first head on a new connection.
const FIRST_HEAD_SECONDS_MAX: u64 = 10;

/// Longest wait for requests under way when the service is told to stop.
const DRAIN_SECONDS_MAX: u64 = 30;

/// Tells [`serve`] to stop; dropping it does, too.
#[derive(Debug)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// A pair: to tell, and to be told.
    pub fn new() -> (Self, watch::Receiver<bool>) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), receiver)
    }

    /// Stop accepting and finish what was begun.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

/// Serves what is behind `entrance` on `listener`, over TLS where it is given, until told to stop, and then until the requests under way are answered.
pub async fn serve(
    listener: TcpListener,
    entrance: Entrance,
    tls: Option<Tls>,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (graceful, peers) = (GracefulShutdown::new(), Peers::default());
    while let Some((stream, peer, place)) = accept(&listener, &connections, &mut stop).await {
        let entrance = entrance.of_peer(peer.ip());
        let Some(among_its_own) = peers.enter(peer.ip(), entrance.is_of_proxy()) else { continue };
        let connection = Connection {
            entrance,
            watcher: graceful.watcher(),
            _place: place,
            _among_its_own: among_its_own,
        };
        tokio::spawn(connection.serve(stream, tls.clone(), stop.clone()));
    }
    drop(listener);
    if tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = DRAIN_SECONDS_MAX, "requests under way took too long; they are cut off");
    }
}

/// The next connection and its place among those at once; nothing when told to stop.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    stop: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(connections).acquire_owned().await.ok()?;
        let mut acceptance = Acceptance::at("listener");
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    acceptance.succeeded();
                    return Some((stream, peer, place));
                }
                Err(error) => acceptance.failed(&error).await,
            }
        }
    };
    tokio::select! {
        next = next => next,
        _ = stop.wait_for(|stop| *stop) => None,
    }
}

/// One connection, and its places among those at once.
struct Connection {
    entrance: Entrance,
    watcher: Watcher,
    _place: OwnedSemaphorePermit,
    _among_its_own: PeerPlace,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Tls>, mut stop: watch::Receiver<bool>) {
        // Answers are small and complete: waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            return;
        }
        let Some(tls) = tls else { return self.exchange(stream).await };
        // A handshake under way is nothing to finish.
        let stream = tokio::select! {
            stream = tls.handshake(stream) => stream,
            _ = stop.wait_for(|stop| *stop) => None,
        };
        if let Some(stream) = stream {
            self.exchange(stream).await;
        }
    }

    /// Answers requests until the client or the service has had enough.
    async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let begun = self.entrance.begun();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), self.entrance);
        let mut connection = pin!(self.watcher.watch(connection));
        let first_head = tokio::time::timeout(Duration::from_secs(FIRST_HEAD_SECONDS_MAX), begun.wait());
        let ended = tokio::select! {
            ended = &mut connection => ended,
            first_head = first_head => match first_head {
                Ok(()) => connection.await,
                Err(_) => return tracing::debug!(seconds = FIRST_HEAD_SECONDS_MAX, "no request came"),
            },
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
