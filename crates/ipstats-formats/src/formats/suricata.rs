//! Suricata EVE JSON: `flow` events, and `netflow` events, which show one direction of a flow each.

use crate::fields::json::{self, Nested, Texts};
use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::flow_rules::{self, Answer, FlowEvidence, TcpFlags};
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
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    src_ip: Scalar<'a>,
    #[serde(borrow)]
    dest_ip: Scalar<'a>,
    src_port: Scalar<'a>,
    dest_port: Scalar<'a>,
    #[serde(borrow)]
    proto: Scalar<'a>,
    icmp_type: Scalar<'a>,
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

/// TCP flags in hexadecimal: of a `netflow` event those of its direction, of a `flow` event those of each.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct TcpSession<'a> {
    #[serde(borrow, rename = "tcp_flags")]
    flags: Scalar<'a>,
    #[serde(borrow, rename = "tcp_flags_ts")]
    to_server: Scalar<'a>,
    #[serde(borrow, rename = "tcp_flags_tc")]
    to_client: Scalar<'a>,
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

impl Record<'_> {
    /// Records the event if it is a flow that its source opened.
    pub(super) fn read_within(&self, around: &Around, reader: &mut Reader<'_>) -> Outcome {
        let (start, progress) = match self.event_type.needed_text("event_type")? {
            "flow" => self.flow()?,
            "netflow" => self.netflow()?,
            // Without a time it may be a record of another format.
            _ if matches!(self.timestamp, Scalar::Null) => {
                return Err(Malformed::Missing { field: "timestamp" }.into());
            }
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
        let answer = Answer::from_packets(flow.pkts_toclient.count());
        let progress = match flow.state.needed_text("flow.state")? {
            "closed" if self.is_refused() => Progress::Attempted,
            // Suricata stopped looking at the packets of what is bypassed; what it had seen until then tells.
            "closed" | "bypassed" => answer.progress(),
            "established" => Progress::Opened,
            "new" => Progress::Attempted,
            _ => return Err(flow.state.is_not("a flow state of Suricata", "flow.state").into()),
        };
        let progress = match self.protocol() {
            Some(protocol @ (flow_rules::ICMP | flow_rules::ICMP_V6)) => {
                let answer = if progress == Progress::Opened { answer } else { Answer::NotSeen };
                flow_rules::icmp_progress(protocol, self.icmp_type(), answer)?
            }
            _ => progress,
        };
        Ok((&flow.start, progress))
    }

    /// A record of one direction: flags and ports show which end opened the flow.
    fn netflow(&self) -> Result<(&Scalar<'_>, Progress), Rejected> {
        let netflow = self.netflow.0.as_ref().ok_or(Malformed::Missing { field: "netflow" })?;
        let flags = self.tcp.0.as_ref().and_then(|tcp| flags(&tcp.flags));
        let evidence = FlowEvidence {
            protocol: self.protocol(),
            source_port: self.src_port.port(),
            destination_port: self.dest_port.port(),
            cumulative_flags: flags.map(|bits| TcpFlags::from_bits(bits.into())),
            icmp_type: self.icmp_type(),
            ..FlowEvidence::default()
        };
        Ok((&netflow.start, evidence.opener()?.source_progress()?))
    }

    fn protocol(&self) -> Option<u8> {
        let names = [
            ("TCP", flow_rules::TCP),
            ("UDP", flow_rules::UDP),
            ("ICMP", flow_rules::ICMP),
            ("IPv6-ICMP", flow_rules::ICMP_V6),
        ];
        match names.into_iter().find(|(name, _)| self.proto.is(name)) {
            Some((_, number)) => Some(number),
            // Another protocol, by name or number.
            None if !self.proto.is_nothing() => {
                Some(self.proto.number().and_then(|number| number.try_into().ok()).unwrap_or(u8::MAX))
            }
            None => None,
        }
    }

    fn icmp_type(&self) -> Option<u8> {
        self.icmp_type.number().and_then(|kind| kind.try_into().ok())
    }

    /// Whether a SYN was answered by a reset: Suricata calls such a flow closed as well.
    fn is_refused(&self) -> bool {
        let flags = |value: &Scalar<'_>| flags(value).unwrap_or(0);
        self.tcp
            .0
            .as_ref()
            .is_some_and(|tcp| flags(&tcp.to_server) & SYN != 0 && flags(&tcp.to_client) & (SYN | RST) == RST)
    }

    fn mac(&self) -> Result<Option<&str>, Malformed> {
        let Some(ether) = &self.ether.0 else { return Ok(None) };
        Ok(ether.src_mac.text("ether.src_mac")?.or_else(|| ether.src_macs.iter().next()))
    }
}

/// The flags of a TCP header, which are written in hexadecimal.
fn flags(value: &Scalar<'_>) -> Option<u8> {
    match value {
        Scalar::Text(hex) => u8::from_str_radix(hex, 16).ok(),
        _ => None,
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
