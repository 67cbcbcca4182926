//! Windows' events of connections as Winlogbeat and Elastic Agent send them, before or after a pipeline has moved their fields into ECS.

use crate::fields::json::Nested;
use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::formats::ecs::{Direction, Document};
use crate::formats::event_data::EventData;
use crate::formats::sysmon::{Device, EventKind, NetworkEvent};
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

/// The longest name of a computer before DNS, in bytes: longer ones are cut off (NetBIOS).
const SHORT_NAME_BYTES: usize = 15;

impl Winlog<'_> {
    /// Records the event of `document` if its host opened a connection.
    pub(super) fn read(&self, document: &Document<'_>, reader: &mut Reader<'_>) -> Outcome {
        let kind = EventKind::of(&self.event_id, &self.provider_name, &self.channel)
            .ok_or(NotAConnection::OtherEvent)?;
        let nothing = EventData::default();
        let data = self.event_data.0.as_ref().unwrap_or(&nothing);
        let initiated = match (data.initiated_if_known(kind), document.direction()) {
            (Some(initiated), _) => initiated,
            (None, Direction::Out) => true,
            (None, Direction::In) => false,
            (None, Direction::Unknown) => {
                return Err(Malformed::Missing { field: kind.initiated_field() }.into());
            }
        };
        let remote_ip = match data.remote_ip(kind)? {
            Some(ip) => Some(ip),
            None => document.destination_ip()?,
        };
        let at = || match data.utc_time {
            Scalar::Null => document.timestamp.time("@timestamp", Zone::Utc),
            _ => data.utc_time.time("UtcTime", Zone::Utc),
        };
        let is_icmp = data.is_icmp() || document.is_icmp();
        NetworkEvent { kind, initiated, is_icmp, remote_ip, at, device: self.device(document)? }.read(reader)
    }

    /// `host.id`, else `agent.id`, else the computer's name. Of an event that was forwarded to a collector, the first two
    /// are the collector's.
    fn device<'a>(&'a self, document: &'a Document<'_>) -> Result<Device<'a>, Malformed> {
        let id = if self.is_forwarded(document)? { None } else { document.id()? };
        match id {
            Some(id) => Ok(Device::Id(id)),
            None => Ok(Device::Name(self.computer_name.needed_text("winlog.computer_name")?)),
        }
    }

    /// Whether the host of the document is a collector, and the event that of another computer.
    fn is_forwarded(&self, document: &Document<'_>) -> Result<bool, Malformed> {
        let is_another = match (document.host_name()?, self.computer_name.text("winlog.computer_name")?) {
            (Some(host), Some(computer)) => !is_same_computer(host, computer),
            _ => false,
        };
        Ok(is_another || document.tags.has("forwarded") || self.channel.is("ForwardedEvents"))
    }
}

/// Whether two names are those of one computer: either may lack its domain, and be cut off then.
fn is_same_computer(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let label = |name: &'_ str| name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let have_domains = one.contains('.') && other.contains('.');
    let (one, other) = (label(one), label(other));
    let is_cut = |short: &str, long: &str| short.len() == SHORT_NAME_BYTES && long.starts_with(short);
    !have_domains && (one == other || is_cut(&one, &other) || is_cut(&other, &one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computer_is_known_by_short_and_full_name() {
        for (one, other) in [
            ("WS-17", "ws-17"),
            ("ws-17", "WS-17.corp.example"),
            ("ws-17.corp.example", "WS-17.Corp.Example"),
            ("ACCOUNTING-PC-0", "accounting-pc-0123.corp.example"),
        ] {
            assert!(is_same_computer(one, other) && is_same_computer(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("wec", "PC2.corp"),
            ("ws-1", "ws-17"),
            ("pc.corp.example", "pc.lab.example"),
            ("ACCOUNTING-PC", "accounting-pc-0123.corp.example"),
        ] {
            assert!(!is_same_computer(one, other) && !is_same_computer(other, one), "{one} {other}");
        }
    }
}
