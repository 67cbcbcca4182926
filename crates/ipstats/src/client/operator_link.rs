//! Long exchanges with the service at its operator's socket: answers of any length, and bodies one after the other.

use super::error::Unreachable;
use super::operator::{OperatorError, reach};
use reqwest::{Client, ClientBuilder, Response};
use serde::Deserialize;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;

/// Longest wait for the next part of an answer, and for the answer to a body: a service may be writing much at once.
const PART_SECONDS_MAX: u64 = 300;

/// Longest answer to a body that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A service, at its operator's socket. Any number of threads may use it at once.
pub struct OperatorLink {
    http: Client,
    runtime: Runtime,
    socket: PathBuf,
}

/// An error as the service writes it.
#[derive(Deserialize)]
struct Refusal {
    error: Fields,
}

#[derive(Deserialize)]
struct Fields {
    message: String,
}

impl OperatorLink {
    /// The service at `socket`.
    pub fn to(socket: &Path) -> Result<Self, OperatorError> {
        reach(socket)?;
        let failed = |reason: io::Error| OperatorError::Socket { socket: socket.to_owned(), reason };
        let http = ClientBuilder::new().unix_socket(socket).build();
        let http = http.map_err(|error| failed(io::Error::other(error)))?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { http, runtime: runtime.map_err(failed)?, socket: socket.to_owned() })
    }

    /// Passes on the parts of what is answered to `GET path` until its end, or until told to stop.
    pub fn read(
        &self,
        path: &str,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), OperatorError> {
        self.runtime.block_on(async {
            let request = self.http.get(format!("http://localhost{path}")).send();
            let mut answer = self.begun(self.in_time(request).await?).await?;
            while let Some(part) = self.in_time(answer.chunk()).await? {
                if each(&part).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// What is answered to `POST path` with a body.
    pub fn send(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, OperatorError> {
        self.runtime.block_on(async {
            let request = self.http.post(format!("http://localhost{path}")).body(body).send();
            let mut answer = self.begun(self.in_time(request).await?).await?;
            self.whole(&mut answer).await
        })
    }

    /// An answer that is no error.
    async fn begun(&self, mut answer: Response) -> Result<Response, OperatorError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = self.whole(&mut answer).await?;
        Err(self.no_answer(match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => format!("it says {status}: {}", refusal.error.message),
            Err(_) => format!("it says {status}; it may be of another version"),
        }))
    }

    async fn whole(&self, answer: &mut Response) -> Result<Vec<u8>, OperatorError> {
        let mut body = Vec::new();
        while let Some(part) = self.in_time(answer.chunk()).await? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(self.no_answer("its answer is too long".to_owned()));
            }
        }
        Ok(body)
    }

    async fn in_time<T>(
        &self,
        part: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, OperatorError> {
        match timeout(Duration::from_secs(PART_SECONDS_MAX), part).await {
            Ok(Ok(part)) => Ok(part),
            Ok(Err(error)) => Err(self.no_answer(Unreachable::from(error).to_string())),
            Err(_) => Err(self.no_answer(format!("nothing came for {PART_SECONDS_MAX} seconds"))),
        }
    }

    fn no_answer(&self, reason: String) -> OperatorError {
        OperatorError::NoAnswer { socket: self.socket.clone(), reason }
    }
}
