//! The socket in the data folder on which the operator is told how the service is.
//!
//! Only the user of the service and root are answered, whatever the permissions of the folder are.

use super::acceptance::Acceptance;
use super::entrance::Entrance;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 16;

/// Longest wait for the head of a request.
const HEAD_SECONDS_MAX: u64 = 10;

const ROOT: u32 = 0;

const ANOTHER_SERVICE: &str = "another service has it: give each service a data folder of its own";

/// A socket that is listened on; its name is gone when this is.
#[derive(Debug)]
pub struct OperatorSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The user of this process.
    owner: u32,
}

/// The socket cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("there will be no `ipstats sources`: the socket {} cannot be made: {reason}", path.display())]
pub struct SocketError {
    path: PathBuf,
    reason: io::Error,
}

impl OperatorSocket {
    /// Listens at `path`. A socket that is there and at which nobody listens was left behind; another service's stays.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let bind = || {
            if is_listened_on(path)? {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, ANOTHER_SERVICE));
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            let owner = fs::metadata(path)?.uid();
            Ok(Self { listener, path: path.to_owned(), owner })
        };
        bind().map_err(|reason| SocketError { path: path.to_owned(), reason })
    }

    /// Serves what is behind `entrance` until told to stop.
    pub async fn serve(self, entrance: Entrance, mut stop: watch::Receiver<bool>) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut acceptance = Acceptance::at("operator's socket");
        loop {
            let next = async {
                let place = Arc::clone(&connections).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                next = next => next,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if accepted.is_ok() {
                acceptance.succeeded();
            }
            match accepted {
                Ok((stream, _)) if self.may_ask(&stream) => {
                    let (entrance, stop) = (entrance.clone(), stop.clone());
                    tokio::spawn(async move {
                        exchange(stream, entrance, stop).await;
                        drop(place);
                    });
                }
                Ok(_) => tracing::warn!("another user asked at the operator's socket"),
                Err(error) => acceptance.failed(&error).await,
            }
        }
    }

    fn may_ask(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == ROOT)
    }
}

impl Drop for OperatorSocket {
    fn drop(&mut self) {
        // What is left behind does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether somebody listens at `path`. Does not wait.
fn is_listened_on(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => true,
        // Too many wait there already.
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    })
}

async fn exchange(stream: UnixStream, entrance: Entrance, mut stop: watch::Receiver<bool>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
        .serve_connection(TokioIo::new(stream), entrance);
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection to the operator's socket ended early");
        },
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn what_was_left_behind_is_replaced_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.sock");
        // As after a kill: the name is there, and nobody listens.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = OperatorSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = OperatorSocket::bind(&path).unwrap_err().to_string();
        assert!(error.ends_with(ANOTHER_SERVICE), "{error}");
        UnixStream::connect(&path).await.expect("it is still there");
        drop(socket);
        assert!(!path.exists());
        // A link is replaced, not followed.
        let other = folder.path().join("other");
        fs::write(&other, "x").unwrap();
        symlink(&other, &path).unwrap();
        let socket = OperatorSocket::bind(&path).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"x");
        drop(socket);
    }
}
