//! The body of a request as a blocking reader, for parsers that know nothing of async.
//!
//! Invariant: a body that was cut off is an error to its reader, never an end.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use std::io::{self, Read};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Parts of a body that wait for their reader; each has at most some tens of kilobytes.
const WAITING_MAX: usize = 16;

/// Longest wait for the next part of a body.
const PART_SECONDS_MAX: u64 = 30;

enum Part {
    Data(Bytes),
    End,
    Failed(io::Error),
}

/// Reads what [`forward`] forwards. Blocks: not for asynchronous threads.
pub(super) struct BodyReader {
    parts: Receiver<Part>,
    current: Bytes,
    ended: bool,
}

/// Where [`forward`] puts a body.
pub(super) struct BodyWriter(Sender<Part>);

/// Both ends of a bounded pipe.
pub(super) fn pipe() -> (BodyWriter, BodyReader) {
    let (sender, receiver) = channel(WAITING_MAX);
    (BodyWriter(sender), BodyReader { parts: receiver, current: Bytes::new(), ended: false })
}

/// Forwards `body` until its end, or until nobody reads it any more.
pub(super) async fn forward(mut body: Body, BodyWriter(parts): BodyWriter) {
    loop {
        let part = next(&mut body).await;
        let last = !matches!(part, Part::Data(_));
        if parts.send(part).await.is_err() || last {
            return;
        }
    }
}

async fn next(body: &mut Body) -> Part {
    let frame = tokio::time::timeout(Duration::from_secs(PART_SECONDS_MAX), body.frame()).await;
    match frame {
        Err(_) => Part::Failed(io::Error::new(io::ErrorKind::TimedOut, "the sender paused for too long")),
        Ok(None) => Part::End,
        Ok(Some(Err(error))) => Part::Failed(io::Error::new(io::ErrorKind::ConnectionAborted, error)),
        // Trailers say nothing here.
        Ok(Some(Ok(frame))) => Part::Data(frame.into_data().unwrap_or_default()),
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.parts.blocking_recv() {
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
        let (writer, reader) = pipe();
        let text = "0123456789".repeat(10_000);
        assert_eq!(read(forward(Body::from(text.clone()), writer), reader).await.unwrap(), text);
    }

    #[tokio::test]
    async fn a_body_that_was_cut_off_is_an_error() {
        let (writer, reader) = pipe();
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
        let part = next(&mut Body::new(endless)).await;
        assert!(matches!(part, Part::Failed(error) if error.kind() == io::ErrorKind::TimedOut));
    }
}
