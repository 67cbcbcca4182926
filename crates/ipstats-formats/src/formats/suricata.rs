//! Suricata EVE JSON: `flow` events, and `netflow` events, which show one direction of a flow each.

use crate::fields::json::{self, Nested, Texts};
use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::format::Format;
use crate::formats::JsonFormat;
use crate::halves::Half;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{self, Outcome, Progress, Reader, Rejected};
use ipstats_model::{CanonicalIp, Timestamp};
use memchr::memmem::Finder;
use serde::Deserialize;
use std::sync::LazyLock;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::Suricata,
    recognizes: |keys| keys.has_top("event_type") && keys.has_top("timestamp"),
    lists: &[],
    record: |text, reader| json::object::<Record<'_>>(text)?.read_within(&Around::default(), reader),
    half: Some(half),
};

/// An EVE record. Its `timestamp` is when it was written, which tells no more than which of two records was first, and `host`,
/// which is not read, is the sensor.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    event_type: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    flow_id: Scalar<'a>,
    #[serde(borrow)]
    src_ip: Scalar<'a>,
    #[serde(borrow)]
    dest_ip: Scalar<'a>,
    #[serde(borrow)]
    flow: Nested<Flow<'a>>,
    #[serde(borrow)]
    netflow: Nested<Netflow<'a>>,
    #[serde(borrow)]
    tcp: Nested<TcpSession<'a>>,
    #[serde(borrow)]
    ether: Nested<Ether<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Flow<'a> {
    #[serde(borrow)]
    start: Scalar<'a>,
    #[serde(borrow)]
    state: Scalar<'a>,
    pkts_toclient: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Netflow<'a> {
    #[serde(borrow)]
    start: Scalar<'a>,
}

/// What of a record tells which half of a flow it shows. Most of a `netflow` event does not, and every one is looked at.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Direction<'a> {
    #[serde(borrow)]
    event_type: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    flow_id: Scalar<'a>,
    #[serde(borrow)]
    src_ip: Scalar<'a>,
    #[serde(borrow)]
    dest_ip: Scalar<'a>,
    #[serde(borrow)]
    netflow: Nested<Netflow<'a>>,
}

/// TCP flags. Of a `netflow` event those of its direction, where the ones that are not set are left out; of a `flow` event
/// those of each direction, in hexadecimal.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct TcpSession<'a> {
    syn: Scalar<'a>,
    ack: Scalar<'a>,
    #[serde(borrow)]
    tcp_flags_ts: Scalar<'a>,
    #[serde(borrow)]
    tcp_flags_tc: Scalar<'a>,
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;

/// What the document around a record says where the record itself does not: Filebeat and Elasticsearch move fields.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Source and destination.
    pub(super) ends: (Option<CanonicalIp>, Option<CanonicalIp>),
    /// When the flow started.
    pub(super) start: Option<Timestamp>,
}

/// Link-layer addresses, which are logged with `ethernet: yes`: one a packet, several a flow.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Ether<'a> {
    #[serde(borrow)]
    src_mac: Scalar<'a>,
    #[serde(borrow)]
    src_macs: Texts<'a>,
}

/// Whether a record of any layout could be a `netflow` event: looking is cheaper than reading.
pub(super) fn may_show_half(text: &str) -> bool {
    static NETFLOW: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("netflow"));
    NETFLOW.find(text.as_bytes()).is_some()
}

/// The half of a flow that a `netflow` record shows.
fn half(text: &str) -> Option<Half> {
    may_show_half(text).then_some(())?;
    json::object::<Direction<'_>>(text).ok()?.half(&Around::default())
}

impl<'a> Record<'a> {
    /// Records the event if it is a flow that its source opened; answers do not come here.
    pub(super) fn read_within(&self, around: &Around, reader: &mut Reader<'_>) -> Outcome {
        let (start, progress) = match self.event_type.needed_text("event_type")? {
            "flow" => self.flow()?,
            "netflow" => self.netflow()?,
            _ => return Err(NotAConnection::OtherEvent.into()),
        };
        let (originator, responder) = around.ends(&self.src_ip, &self.dest_ip)?;
        reader.flow(&reader::Flow {
            at: match (start, around.start) {
                (Scalar::Null, Some(start)) => start,
                _ => start.time("flow.start", Zone::Required)?,
            },
            originator,
            responder,
            originator_internal: None,
            responder_internal: None,
            originator_name: None,
            originator_mac: self.mac()?,
            progress,
        })
    }

    pub(super) fn into_direction(self) -> Direction<'a> {
        let Self { event_type, timestamp, flow_id, src_ip, dest_ip, netflow, .. } = self;
        Direction { event_type, timestamp, flow_id, src_ip, dest_ip, netflow }
    }

    fn flow(&self) -> Result<(&Scalar<'_>, Progress), Malformed> {
        let flow = self.flow.0.as_ref().ok_or(Malformed::Missing { field: "flow" })?;
        let progress = match flow.state.needed_text("flow.state")? {
            "closed" if self.is_refused() => Progress::Attempted,
            // Suricata stopped looking at the packets of what is bypassed; what it had seen until then tells.
            "bypassed" if flow.pkts_toclient.number() == Some(0) => Progress::Attempted,
            "established" | "closed" | "bypassed" => Progress::Opened,
            "new" => Progress::Attempted,
            _ => return Err(flow.state.is_not("a flow state of Suricata", "flow.state")),
        };
        Ok((&flow.start, progress))
    }

    /// The half that started the flow. Its flags tell whether there was an answer: nobody acknowledges what did not come.
    fn netflow(&self) -> Result<(&Scalar<'_>, Progress), Malformed> {
        self.flow_id.number().ok_or(Malformed::Missing { field: "flow_id" })?;
        let netflow = self.netflow.0.as_ref().ok_or(Malformed::Missing { field: "netflow" })?;
        let is_set = |flag: &Scalar<'_>| flag.flag() == Some(true);
        let progress = match &self.tcp.0 {
            Some(tcp) if !is_set(&tcp.syn) => Progress::StartNotSeen,
            Some(tcp) if !is_set(&tcp.ack) => Progress::Attempted,
            Some(_) | None => Progress::Opened,
        };
        Ok((&netflow.start, progress))
    }

    /// Whether a SYN was answered by a reset: Suricata calls such a flow closed as well.
    fn is_refused(&self) -> bool {
        let flags = |value: &Scalar<'_>| match value {
            Scalar::Text(hex) => u8::from_str_radix(hex, 16).unwrap_or(0),
            _ => 0,
        };
        self.tcp.0.as_ref().is_some_and(|tcp| {
            flags(&tcp.tcp_flags_ts) & SYN != 0 && flags(&tcp.tcp_flags_tc) & (SYN | RST) == RST
        })
    }

    fn mac(&self) -> Result<Option<&str>, Malformed> {
        let Some(ether) = &self.ether.0 else { return Ok(None) };
        Ok(ether.src_mac.text("ether.src_mac")?.or_else(|| ether.src_macs.iter().next()))
    }
}

impl Direction<'_> {
    /// The half of a flow that a `netflow` event shows; nothing of a `flow` event, which shows both.
    pub(super) fn half(&self, around: &Around) -> Option<Half> {
        if !self.event_type.is("netflow") {
            return None;
        }
        let (source, destination) = around.ends(&self.src_ip, &self.dest_ip).ok()?;
        let netflow = self.netflow.0.as_ref();
        Some(Half {
            flow: self.flow_id.number()?,
            start: netflow.and_then(|netflow| netflow.start.time("start", Zone::Required).ok()),
            source,
            destination,
            written_micros: self.timestamp.micros().unwrap_or_default(),
        })
    }
}

impl Around {
    /// Source and destination of a record that says this of them.
    fn ends(
        &self,
        source: &Scalar<'_>,
        destination: &Scalar<'_>,
    ) -> Result<(CanonicalIp, CanonicalIp), Rejected> {
        let source = source.ip("src_ip")?.or(self.ends.0);
        let destination = destination.ip("dest_ip")?.or(self.ends.1);
        Ok((
            source.ok_or(Malformed::Missing { field: "src_ip" })?,
            destination.ok_or(NotAConnection::NoRemoteIp)?,
        ))
    }
}
