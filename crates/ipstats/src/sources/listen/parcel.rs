//! Messages on their way from a socket to the source's thread.

use std::net::SocketAddr;

/// Bytes after which a parcel is handed on. A last message may go beyond.
pub(super) const BYTES_MAX: usize = 64 << 10;

/// Messages after which it is handed on.
const MESSAGES_MAX: usize = 1024;

/// Messages of one socket or connection, in the order they arrived.
#[derive(Debug, Default)]
pub(in crate::sources) struct Parcel {
    /// The number of the connection; none of datagrams.
    pub(in crate::sources) connection: Option<u64>,
    /// Whether the connection brings no more.
    pub(in crate::sources) is_last: bool,
    bytes: Vec<u8>,
    messages: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    sender: SocketAddr,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A message that ends there.
    Message {
        end: usize,
    },
    TooLong,
    CutOff,
}

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources) enum Received<'a> {
    /// A message, whole.
    Message(&'a [u8]),
    /// One that is too long; it was not kept.
    TooLong,
    /// One whose rest never came.
    CutOff,
}

impl Parcel {
    /// A parcel of connection `number`.
    pub(super) fn of_connection(number: u64) -> Self {
        Self { connection: Some(number), ..Self::default() }
    }

    pub(super) fn push(&mut self, sender: SocketAddr, received: Received<'_>) {
        let what = match received {
            Received::Message(message) => {
                self.bytes.extend_from_slice(message);
                What::Message { end: self.bytes.len() }
            }
            Received::TooLong => What::TooLong,
            Received::CutOff => What::CutOff,
        };
        self.messages.push(Entry { sender, what });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES_MAX || self.messages.len() >= MESSAGES_MAX
    }

    /// What arrived, and who sent it.
    pub(in crate::sources) fn messages(&self) -> impl Iterator<Item = (SocketAddr, Received<'_>)> {
        let mut start = 0;
        self.messages.iter().map(move |entry| {
            let received = match entry.what {
                What::Message { end } => {
                    let message = self.bytes.get(start..end).unwrap_or_default();
                    start = end;
                    Received::Message(message)
                }
                What::TooLong => Received::TooLong,
                What::CutOff => Received::CutOff,
            };
            (entry.sender, received)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in() {
        let senders: [SocketAddr; 2] = ["10.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        let put = [
            (senders[0], Received::Message(b"one")),
            (senders[1], Received::TooLong),
            (senders[1], Received::Message(b"")),
            (senders[0], Received::CutOff),
            (senders[0], Received::Message(b"two")),
        ];
        let mut parcel = Parcel::default();
        put.iter().for_each(|(sender, received)| parcel.push(*sender, *received));
        assert_eq!(parcel.messages().collect::<Vec<_>>(), put);
    }
}
