//! osquery's `socket_events` and `bpf_socket_events`, as its result log writes them: an event a record, a batch of differences, or a snapshot.

use crate::fields::json::{self, Many, Nested};
use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::format::Format;
use crate::grammar::JsonFormat;
use crate::outcome::NotAConnection;
use crate::reader::{Outcome, Progress, Reader};
use serde::Deserialize;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::Osquery,
    recognizes: |keys| {
        let has_any = |names: &[&str]| names.iter().any(|name| keys.has_top(name));
        let is_identified = has_any(&["hostIdentifier", "host_identifier"]);
        let is_timed = has_any(&["unixTime", "unix_time"]);
        (is_identified || is_timed) && has_any(&["columns", "snapshot", "diffResults"])
            || is_identified && is_timed
    },
    lists: &[],
    record: |text, reader| json::object::<Results<'_>>(text)?.read(reader),
    knows_other_events: false,
    wraps: false,
};

/// A record of the result log.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Results<'a> {
    #[serde(borrow, rename = "hostIdentifier", alias = "host_identifier")]
    host_identifier: Scalar<'a>,
    #[serde(borrow, rename = "unixTime", alias = "unix_time")]
    unix_time: Scalar<'a>,
    #[serde(borrow)]
    action: Scalar<'a>,
    /// One row (`--logger_event_type`, the default).
    #[serde(borrow)]
    columns: Nested<Row<'a>>,
    /// The rows of a query that is logged as a snapshot.
    #[serde(borrow)]
    snapshot: Many<Row<'a>>,
    /// All differences of a query at once (`--nologger_event_type`).
    #[serde(borrow, rename = "diffResults")]
    differences: Nested<Differences<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Differences<'a> {
    #[serde(borrow)]
    added: Many<Row<'a>>,
}

/// A row of `socket_events`, or of `bpf_socket_events`, which has `syscall` and `exit_code` in place of `action` and `status`.
/// Other tables have no such columns.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Row<'a> {
    #[serde(borrow)]
    action: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    /// The predecessor of `status`.
    #[serde(borrow)]
    success: Scalar<'a>,
    #[serde(borrow)]
    syscall: Scalar<'a>,
    #[serde(borrow)]
    exit_code: Scalar<'a>,
    #[serde(borrow)]
    remote_address: Scalar<'a>,
    #[serde(borrow)]
    time: Scalar<'a>,
}

impl Results<'_> {
    fn read(&self, reader: &mut Reader<'_>) -> Outcome {
        // Events are only ever added. What a query calls removed is not news.
        if self.action.is("removed") {
            return Err(NotAConnection::OtherEvent.into());
        }
        let differences = self.differences.0.as_ref().map_or(&[][..], |rows| &rows.added.0);
        let rows = self.columns.0.iter().chain(&self.snapshot.0).chain(differences);
        reader.each(rows, |row, reader| self.row(row, reader))
    }

    fn row(&self, row: &Row<'_>, reader: &mut Reader<'_>) -> Outcome {
        reader.counts(row.progress()?)?;
        let ip = row.remote_address.ip("remote_address")?.ok_or(NotAConnection::NoRemoteIp)?;
        let device = self.host_identifier.needed_text("hostIdentifier")?;
        let at = if row.time.is_nothing() {
            self.unix_time.time("unixTime", Zone::Utc)?
        } else {
            row.time.time("time", Zone::Utc)?
        };
        reader.connection(device, ip, at)
    }
}

impl Row<'_> {
    fn progress(&self) -> Result<Progress, NotAConnection> {
        let is_bpf = self.action.is_nothing();
        let call = if is_bpf { &self.syscall } else { &self.action };
        if call.is_any(&["accept", "accept4"]) {
            return Err(NotAConnection::Inbound);
        }
        if call.is_any(&["bind", "listen"]) {
            return Err(NotAConnection::Listening);
        }
        if !call.is("connect") {
            return Err(NotAConnection::OtherEvent);
        }
        // `in_progress` (in BPF the exit code EINPROGRESS) is a socket that does not block: how it went on is not logged.
        let opened = match &self.status {
            _ if is_bpf => self.exit_code.number() == Some(0),
            status if !status.is_nothing() => status.is("succeeded"),
            _ => self.success.number() == Some(1),
        };
        Ok(if opened { Progress::Opened } else { Progress::Attempted })
    }
}
