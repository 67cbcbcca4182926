//! Which events of Windows show that their host opened a connection: Sysmon's event 3 ("network connection detected"), and 5156 and
//! 5157 of the Windows Filtering Platform, which permits and blocks connections.

use crate::fields::scalar::Scalar;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Progress, Reader};
use ipstats_model::{CanonicalIp, Timestamp};

/// What an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    /// Sysmon saw a connection.
    Sysmon,
    /// The platform permitted a connection.
    Permitted,
    /// The platform blocked a connection.
    Blocked,
}

/// One such event.
pub(super) struct NetworkEvent<'a, T> {
    pub(super) kind: EventKind,
    /// Whether the host opened the connection. If not, the other side did.
    pub(super) initiated: bool,
    pub(super) is_icmp: bool,
    pub(super) remote_ip: Option<CanonicalIp>,
    /// Reads its time.
    pub(super) at: T,
    pub(super) device: Device<'a>,
}

/// How the host is named.
#[derive(Clone, Copy, Debug)]
pub(super) enum Device<'a> {
    /// By an id, which is used as it is.
    Id(&'a str),
    /// By its host name, whose case means nothing and varies.
    Name(&'a str),
}

impl EventKind {
    const SYSMON_NETWORK_CONNECTION: i64 = 3;
    const PERMITTED: i64 = 5156;
    const BLOCKED: i64 = 5157;

    /// The kind of an event, if it is about a connection.
    pub(super) fn of(event_id: &Scalar<'_>, provider: &Scalar<'_>, channel: &Scalar<'_>) -> Option<Self> {
        match event_id.number()? {
            Self::SYSMON_NETWORK_CONNECTION if is_sysmon(provider, channel) => Some(Self::Sysmon),
            Self::PERMITTED if is_security(provider, channel) => Some(Self::Permitted),
            Self::BLOCKED if is_security(provider, channel) => Some(Self::Blocked),
            _ => None,
        }
    }

    /// The field that shows who opened the connection.
    pub(super) const fn initiated_field(self) -> &'static str {
        match self {
            Self::Sysmon => "Initiated",
            Self::Permitted | Self::Blocked => "Direction",
        }
    }

    /// The names of values and their places among the `count` values of an event's template.
    pub(super) const fn inserts(self, count: usize) -> [(&'static str, usize); 3] {
        // Sysmon puts `RuleName` first since version 5 of the event, which makes 18 values.
        let moved = if count < 18 { 0 } else { 1 };
        match self {
            Self::Sysmon => [("UtcTime", moved), ("Initiated", 6 + moved), ("DestinationIp", 13 + moved)],
            Self::Permitted | Self::Blocked => [("Direction", 2), ("DestAddress", 5), ("Protocol", 7)],
        }
    }
}

impl<T: FnOnce() -> Result<Timestamp, Malformed>> NetworkEvent<'_, T> {
    /// Records the event if its host opened the connection.
    pub(super) fn read(self, reader: &mut Reader<'_>) -> Outcome {
        if !self.initiated {
            return Err(NotAConnection::Inbound.into());
        }
        if self.is_icmp {
            return Err(NotAConnection::DirectionUnknown.into());
        }
        reader.counts(match self.kind {
            EventKind::Sysmon | EventKind::Permitted => Progress::Opened,
            EventKind::Blocked => Progress::Attempted,
        })?;
        let ip = self.remote_ip.ok_or(NotAConnection::NoRemoteIp)?;
        let at = (self.at)()?;
        match self.device {
            Device::Id(id) => reader.connection(id, ip, at),
            Device::Name(name) => reader.lower_case(name, ip, at),
        }
    }
}

/// Whether an event is of Sysmon, on Windows or Linux: by its provider, or by its channel where it has no provider.
fn is_sysmon(provider: &Scalar<'_>, channel: &Scalar<'_>) -> bool {
    const CHANNEL: &str = "Microsoft-Windows-Sysmon/";
    if !provider.is_nothing() {
        return provider.is_any(&["Microsoft-Windows-Sysmon", "Linux-Sysmon"]);
    }
    match channel {
        Scalar::Text(channel) => {
            channel.get(..CHANNEL.len()).is_some_and(|start| start.eq_ignore_ascii_case(CHANNEL))
        }
        _ => false,
    }
}

/// Whether an event is of Windows' auditing, by its provider, or by its channel where it has no provider.
fn is_security(provider: &Scalar<'_>, channel: &Scalar<'_>) -> bool {
    if provider.is_nothing() {
        channel.is("Security")
    } else {
        provider.is("Microsoft-Windows-Security-Auditing")
    }
}
