//! The body of a request as a blocking reader, for parsers that know nothing of async.
//!
//! Invariant: a body that was cut off is an error to its reader, never an end.

use super::small_bodies::{Reservation, SMALL_BODY_BYTES_MAX};
use axum::body::{Body, Bytes, HttpBody as _};
use http_body_util::BodyExt;
use std::io::{self, Read};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

/// Parts of a body that wait for their reader; each has at most some tens of kilobytes.
const WAITING_MAX: usize = 16;

/// How far a sender may fall behind [`BYTES_PER_SECOND_MIN`], by pausing or by being slow.
const BEHIND_MAX: Duration = Duration::from_secs(30);

/// The pace a sender has to keep up: while a body comes in, it has one of few places.
const BYTES_PER_SECOND_MIN: u32 = 1024;

enum Part {
    Data(Bytes),
    End,
    Failed(io::Error),
}

/// A body that its sender has to keep up with.
pub(super) struct PacedBody {
    body: Body,
    /// How far the sender may fall behind from now on.
    slack: Duration,
}

/// What is read of a body before its work starts.
pub(super) enum Beginning {
    /// The whole body, to its end or to where it broke off.
    Whole(BodyReader),
    /// The first bytes of a longer one.
    First(Bytes),
}

/// Reads a body that is in memory, or what [`forward`](PacedBody::forward) forwards. Blocks: not for asynchronous threads.
pub(super) struct BodyReader {
    current: Bytes,
    /// The end of a body that is in memory, or how it broke off.
    last: Option<Part>,
    parts: Option<Receiver<Part>>,
    ended: bool,
}

/// Where [`forward`](PacedBody::forward) puts a body.
pub(super) struct BodyWriter(Sender<Part>);

/// Both ends of a bounded pipe; the reader reads `first` before it.
pub(super) fn pipe(first: Bytes) -> (BodyWriter, BodyReader) {
    let (sender, receiver) = channel(WAITING_MAX);
    (BodyWriter(sender), BodyReader { current: first, last: None, parts: Some(receiver), ended: false })
}

impl PacedBody {
    pub(super) fn new(body: Body) -> Self {
        Self { body, slack: BEHIND_MAX }
    }

    /// Reads the body if it is small. One that is known to be long is not read at all.
    pub(super) async fn read_beginning(&mut self, memory: &mut Reservation) -> Beginning {
        let mut read = Vec::new();
        if self.body.size_hint().lower() > SMALL_BODY_BYTES_MAX as u64 {
            return Beginning::First(Bytes::new());
        }
        while read.len() <= SMALL_BODY_BYTES_MAX {
            match self.next().await {
                Part::Data(bytes) => {
                    let has_room = memory.grow(bytes.len());
                    read.extend_from_slice(&bytes);
                    if !has_room {
                        break;
                    }
                }
                last => return Beginning::Whole(BodyReader::in_memory(read.into(), last)),
            }
        }
        Beginning::First(read.into())
    }

    /// Forwards the body until its end, until it is too slow, or until its reader is gone.
    pub(super) async fn forward(mut self, BodyWriter(parts): BodyWriter) {
        loop {
            let part = self.next().await;
            let last = !matches!(part, Part::Data(_));
            if parts.send(part).await.is_err() || last {
                return;
            }
        }
    }

    /// The next part. Only waiting for the sender counts, not for the reader.
    async fn next(&mut self) -> Part {
        let asked = Instant::now();
        let part = next(&mut self.body, self.slack).await;
        self.slack = self.slack.saturating_sub(asked.elapsed());
        if let Part::Data(bytes) = &part {
            self.slack = BEHIND_MAX.min(self.slack + worth(bytes.len()));
        }
        part
    }
}

impl BodyReader {
    fn in_memory(bytes: Bytes, last: Part) -> Self {
        Self { current: bytes, last: Some(last), parts: None, ended: false }
    }

    fn next_part(&mut self) -> Option<Part> {
        self.last.take().or_else(|| self.parts.as_mut()?.blocking_recv())
    }
}

/// The time that so many bytes may take.
fn worth(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64) / BYTES_PER_SECOND_MIN
}

async fn next(body: &mut Body, slack: Duration) -> Part {
    match tokio::time::timeout(slack, body.frame()).await {
        Err(_) => Part::Failed(io::Error::new(
            io::ErrorKind::TimedOut,
            "the sender paused for too long, or sends less than 1 KiB a second",
        )),
        Ok(None) => Part::End,
        Ok(Some(Err(error))) => Part::Failed(io::Error::new(io::ErrorKind::ConnectionAborted, error)),
        // Trailers say nothing here.
        Ok(Some(Ok(frame))) => Part::Data(frame.into_data().unwrap_or_default()),
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.next_part() {
                Some(Part::Data(bytes)) => self.current = bytes,
                Some(Part::End) => self.ended = true,
                Some(Part::Failed(error)) => return Err(error),
                None => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the sender went away")),
            }
        }
        let count = buffer.len().min(self.current.len());
        let part = self.current.split_to(count);
        buffer.iter_mut().zip(part).for_each(|(to, from)| *to = from);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(writer_side: impl Future<Output = ()>, mut reader: BodyReader) -> io::Result<String> {
        let blocking = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        writer_side.await;
        blocking.await.unwrap()
    }

    #[tokio::test]
    async fn a_whole_body_is_read_to_its_end() {
        let (writer, reader) = pipe(Bytes::new());
        let text = "0123456789".repeat(10_000);
        assert_eq!(
            read(PacedBody::new(Body::from(text.clone())).forward(writer), reader).await.unwrap(),
            text
        );
    }

    #[tokio::test]
    async fn a_body_that_was_cut_off_is_an_error() {
        let (writer, reader) = pipe(Bytes::new());
        let cut = async move {
            writer.0.send(Part::Data(Bytes::from_static(b"begin"))).await.ok();
            drop(writer);
        };
        let error = read(cut, reader).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_may_not_pause_for_ever() {
        let (_keep, endless) = http_body_util::channel::Channel::<Bytes, io::Error>::new(1);
        let part = next(&mut Body::new(endless), BEHIND_MAX).await;
        assert!(matches!(part, Part::Failed(error) if error.kind() == io::ErrorKind::TimedOut));
    }

    /// For how many seconds a body is forwarded of which `bytes` come every five seconds; until its end, 400 s.
    async fn seconds_of(bytes: usize) -> (u64, Option<io::ErrorKind>) {
        let (mut sender, body) = http_body_util::channel::Channel::<Bytes, io::Error>::new(1);
        let (writer, reader) = pipe(Bytes::new());
        let mut parts = reader.parts.unwrap();
        tokio::spawn(async move {
            for _ in 0..80 {
                tokio::time::sleep(Duration::from_secs(5)).await;
                if sender.send_data(vec![b'x'; bytes].into()).await.is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        tokio::spawn(PacedBody::new(Body::new(body)).forward(writer));
        while let Some(part) = parts.recv().await {
            match part {
                Part::Data(_) => {}
                Part::End => return (began.elapsed().as_secs(), None),
                Part::Failed(error) => return (began.elapsed().as_secs(), Some(error.kind())),
            }
        }
        panic!("neither an end nor a failure");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_of_a_byte_every_five_seconds_is_not_waited_for() {
        assert_eq!(seconds_of(1).await, (30, Some(io::ErrorKind::TimedOut)));
        assert_eq!(seconds_of(5 * 512).await, (57, Some(io::ErrorKind::TimedOut)));
        assert_eq!(seconds_of(5 * 1024).await, (400, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_not_the_fault_of_the_sender() {
        let (mut sender, body) = http_body_util::channel::Channel::<Bytes, io::Error>::new(1);
        let (writer, reader) = pipe(Bytes::new());
        let mut parts = reader.parts.unwrap();
        tokio::spawn(async move { while sender.send_data(Bytes::from_static(b"x")).await.is_ok() {} });
        tokio::spawn(PacedBody::new(Body::new(body)).forward(writer));
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert!(matches!(parts.recv().await, Some(Part::Data(_))));
        }
    }
}
