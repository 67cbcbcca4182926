//! What Sysmon's event 3 says, whatever way it was shipped.

use crate::fields::json::Nested;
use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Progress, Reader};
use ipstats_model::{CanonicalIp, Timestamp};
use serde::Deserialize;

/// The event "network connection detected".
pub(super) const NETWORK_CONNECTION: i64 = 3;

/// One such event.
pub(super) struct NetworkEvent<'a, T> {
    /// Whether the host opened the connection. If not, the other side did.
    pub(super) initiated: bool,
    pub(super) remote_ip: Option<CanonicalIp>,
    /// Reads its time, where a time without a zone means this.
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

/// An event as Windows structures it (`Event` in XML), which EVTX files hold and tools print as JSON.
#[derive(Deserialize, Default, Debug)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    system: Nested<System<'a>>,
    #[serde(borrow)]
    event_data: Nested<EventData<'a>>,
}

/// What all events have. Its `TimeCreated` is when it was written, which can be months after the connection, and is not read.
#[derive(Deserialize, Default, Debug)]
#[serde(default, rename_all = "PascalCase")]
struct System<'a> {
    #[serde(borrow, rename = "EventID")]
    event_id: Scalar<'a>,
    #[serde(borrow)]
    channel: Scalar<'a>,
    #[serde(borrow)]
    provider: Nested<Provider<'a>>,
    #[serde(borrow)]
    computer: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Provider<'a> {
    #[serde(borrow, rename = "#attributes")]
    attributes: Nested<ProviderAttributes<'a>>,
    #[serde(borrow, rename = "Name", alias = "@Name")]
    name: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct ProviderAttributes<'a> {
    #[serde(borrow, rename = "Name")]
    name: Scalar<'a>,
}

/// What event 3 has.
#[derive(Deserialize, Default, Debug)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct EventData<'a> {
    #[serde(borrow)]
    pub(super) initiated: Scalar<'a>,
    #[serde(borrow)]
    pub(super) destination_ip: Scalar<'a>,
    #[serde(borrow)]
    pub(super) utc_time: Scalar<'a>,
}

impl<T: FnOnce(Zone) -> Result<Timestamp, Malformed>> NetworkEvent<'_, T> {
    /// Records the event if its host opened the connection.
    pub(super) fn read(self, reader: &mut Reader<'_>) -> Outcome {
        if !self.initiated {
            return Err(NotAConnection::Inbound.into());
        }
        reader.counts(Progress::Opened)?;
        let ip = self.remote_ip.ok_or(NotAConnection::NoRemoteIp)?;
        let at = (self.at)(Zone::Utc)?;
        match self.device {
            Device::Id(id) => reader.connection(id, ip, at),
            Device::Name(name) => reader.lower_case(name, ip, at),
        }
    }
}

impl Event<'_> {
    /// Records the event if it is Sysmon's event 3 and its host opened the connection.
    pub(super) fn read(&self, reader: &mut Reader<'_>) -> Outcome {
        let system = self.system.0.as_ref().ok_or(Malformed::Missing { field: "Event.System" })?;
        if system.event_id.number() != Some(NETWORK_CONNECTION)
            || !is_sysmon(system.provider_name(), &system.channel)
        {
            return Err(NotAConnection::OtherEvent.into());
        }
        let data = self.event_data.0.as_ref().ok_or(Malformed::Missing { field: "Event.EventData" })?;
        NetworkEvent {
            initiated: data.initiated.flag().ok_or(Malformed::Missing { field: "EventData.Initiated" })?,
            remote_ip: data.destination_ip.ip("EventData.DestinationIp")?,
            at: |zone| data.utc_time.time("EventData.UtcTime", zone),
            device: Device::Name(system.computer.needed_text("System.Computer")?),
        }
        .read(reader)
    }
}

impl<'a> System<'a> {
    fn provider_name(&self) -> &Scalar<'a> {
        match &self.provider.0 {
            Some(Provider { attributes: Nested(Some(attributes)), .. }) => &attributes.name,
            Some(provider) => &provider.name,
            None => &Scalar::Null,
        }
    }
}

/// Whether an event is of Sysmon, on Windows or Linux: by its provider, or by its channel where that is not said.
pub(super) fn is_sysmon(provider: &Scalar<'_>, channel: &Scalar<'_>) -> bool {
    match (provider, channel) {
        (Scalar::Text(provider), _) if !provider.is_empty() => {
            provider == "Microsoft-Windows-Sysmon" || provider == "Linux-Sysmon"
        }
        (_, Scalar::Text(channel)) => channel.starts_with("Microsoft-Windows-Sysmon/"),
        _ => false,
    }
}
