//! Connections of one source, and the messages they bring.
//!
//! A connection may be silent for days: no sender of syslog notices that it was closed before its next message is lost. But a
//! message that has begun must end soon, and a peer that does not answer any more is forgotten.

use super::parcel::{Parcel, Received};
use super::{Shared, stopped};
use ipstats_formats::syslog::{Cut, Messages};
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};

/// Connections of a source at once.
const CONNECTIONS_MAX: usize = 512;

/// Connections of one address.
const CONNECTIONS_PER_SENDER_MAX: usize = 64;

/// Bytes that are read at once.
const READ_BYTES: usize = 32 << 10;

/// Longest time from the start of a message to its end.
const MESSAGE_TIME_MAX: Duration = Duration::from_mins(1);

/// Silence after which the peer is asked whether it is still there, and how often then.
const KEEPALIVE_AFTER: Duration = Duration::from_mins(2);
const KEEPALIVE_PERIOD: Duration = Duration::from_secs(30);

/// Bytes that are still read of a connection when a stop is asked for.
const LAST_BYTES_MAX: usize = 4 << 20;

/// Pause when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The connections of a source.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Places>>);

#[derive(Default)]
struct Places {
    by_sender: HashMap<IpAddr, usize>,
    taken: usize,
    /// Connections so far.
    numbered: u64,
}

/// The place of one connection, given back when it is dropped.
struct Place {
    connections: Connections,
    sender: IpAddr,
    number: u64,
}

impl Connections {
    /// Takes connections until a stop is asked for.
    pub(super) async fn accept(self, listener: TcpListener, mut shared: Shared) {
        let mut is_pausing = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopped(&mut shared.stop) => return,
            };
            match accepted {
                Ok((stream, sender)) => {
                    if std::mem::take(&mut is_pausing) {
                        shared.gate.goes_on();
                    }
                    self.begin(stream, sender, &shared);
                }
                Err(error) => {
                    shared.gate.pauses(&error, !is_pausing);
                    is_pausing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn begin(&self, stream: TcpStream, sender: SocketAddr, shared: &Shared) {
        if !shared.gate.admits(sender.ip()) {
            return;
        }
        let Some(place) = self.enter(sender.ip().to_canonical()) else {
            return shared.gate.refuse(sender.ip(), "too many connections are open");
        };
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_PERIOD);
        // Without it a peer that is gone keeps its place, and nothing else.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        let connection = Connection {
            sender,
            number: place.number,
            messages: Messages::new(shared.message_bytes_max),
            shared: shared.clone(),
        };
        tokio::spawn(async move {
            connection.read(stream).await;
            drop(place);
        });
    }

    fn enter(&self, sender: IpAddr) -> Option<Place> {
        let mut places = self.0.lock();
        let of_sender = places.by_sender.get(&sender).copied().unwrap_or_default();
        if places.taken >= CONNECTIONS_MAX || of_sender >= CONNECTIONS_PER_SENDER_MAX {
            return None;
        }
        places.by_sender.insert(sender, of_sender + 1);
        places.taken += 1;
        places.numbered += 1;
        Some(Place { connections: self.clone(), sender, number: places.numbered })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.connections.0.lock();
        places.taken -= 1;
        if let Some(of_sender) = places.by_sender.get_mut(&self.sender) {
            *of_sender -= 1;
            if *of_sender == 0 {
                places.by_sender.remove(&self.sender);
            }
        }
    }
}

/// One connection.
struct Connection {
    sender: SocketAddr,
    number: u64,
    messages: Messages,
    shared: Shared,
}

/// Nobody takes parcels any more.
struct Closed;

impl Connection {
    /// Hands on what the connection brings, until it ends or a stop is asked for.
    async fn read(mut self, mut stream: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; READ_BYTES];
        let mut stop = self.shared.stop.clone();
        let mut message_end = Instant::now() + MESSAGE_TIME_MAX;
        let is_stopped = loop {
            let patience = if self.messages.is_open() { message_end } else { far_away() };
            let read = tokio::select! {
                read = timeout_at(patience, read(&mut stream, &mut buffer)) => read,
                () = stopped(&mut stop) => break true,
            };
            let Ok(Ok(length @ 1..)) = read else { break false };
            let was_open = self.messages.is_open();
            match self.take(buffer.get(..length).unwrap_or_default()).await {
                Err(Closed) => return,
                // The message that began is another one, or the time was not the sender's.
                Ok(handed_on) if handed_on || !was_open => message_end = Instant::now() + MESSAGE_TIME_MAX,
                Ok(_) => {}
            }
        };
        if is_stopped && self.read_rest(&mut stream, &mut buffer).await.is_err() {
            return;
        }
        let (mut last, sender) = (Parcel::of_connection(self.number), self.sender);
        last.is_last = true;
        self.messages.finish(|cut| last.push(sender, received(cut)));
        // Nobody may be listening any more.
        let _ = self.shared.parcels.send(last).await;
    }

    /// Hands on what has arrived and was not read yet.
    async fn read_rest(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut [u8],
    ) -> Result<(), Closed> {
        let mut bytes = 0;
        while bytes < LAST_BYTES_MAX {
            let at_once = timeout_at(Instant::now(), read(stream, buffer)).await;
            let Ok(Ok(length @ 1..)) = at_once else { break };
            bytes += length;
            self.take(buffer.get(..length).unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Hands on the messages that end in these bytes; whether there were any.
    async fn take(&mut self, bytes: &[u8]) -> Result<bool, Closed> {
        let (mut parcel, sender) = (Parcel::of_connection(self.number), self.sender);
        self.messages.feed(bytes, |cut| parcel.push(sender, received(cut)));
        if parcel.is_empty() {
            return Ok(false);
        }
        self.shared.parcels.send(parcel).await.map_err(|_| Closed)?;
        Ok(true)
    }
}

const fn received(cut: Cut<'_>) -> Received<'_> {
    match cut {
        Cut::Whole(message) => Received::Message(message),
        Cut::TooLong => Received::TooLong,
        Cut::CutOff => Received::CutOff,
    }
}

/// Reads what is there, at least a byte; 0 at the end.
async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|context| {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        std::task::Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}

/// A time that does not come.
fn far_away() -> Instant {
    Instant::now() + Duration::from_hours(24 * 365)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::account::Account;
    use crate::sources::listen::gate::Gate;
    use std::task::{Context, Poll};
    use tokio::sync::{mpsc, watch};

    #[test]
    fn places_are_bounded_by_sender_and_given_back() {
        let connections = Connections::default();
        let sender = |last| IpAddr::from([10, 0, 0, last]);
        let one: Vec<_> = (0..100).filter_map(|_| connections.enter(sender(1))).collect();
        assert_eq!(one.len(), CONNECTIONS_PER_SENDER_MAX);
        let senders = (0..=255).cycle().take(1000);
        let all: Vec<_> = senders.filter_map(|last| connections.enter(sender(last))).collect();
        assert_eq!(one.len() + all.len(), CONNECTIONS_MAX);
        drop((one, all));
        assert!(connections.enter(sender(1)).is_some());
        assert!(connections.0.lock().by_sender.is_empty());
    }

    /// Brings its parts with a pause before each, and then nothing more, without an end.
    struct Dribble(Vec<&'static [u8]>, Pin<Box<tokio::time::Sleep>>);

    impl AsyncRead for Dribble {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Pending;
            }
            ready!(self.1.as_mut().poll(context));
            buffer.put_slice(self.0.remove(0));
            self.1.as_mut().reset(Instant::now() + Duration::from_secs(25));
            Poll::Ready(Ok(()))
        }
    }

    /// What is handed on of a connection that brings `parts` every 25 seconds, and after how many seconds it ends.
    async fn brought(parts: Vec<&'static [u8]>) -> (Vec<String>, u64) {
        let (sender, mut parcels) = mpsc::channel(100);
        let (_stop, stop) = watch::channel(false);
        let gate = Arc::new(Gate::of(&["127.0.0.0/8"], Arc::new(Account::default())));
        let shared = Shared { gate, parcels: sender, stop, message_bytes_max: 1000 };
        let from = "127.0.0.1:1".parse().unwrap();
        let connection = Connection { sender: from, number: 7, messages: Messages::new(1000), shared };
        let begun = Instant::now();
        let stream = Dribble(parts, Box::pin(tokio::time::sleep(Duration::ZERO)));
        tokio::time::timeout(Duration::from_hours(1), connection.read(stream)).await.ok();
        let mut brought = Vec::new();
        while let Ok(parcel) = parcels.try_recv() {
            brought.extend(parcel.messages().map(|(_, received)| format!("{received:?}")));
        }
        (brought, begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_end_ends_the_connection_and_silence_does_not() {
        let whole = |text: &[u8]| format!("{:?}", Received::Message(text));
        assert_eq!(
            brought(vec![b"a\n", b"b\nc", b"d\n"]).await,
            (vec![whole(b"a"), whole(b"b"), whole(b"cd")], 3600)
        );
        // One byte every 25 seconds.
        let dribble = vec![&b"9 <1>"[..], b"x", b"x", b"x", b"x", b"x", b"x"];
        assert_eq!(brought(dribble).await, (vec!["CutOff".to_owned()], 60));
        assert_eq!(brought(vec![b"a\nb"]).await, (vec![whole(b"a"), whole(b"b")], 60));
    }
}
