//! Sysmon's event 3 as Winlogbeat and Elastic Agent send it, before or after a pipeline has moved its fields into ECS.

use crate::fields::json::Nested;
use crate::fields::scalar::Scalar;
use crate::formats::ecs::{Direction, Document};
use crate::formats::sysmon::{self, Device, EventData, NetworkEvent};
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Reader};
use serde::Deserialize;

/// The `winlog` object of a document.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Winlog<'a> {
    #[serde(borrow)]
    event_id: Scalar<'a>,
    #[serde(borrow)]
    provider_name: Scalar<'a>,
    #[serde(borrow)]
    channel: Scalar<'a>,
    #[serde(borrow)]
    computer_name: Scalar<'a>,
    #[serde(borrow)]
    event_data: Nested<EventData<'a>>,
}

impl Winlog<'_> {
    /// Records the event of `document` if it is Sysmon's event 3 and its host opened the connection.
    pub(super) fn read(&self, document: &Document<'_>, reader: &mut Reader<'_>) -> Outcome {
        if self.event_id.number() != Some(sysmon::NETWORK_CONNECTION)
            || !sysmon::is_sysmon(&self.provider_name, &self.channel)
        {
            return Err(NotAConnection::OtherEvent.into());
        }
        let nothing = EventData::default();
        let data = self.event_data.0.as_ref().unwrap_or(&nothing);
        let initiated = match (data.initiated.flag(), document.direction()) {
            (Some(initiated), _) => initiated,
            (None, Direction::Out) => true,
            (None, Direction::In) => false,
            (None, Direction::Unknown) => {
                return Err(Malformed::Missing { field: "winlog.event_data.Initiated" }.into());
            }
        };
        let remote_ip = match data.destination_ip.ip("winlog.event_data.DestinationIp")? {
            Some(ip) => Some(ip),
            None => document.destination_ip()?,
        };
        let at = |zone| match data.utc_time {
            Scalar::Null => document.timestamp.time("@timestamp", zone),
            _ => data.utc_time.time("winlog.event_data.UtcTime", zone),
        };
        NetworkEvent { initiated, remote_ip, at, device: self.device(document)? }.read(reader)
    }

    /// `host.id`, else `agent.id`, else the computer's name. Of an event that was forwarded to a collector, the first two
    /// are the collector's.
    fn device<'a>(&'a self, document: &'a Document<'_>) -> Result<Device<'a>, Malformed> {
        let is_forwarded = document.tags.has("forwarded");
        let id = if is_forwarded { None } else { document.id()? };
        match id {
            Some(id) => Ok(Device::Id(id)),
            None => Ok(Device::Name(self.computer_name.needed_text("winlog.computer_name")?)),
        }
    }
}
