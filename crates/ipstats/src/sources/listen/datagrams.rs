//! Datagrams of one socket.

use super::parcel::{Parcel, Received};
use super::{RETRY_PAUSE, Shared, stopped};
use std::io;
use tokio::net::UdpSocket;

/// Bytes of the largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;

/// Datagrams that may be refused before others have their turn: they fill no parcel.
const REFUSED_MAX: usize = 128;

/// Parcels that are still read of a socket when a stop is asked for.
const LAST_PARCELS_MAX: usize = 256;

/// Whether more may be waiting in the socket.
enum Left {
    Nothing,
    Maybe,
}

/// Hands on what arrives until a stop is asked for, and then what has arrived.
pub(super) async fn receive(socket: UdpSocket, mut shared: Shared) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        tokio::select! {
            ready = socket.readable() => {
                if ready.is_err() {
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
            () = stopped(&mut shared.stop) => break,
        }
        let (parcel, left) = take(&socket, &mut buffer, &shared);
        if !parcel.is_empty() && shared.parcels.send(parcel).await.is_err() {
            return;
        }
        if matches!(left, Left::Maybe) {
            // A flood leaves no other reason to wait, and a thread that never waits looks at no clock and no other socket.
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..LAST_PARCELS_MAX {
        let (parcel, left) = take(&socket, &mut buffer, &shared);
        if shared.parcels.send(parcel).await.is_err() || matches!(left, Left::Nothing) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// What is in the socket, up to one parcel. Does not go on for as long as a flood does.
fn take(socket: &UdpSocket, buffer: &mut [u8], shared: &Shared) -> (Parcel, Left) {
    let (mut parcel, mut refused) = (Parcel::default(), 0);
    while !parcel.is_full() && refused < REFUSED_MAX {
        match socket.try_recv_from(buffer) {
            Ok((length, sender)) => {
                if shared.gate.admits(sender.ip()) {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    parcel.push(sender, Received::Message(datagram));
                } else {
                    refused += 1;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return (parcel, Left::Nothing),
        }
    }
    (parcel, Left::Maybe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::account::Account;
    use crate::sources::listen::gate::Gate;
    use std::sync::Arc;
    use tokio::sync::{mpsc, watch};

    #[tokio::test]
    async fn what_is_refused_does_not_hold_back_what_is_not() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sender = |address| {
            let sender = std::net::UdpSocket::bind((address, 0)).unwrap();
            sender.connect(socket.local_addr().unwrap()).unwrap();
            sender
        };
        let (one, flood) = (sender("127.0.0.2"), sender("127.0.0.3"));
        let (parcels, mut received) = mpsc::channel(100);
        let (_stop, stop) = watch::channel(false);
        let gate = Arc::new(Gate::of(&["127.0.0.2/32"], Arc::new(Account::default())));
        let shared = Shared { gate, parcels, stop, message_bytes_max: 1000 };
        one.send(b"a").unwrap();
        (0..=REFUSED_MAX).for_each(|_| assert_eq!(flood.send(b"x").unwrap(), 1));
        one.send(b"b").unwrap();
        socket.readable().await.unwrap();
        let (parcel, left) = take(&socket, &mut [0; 10], &shared);
        let messages: Vec<_> = parcel.messages().map(|(_, received)| received).collect();
        assert_eq!(messages, [Received::Message(b"a")]);
        assert!(matches!(left, Left::Maybe), "the flood goes on");
        tokio::spawn(receive(socket, shared));
        let rest = received.recv().await.unwrap();
        let messages: Vec<_> = rest.messages().map(|(_, received)| received).collect();
        assert_eq!(messages, [Received::Message(b"b")]);
    }
}
