//! Suricata EVE JSON: `flow` events, and `netflow` events, which show one direction of a flow each.

use crate::fields::json::{self, Nested, Texts};
use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::format::Format;
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{self, Outcome, Progress, Reader, Rejected};
use ipstats_model::{CanonicalIp, Timestamp};
use serde::Deserialize;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::Suricata,
    recognizes: |keys| keys.has_top("event_type") && keys.has_top("timestamp"),
    lists: &[],
    record: |text, reader| json::object::<Record<'_>>(text)?.read_within(&Around::default(), reader),
    knows_other_events: true,
    wraps: false,
};

/// An EVE record. `timestamp`, when the record was written, and `host`, the sensor, are not read.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    event_type: Scalar<'a>,
    #[serde(borrow)]
    src_ip: Scalar<'a>,
    #[serde(borrow)]
    dest_ip: Scalar<'a>,
    src_port: Scalar<'a>,
    dest_port: Scalar<'a>,
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

/// Ports below this one are assigned to services (RFC 6335).
const SYSTEM_PORTS_END: i64 = 1024;

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

impl Record<'_> {
    /// Records the event if it is a flow that its source opened.
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

    fn flow(&self) -> Result<(&Scalar<'_>, Progress), Rejected> {
        let flow = self.flow.0.as_ref().ok_or(Malformed::Missing { field: "flow" })?;
        let progress = match flow.state.needed_text("flow.state")? {
            "closed" if self.is_refused() => Progress::Attempted,
            // Suricata stopped looking at the packets of what is bypassed; what it had seen until then tells.
            "bypassed" if flow.pkts_toclient.number() == Some(0) => Progress::Attempted,
            "established" | "closed" | "bypassed" => Progress::Opened,
            "new" => Progress::Attempted,
            _ => return Err(flow.state.is_not("a flow state of Suricata", "flow.state").into()),
        };
        Ok((&flow.start, progress))
    }

    /// A record of one direction. Its flags show a refused attempt; the ports show which end serves.
    fn netflow(&self) -> Result<(&Scalar<'_>, Progress), Rejected> {
        let netflow = self.netflow.0.as_ref().ok_or(Malformed::Missing { field: "netflow" })?;
        let is_set = |flag: &Scalar<'_>| flag.flag() == Some(true);
        match &self.tcp.0 {
            Some(tcp) if !is_set(&tcp.syn) => return Ok((&netflow.start, Progress::StartNotSeen)),
            Some(tcp) if !is_set(&tcp.ack) => return Ok((&netflow.start, Progress::Attempted)),
            Some(_) | None => {}
        }
        let is_service = |port: &Scalar<'_>| port.number().map(|port| port < SYSTEM_PORTS_END);
        match (is_service(&self.src_port), is_service(&self.dest_port)) {
            (Some(false), Some(true)) => Ok((&netflow.start, Progress::Opened)),
            (Some(true), Some(false)) => Err(NotAConnection::Inbound.into()),
            _ => Err(NotAConnection::DirectionUnknown.into()),
        }
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
