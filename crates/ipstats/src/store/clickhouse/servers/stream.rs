//! Answers of any length, row by row as they come.

use super::super::error::{ClickHouseError, Failure};
use super::super::host::Host;
use super::super::link::Statement;
use super::super::row_binary::Values;
use super::Servers;
use reqwest::{Response, StatusCode};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the next part of an answer: a server may read much before it finds a row.
const PART_SECONDS_MAX: u64 = 300;

/// Longest row, in bytes.
const ROW_BYTES_MAX: usize = 1 << 20;

/// How much is read of a message, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;

/// The last column of each row: a server that fails on the way writes a message where rows would go on.
const MARK: u32 = 0xb5f3_917c;

/// [`MARK`] as a column of a statement.
pub(in super::super) fn mark_column() -> String {
    format!("toUInt32({MARK})")
}

impl Servers {
    /// Asks servers in turn until one begins to answer, and passes on each row of its answer, until told to stop. `parse`
    /// reads the columns before [`mark_column`].
    pub(in super::super) async fn for_each_row<T>(
        &self,
        statement: &Statement,
        parse: impl for<'a> Fn(&mut Values<'a>) -> Result<T, Failure>,
        mut each: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ClickHouseError> {
        let (host, mut answer) = self.begin(statement).await?;
        let mut bytes = Vec::new();
        let failed = |failure| ClickHouseError::of(vec![(host.url().to_owned(), failure)]);
        loop {
            let part = timeout(Duration::from_secs(PART_SECONDS_MAX), answer.chunk()).await;
            let part = part.map_err(|_| failed(Failure::Timeout))?;
            let Some(part) = part.map_err(|error| failed(error.into()))? else {
                return if bytes.is_empty() {
                    Ok(ControlFlow::Continue(()))
                } else {
                    Err(failed(cut_off(&bytes)))
                };
            };
            bytes.extend_from_slice(&part);
            let mut values = Values::new(&bytes);
            loop {
                let before = values.clone();
                match row(&mut values, &parse) {
                    Ok(row) => {
                        if each(row).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    Err(NoRow::Incomplete) => {
                        let rest = before.rest().len();
                        bytes.drain(..bytes.len() - rest);
                        break;
                    }
                    Err(NoRow::Unmarked) => return Err(failed(message(before.rest(), &mut answer).await)),
                }
            }
            if bytes.len() > ROW_BYTES_MAX {
                return Err(failed(Failure::Unreadable));
            }
        }
    }

    async fn begin(&self, statement: &Statement) -> Result<(&Host, Response), ClickHouseError> {
        let mut failures = Vec::new();
        for host in self.by_presence(|_| true) {
            let answer = async {
                let query = vec![
                    ("database", self.database().to_owned()),
                    ("max_execution_time", "0".to_owned()),
                    // Whatever the user's profile says: without a shard this would not be everything.
                    ("skip_unavailable_shards", "0".to_owned()),
                ];
                let request = self.link.request(host.url(), query, statement)?;
                let limit = Duration::from_secs(PART_SECONDS_MAX);
                let mut answer = timeout(limit, request.send()).await.map_err(|_| Failure::Timeout)??;
                if answer.status().is_success() {
                    return Ok(answer);
                }
                let status = answer.status();
                Err(Failure::refused(status, &rest(&[], &mut answer).await))
            };
            match answer.await {
                Ok(answer) => return Ok((host, answer)),
                Err(failure) => {
                    host.note(&failure);
                    failures.push((host.url().to_owned(), failure));
                }
            }
        }
        Err(ClickHouseError::of(failures))
    }
}

enum NoRow {
    /// More is to come.
    Incomplete,
    /// What stands there is no row.
    Unmarked,
}

fn row<'a, T>(
    values: &mut Values<'a>,
    parse: &impl Fn(&mut Values<'a>) -> Result<T, Failure>,
) -> Result<T, NoRow> {
    let row = parse(values).map_err(|_| NoRow::Incomplete)?;
    match values.u32() {
        Ok(MARK) => Ok(row),
        Ok(_) => Err(NoRow::Unmarked),
        Err(_) => Err(NoRow::Incomplete),
    }
}

/// An answer that ends within a row: with the end of a message, or cut off.
fn cut_off(bytes: &[u8]) -> Failure {
    if bytes.windows(CODE.len()).any(|window| window == CODE) { said(bytes) } else { Failure::Unreadable }
}

const CODE: &[u8] = b"Code: ";

/// The message that stands where a row should.
async fn message(begin: &[u8], answer: &mut Response) -> Failure {
    said(&rest(begin, answer).await)
}

fn said(bytes: &[u8]) -> Failure {
    let start = bytes.windows(CODE.len()).position(|window| window == CODE).unwrap_or(0);
    Failure::refused(StatusCode::OK, bytes.get(start..).unwrap_or_default())
}

async fn rest(begin: &[u8], answer: &mut Response) -> Vec<u8> {
    let mut bytes = begin.to_vec();
    while bytes.len() < MESSAGE_BYTES_MAX
        && let Ok(Ok(Some(part))) = timeout(Duration::from_secs(1), answer.chunk()).await
    {
        bytes.extend_from_slice(&part);
    }
    bytes.truncate(MESSAGE_BYTES_MAX);
    bytes
}
