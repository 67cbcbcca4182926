//! Datagrams of one socket.

use super::parcel::{Parcel, Received};
use super::{RETRY_PAUSE, Shared, stopped};
use std::io;
use tokio::net::UdpSocket;

/// Bytes of the largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;

/// Datagrams that are looked at before others have their turn: those of senders that are refused fill no parcel.
const LOOKS_MAX: usize = 1024;

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

/// What is in the socket, up to one parcel.
fn take(socket: &UdpSocket, buffer: &mut [u8], shared: &Shared) -> (Parcel, Left) {
    let mut parcel = Parcel::default();
    for _ in 0..LOOKS_MAX {
        if parcel.is_full() {
            break;
        }
        match socket.try_recv_from(buffer) {
            Ok((length, sender)) => {
                if shared.gate.admits(sender.ip()) {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    parcel.push(sender, Received::Message(datagram));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return (parcel, Left::Nothing),
        }
    }
    (parcel, Left::Maybe)
}
