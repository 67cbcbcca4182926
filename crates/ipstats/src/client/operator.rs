//! Asking the service on this machine how it is, at the socket in its data folder.

use super::error::Unreachable;
use reqwest::{ClientBuilder, StatusCode};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime;

/// Longest wait for an answer.
const ANSWER_SECONDS_MAX: u64 = 20;

/// Longest answer that is read, in bytes: that of some ten thousand sources.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Why the service does not tell.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// Nobody listens.
    #[error(
        "no service runs on the data folder {}: start it with `ipstats serve`, or name the folder of one that runs with \
         --config or --data-dir", folder(.0).display()
    )]
    NotRunning(PathBuf),
    /// The service runs as another user.
    #[error("{} is for the user that the service runs as, and for root: run this as one of them", .0.display())]
    NotAllowed(PathBuf),
    /// The socket cannot be used.
    #[error("{} cannot be asked: {reason}", socket.display())]
    Socket {
        /// Where.
        socket: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// There was no whole answer.
    #[error("the service at {} does not answer: {reason}", socket.display())]
    NoAnswer {
        /// Where.
        socket: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What the service at `socket` answers to `GET path`.
pub fn ask_operator(socket: &Path, path: &str) -> Result<Vec<u8>, OperatorError> {
    reach(socket)?;
    let no_answer = |reason: String| OperatorError::NoAnswer { socket: socket.to_owned(), reason };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| no_answer(error.to_string()))?;
    let answer = async {
        let http = ClientBuilder::new()
            .unix_socket(socket)
            .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
            .build()
            .map_err(Unreachable::from)?;
        let mut response = http.get(format!("http://localhost{path}")).send().await?;
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok((response.status(), body))
    };
    match runtime.block_on(answer) {
        Ok((StatusCode::OK, body)) => Ok(body),
        Ok((status, _)) => Err(no_answer(format!("it says {status}; it may be of another version"))),
        Err(unreachable) => Err(no_answer(Unreachable::to_string(&unreachable))),
    }
}

/// Tells what is wrong where nobody can be reached.
pub(super) fn reach(socket: &Path) -> Result<(), OperatorError> {
    let Err(error) = UnixStream::connect(socket) else { return Ok(()) };
    Err(match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            OperatorError::NotRunning(socket.to_owned())
        }
        io::ErrorKind::PermissionDenied => OperatorError::NotAllowed(socket.to_owned()),
        _ => OperatorError::Socket { socket: socket.to_owned(), reason: error },
    })
}

fn folder(socket: &Path) -> &Path {
    socket.parent().unwrap_or(socket)
}
