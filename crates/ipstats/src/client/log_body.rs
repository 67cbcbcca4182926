//! A log as the body of a request: read on a thread of its own, as fast as the service takes it.

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use parking_lot::Mutex;
use reqwest::Body;
use std::io::{self, Read};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Bytes read at a time.
const PART_BYTES: usize = 64 << 10;

/// Parts that wait to be sent.
const PARTS_WAITING_MAX: usize = 4;

/// Why a log could not be read to its end. To the connection that is only a body that broke off.
#[derive(Default, Clone)]
pub(super) struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    /// The failure, as an error, where there was one.
    pub(super) fn take(&self) -> io::Result<()> {
        self.0.lock().take().map_or(Ok(()), Err)
    }
}

/// The body that `log` makes. Its reader ends with the log, or when nobody takes its parts any more.
pub(super) fn streamed(log: Box<dyn Read + Send>, failure: &Failure, runtime: &Handle) -> Body {
    let (parts, body) = Channel::<Bytes, io::Error>::new(PARTS_WAITING_MAX);
    let (failure, handle) = (failure.clone(), runtime.clone());
    runtime.spawn_blocking(move || forward(log, parts, &failure, &handle));
    Body::wrap(body)
}

fn forward(mut log: impl Read, mut parts: Sender<Bytes, io::Error>, failure: &Failure, runtime: &Handle) {
    let mut buffer = vec![0; PART_BYTES];
    loop {
        match log.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let part = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
                if runtime.block_on(parts.send_data(part)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let kind = error.kind();
                // First the reason, then the end.
                *failure.0.lock() = Some(error);
                parts.abort(kind.into());
                return;
            }
        }
    }
}
