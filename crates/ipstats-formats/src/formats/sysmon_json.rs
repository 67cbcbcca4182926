//! Sysmon's event 3 ("network connection detected") as JSON: flat as NXLog writes it, as Winlogbeat and Elastic Agent
//! send it, and as tools print an EVTX file (`{"Event":…}`).

use crate::fields::json::{self, Nested};
use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::formats::ecs;
use crate::formats::sysmon::{self, Device, NetworkEvent};
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Reader};
use serde::Deserialize;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::SysmonJson,
    recognizes: |keys| {
        (keys.has_top("EventID") && (keys.has_top("SourceName") || keys.has_top("Channel")))
            || (keys.has_top("winlog") && keys.has_top("@timestamp"))
            || (keys.has_top("Event") && keys.has("System") && keys.has("EventID"))
    },
    lists: &[],
    record: read,
    knows_other_events: false,
    wraps: true,
};

/// A Windows event of any of the shapes. NXLog's `EventTime` is local time, and is not read.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow, rename = "EventID")]
    event_id: Scalar<'a>,
    #[serde(borrow, rename = "SourceName")]
    source_name: Scalar<'a>,
    #[serde(borrow, rename = "Channel")]
    channel: Scalar<'a>,
    #[serde(borrow, rename = "Hostname")]
    hostname: Scalar<'a>,
    #[serde(borrow, rename = "Initiated")]
    initiated: Scalar<'a>,
    #[serde(borrow, rename = "DestinationIp")]
    destination_ip: Scalar<'a>,
    #[serde(borrow, rename = "UtcTime")]
    utc_time: Scalar<'a>,
    #[serde(borrow, rename = "Event")]
    event: Nested<sysmon::Event<'a>>,
    /// What only documents of Elastic's shippers have.
    #[serde(borrow, rename = "@timestamp")]
    timestamp: Scalar<'a>,
}

fn read(text: &str, reader: &mut Reader<'_>) -> Outcome {
    let record: Record<'_> = json::object(text)?;
    if let Some(event) = &record.event.0 {
        return event.read(reader);
    }
    if record.event_id.is_nothing() {
        // A stream of Elastic's shippers, in which documents of other kinds occur as well.
        return match record.timestamp {
            Scalar::Null => Err(Malformed::Missing { field: "EventID" }.into()),
            _ => ecs::read(text, reader),
        };
    }
    if record.event_id.number() != Some(sysmon::NETWORK_CONNECTION)
        || !sysmon::is_sysmon(&record.source_name, &record.channel)
    {
        return Err(NotAConnection::OtherEvent.into());
    }
    NetworkEvent {
        initiated: record.initiated.flag().ok_or(Malformed::Missing { field: "Initiated" })?,
        remote_ip: record.destination_ip.ip("DestinationIp")?,
        at: |zone| record.utc_time.time("UtcTime", zone),
        device: Device::Name(record.hostname.needed_text("Hostname")?),
    }
    .read(reader)
}
