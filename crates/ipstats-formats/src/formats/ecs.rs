//! Network events of the Elastic Common Schema: Elastic Defend (endpoint), Auditbeat, Packetbeat, and the Zeek and Suricata
//! modules of Filebeat. Windows events of Winlogbeat and Elastic Agent are read here too: see [`winlog`](super::winlog).
//!
//! Two kinds of sources write ECS. A **host agent** tells what its host did: the device is `host.id`. A **network sensor**
//! tells what passed by, and `host` is the sensor itself: the device is the internal end, as in Zeek.

use crate::fields::json::{self, Nested, Texts};
use crate::fields::scalar::{self, Scalar};
use crate::fields::time::Zone;
use crate::format::Format;
use crate::formats::suricata::{self, Around};
use crate::formats::winlog::Winlog;
use crate::formats::zeek;
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader};
use ipstats_model::{CanonicalIp, Timestamp};
use serde::Deserialize;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::Ecs,
    recognizes: |keys| {
        // Without one of these a document says nothing of a connection: agents ship documents of every kind.
        let parts = ["source", "destination", "network", "zeek", "suricata", "winlog"];
        let marks = ["@timestamp", "ecs", "agent", "event"];
        let has_any = |names: &[&str]| names.iter().any(|name| keys.has_top(name));
        has_any(&marks) && has_any(&parts)
    },
    lists: &[],
    record: read,
    knows_other_events: false,
    wraps: true,
};

/// A document.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Document<'a> {
    #[serde(borrow, rename = "@timestamp")]
    pub(super) timestamp: Scalar<'a>,
    #[serde(borrow)]
    event: Nested<Event<'a>>,
    #[serde(borrow)]
    host: Nested<Host<'a>>,
    #[serde(borrow)]
    agent: Nested<Agent<'a>>,
    #[serde(borrow)]
    source: Nested<End<'a>>,
    #[serde(borrow)]
    destination: Nested<End<'a>>,
    #[serde(borrow)]
    network: Nested<Network<'a>>,
    /// The device that observed the event, where it is not the host: its presence tells a sensor.
    #[serde(borrow)]
    observer: Nested<Observer<'a>>,
    #[serde(borrow)]
    zeek: Nested<ZeekModule<'a>>,
    #[serde(borrow)]
    suricata: Nested<SuricataModule<'a>>,
    #[serde(borrow)]
    winlog: Nested<Winlog<'a>>,
    #[serde(borrow)]
    pub(super) tags: Texts<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    kind: Scalar<'a>,
    #[serde(borrow)]
    category: Texts<'a>,
    #[serde(borrow, rename = "type")]
    kinds: Texts<'a>,
    #[serde(borrow)]
    action: Scalar<'a>,
    #[serde(borrow)]
    outcome: Scalar<'a>,
    #[serde(borrow)]
    start: Scalar<'a>,
    #[serde(borrow)]
    module: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Host<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    name: Scalar<'a>,
    #[serde(borrow)]
    ip: Texts<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Agent<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct End<'a> {
    #[serde(borrow)]
    ip: Scalar<'a>,
    #[serde(borrow)]
    mac: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Network<'a> {
    #[serde(borrow)]
    direction: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Observer<'a> {
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
}

/// What Filebeat's Zeek module keeps of a record before an ingest pipeline of Elasticsearch has seen it.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct ZeekModule<'a> {
    #[serde(borrow)]
    connection: Nested<ZeekConnection<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct ZeekConnection<'a> {
    #[serde(borrow)]
    ts: Scalar<'a>,
    #[serde(borrow, alias = "conn_state")]
    state: Scalar<'a>,
    #[serde(borrow)]
    local_orig: Scalar<'a>,
    #[serde(borrow)]
    local_resp: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct SuricataModule<'a> {
    #[serde(borrow)]
    eve: Nested<suricata::Record<'a>>,
}

/// Who opened a connection, from where the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The host.
    Out,
    /// The other side.
    In,
    /// Not said.
    Unknown,
}

/// Reads one document.
pub(super) fn read(text: &str, reader: &mut Reader<'_>) -> Outcome {
    json::object::<Document<'_>>(text)?.read(reader)
}

impl Document<'_> {
    fn read(&self, reader: &mut Reader<'_>) -> Outcome {
        if let Some(winlog) = &self.winlog.0 {
            return winlog.read(self, reader);
        }
        if let Some(eve) = self.eve() {
            return eve.read_within(&self.around()?, reader);
        }
        if let Some(connection) = self.zeek.0.as_ref().and_then(|module| module.connection.0.as_ref()) {
            return self.zeek_connection(connection, reader);
        }
        self.is_network_event()?;
        let (Some(source), Some(destination)) = self.ends()? else {
            return Err(NotAConnection::NoRemoteIp.into());
        };
        if self.is_of_host(source, destination) {
            self.of_host(source, destination, reader)
        } else {
            self.of_sensor(source, destination, reader)
        }
    }

    fn eve(&self) -> Option<&suricata::Record<'_>> {
        self.suricata.0.as_ref()?.eve.0.as_ref()
    }

    /// What the document says of the event of Suricata in it.
    fn around(&self) -> Result<Around, Malformed> {
        Ok(Around { ends: self.ends()?, start: self.time().ok() })
    }

    /// Whether this is an event of the network at all: other data sets come in the same stream.
    fn is_network_event(&self) -> Result<(), NotAConnection> {
        let Some(event) = &self.event.0 else { return Ok(()) };
        let is_event = event.kind.is_nothing() || event.kind.is("event");
        let categories = &event.category;
        let is_network =
            categories.is_empty() || categories.has("network") || categories.has("network_traffic");
        if is_event && is_network { Ok(()) } else { Err(NotAConnection::OtherEvent) }
    }

    /// Whether `host` is an end of the connection, and not a sensor that saw it pass.
    ///
    /// Packetbeat runs on hosts and on sensors alike: there, the addresses of the host tell.
    fn is_of_host(&self, source: CanonicalIp, destination: CanonicalIp) -> bool {
        let module = self.event.0.as_ref().map_or(&Scalar::Null, |event| &event.module);
        let agent = self.agent.0.as_ref().map_or(&Scalar::Null, |agent| &agent.kind);
        let observer = self.observer.0.as_ref().map_or(&Scalar::Null, |observer| &observer.kind);
        if agent.is("packetbeat") || observer.is("packetbeat") {
            return self.host_has(source) || self.host_has(destination);
        }
        let is_sensor = module.is("zeek") || module.is("suricata") || module.is("netflow");
        !is_sensor && observer.is_nothing()
    }

    fn of_host(&self, source: CanonicalIp, destination: CanonicalIp, reader: &mut Reader<'_>) -> Outcome {
        match self.direction() {
            Direction::In => return Err(NotAConnection::Inbound.into()),
            Direction::Unknown if self.host_has(source) => {}
            Direction::Unknown if self.host_has(destination) => return Err(NotAConnection::Inbound.into()),
            Direction::Unknown => return Err(NotAConnection::DirectionUnknown.into()),
            Direction::Out => {}
        }
        reader.counts(self.progress())?;
        let Some(device) = self.device()? else {
            return Err(Malformed::Missing { field: "host.id, agent.id or host.name" }.into());
        };
        reader.connection(device, destination, self.time()?)
    }

    fn of_sensor(&self, source: CanonicalIp, destination: CanonicalIp, reader: &mut Reader<'_>) -> Outcome {
        // Unlike `egress` and `ingress`, which are about a host, these words tell which ends are inside the perimeter.
        let (originator_internal, responder_internal) = match self.direction_text() {
            Some("outbound") => (Some(true), Some(false)),
            Some("inbound") => (Some(false), Some(true)),
            Some("internal") => (Some(true), Some(true)),
            Some("external") => (Some(false), Some(false)),
            _ => (None, None),
        };
        reader.flow(&Flow {
            at: self.time()?,
            originator: source,
            responder: destination,
            originator_internal,
            responder_internal,
            originator_name: None,
            originator_mac: self.source_mac()?,
            progress: self.progress(),
        })
    }

    fn zeek_connection(&self, connection: &ZeekConnection<'_>, reader: &mut Reader<'_>) -> Outcome {
        let Some(state) = connection.state.text("zeek.connection.state")? else {
            return Err(NotAConnection::OtherEvent.into());
        };
        let progress = zeek::progress(state.as_bytes())
            .ok_or_else(|| connection.state.is_not(zeek::A_CONN_STATE, "zeek.connection.state"))?;
        let (Some(originator), Some(responder)) = self.ends()? else {
            return Err(NotAConnection::NoRemoteIp.into());
        };
        reader.flow(&Flow {
            at: match connection.ts {
                Scalar::Null => self.time()?,
                _ => connection.ts.time_or_millis("zeek.connection.ts")?,
            },
            originator,
            responder,
            originator_internal: connection.local_orig.flag(),
            responder_internal: connection.local_resp.flag(),
            originator_name: None,
            originator_mac: self.source_mac()?,
            progress,
        })
    }

    /// `event.start`, else when the event happened.
    fn time(&self) -> Result<Timestamp, Malformed> {
        match self.event.0.as_ref().map(|event| &event.start) {
            Some(start) if !start.is_nothing() => start.time("event.start", Zone::Utc),
            _ => self.timestamp.time("@timestamp", Zone::Utc),
        }
    }

    fn progress(&self) -> Progress {
        let Some(event) = &self.event.0 else { return Progress::Opened };
        if event.outcome.is("failure") || event.kinds.has("denied") {
            Progress::Attempted
        } else {
            Progress::Opened
        }
    }

    fn direction_text(&self) -> Option<&str> {
        match self.network.0.as_ref().map(|network| &network.direction) {
            Some(Scalar::Text(text)) => Some(text.as_ref()),
            _ => None,
        }
    }

    pub(super) fn direction(&self) -> Direction {
        match self.direction_text() {
            Some("egress" | "outbound" | "outgoing") => Direction::Out,
            Some("ingress" | "inbound" | "incoming" | "listening") => Direction::In,
            // What Elastic Defend calls them; `connection_attempted` is its word for one that was opened.
            _ => match self.event.0.as_ref().map(|event| &event.action) {
                Some(action) if action.is("connection_attempted") => Direction::Out,
                Some(action) if action.is("connection_accepted") => Direction::In,
                _ => Direction::Unknown,
            },
        }
    }

    /// `host.id`, else `agent.id`, else `host.name`.
    fn device(&self) -> Result<Option<&str>, Malformed> {
        match self.id()? {
            Some(id) => Ok(Some(id)),
            None => text_in(self.host.0.as_ref().map(|host| &host.name), "host.name"),
        }
    }

    /// `host.id`, else `agent.id`.
    pub(super) fn id(&self) -> Result<Option<&str>, Malformed> {
        match text_in(self.host.0.as_ref().map(|host| &host.id), "host.id")? {
            Some(id) => Ok(Some(id)),
            None => text_in(self.agent.0.as_ref().map(|agent| &agent.id), "agent.id"),
        }
    }

    /// The addresses of source and destination.
    fn ends(&self) -> Result<(Option<CanonicalIp>, Option<CanonicalIp>), Malformed> {
        let source = self.source.0.as_ref().map(|end| end.ip.ip("source.ip")).transpose()?;
        Ok((source.flatten(), self.destination_ip()?))
    }

    pub(super) fn destination_ip(&self) -> Result<Option<CanonicalIp>, Malformed> {
        Ok(self.destination.0.as_ref().map(|end| end.ip.ip("destination.ip")).transpose()?.flatten())
    }

    fn source_mac(&self) -> Result<Option<&str>, Malformed> {
        text_in(self.source.0.as_ref().map(|end| &end.mac), "source.mac")
    }

    fn host_has(&self, ip: CanonicalIp) -> bool {
        let is_it = |text: &str| scalar::ip(text.as_bytes()) == Some(ip);
        self.host.0.as_ref().is_some_and(|host| host.ip.iter().any(is_it))
    }
}

fn text_in<'a>(value: Option<&'a Scalar<'_>>, field: &'static str) -> Result<Option<&'a str>, Malformed> {
    value.map_or(Ok(None), |value| value.text(field))
}
