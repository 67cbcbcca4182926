//! Network events of the Elastic Common Schema, from Elastic's and others' shippers.
//!
//! Who the device is, and what counts, is a matter of the [data set](DataSet). A **host agent** reports what its host did: the device
//! is that host. Everything else is a **sensor or collector**, and `host` is its own: the device is the internal end, as in Zeek.
//! Windows events are read here too: see [`winlog`](super::winlog).

mod action;
mod datasets;
mod document;
mod host_agents;

pub(super) use document::{Direction, Document};

use crate::fields::json;
use crate::fields::scalar::Scalar;
use crate::flow_rules::{self, Answer, FlowEvidence, Opener, TcpFlags};
use crate::format::Format;
use crate::formats::amazon_vpc::{FlowDirection, VpcFlow};
use crate::formats::suricata::Around;
use crate::formats::zeek::{self, Icmp};
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader};
use datasets::DataSet;
use document::{AwsVpcFlow, Event, Netflow, ZeekConnection};
use ipstats_model::CanonicalIp;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::Ecs,
    recognizes: |keys| {
        // Without one of these a document shows no connection: agents ship documents of every kind.
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

/// Reads one document.
pub(super) fn read(text: &str, reader: &mut Reader<'_>) -> Outcome {
    json::object::<Document<'_>>(text)?.read(reader)
}

/// Whether each end is inside, where the document shows it.
type Inside = [Option<bool>; 2];

impl Document<'_> {
    fn read(&self, reader: &mut Reader<'_>) -> Outcome {
        if let Some(winlog) = &self.winlog.0 {
            return winlog.read(self, reader);
        }
        let data_set = DataSet::of(self);
        if let Some(eve) = self.eve() {
            return eve.read_within(&self.around()?, reader);
        }
        match data_set {
            DataSet::Zeek => return self.zeek(reader),
            DataSet::Suricata | DataSet::ManyFlows => return Err(NotAConnection::OtherEvent.into()),
            _ => {}
        }
        if self.zeek.0.is_some() {
            return self.zeek(reader);
        }
        self.check_network_event(data_set)?;
        let (source, destination) = self.ends()?;
        match data_set {
            DataSet::Defender => return self.defender(destination, reader),
            DataSet::CrowdStrike => return self.crowdstrike(destination, reader),
            DataSet::SentinelOne => return self.sentinel_one(destination, reader),
            _ => {}
        }
        let destination = destination.ok_or(NotAConnection::NoRemoteIp)?;
        match data_set {
            DataSet::Host | DataSet::Auditd => self.host(source, destination, reader),
            DataSet::Packetbeat => self.packetbeat(source, destination, reader),
            _ => {
                let source = source.ok_or(NotAConnection::NoRemoteIp)?;
                match data_set {
                    DataSet::Netflow => self.netflow(source, destination, reader),
                    DataSet::AwsVpcFlow => self.aws_vpc_flow(source, destination, reader),
                    DataSet::VpcFlow => self.vpc_flow(source, destination, reader),
                    DataSet::SessionsByInterface => self.session(source, destination, [None, None], reader),
                    _ => self.session(source, destination, self.inside(), reader),
                }
            }
        }
    }

    /// The fields of the document that its event of Suricata lacks.
    fn around(&self) -> Result<Around, Malformed> {
        Ok(Around { ends: self.ends()?, start: self.time().ok() })
    }

    /// Whether this is an event of a connection: the same stream has other events, of this data set and of others.
    fn check_network_event(&self, data_set: DataSet) -> Result<(), NotAConnection> {
        let nothing = Event::default();
        let event = self.event.0.as_ref().unwrap_or(&nothing);
        let is_event = event.kind.is_nothing() || event.kind.is("event");
        let categories = &event.category;
        let is_network = categories.is_empty()
            || ["network", "network_traffic", "network_session"].iter().any(|word| categories.has(word));
        let is_of_set = match data_set {
            DataSet::Auditd => {
                event.action.is_any(&["connected-to", "accepted-connection-from"])
                    || (event.action.is_nothing() && event.kinds.has("connection"))
            }
            DataSet::Packetbeat => {
                let dataset = self.dataset().unwrap_or("flow");
                dataset.rsplit('.').next() == Some("flow") && (self.kind.is_nothing() || self.kind.is("flow"))
            }
            // Their own words decide, not those of ECS.
            DataSet::Defender | DataSet::CrowdStrike | DataSet::SentinelOne => true,
            DataSet::Unknown => self.is_session(event),
            _ => may_be_connection(event),
        };
        if is_event && is_network && is_of_set { Ok(()) } else { Err(NotAConnection::OtherEvent) }
    }

    /// Whether a document of an unknown data set is about a session: by its words, or by its direction where it has none.
    fn is_session(&self, event: &Event<'_>) -> bool {
        const TYPES: [&str; 5] = ["connection", "start", "end", "allowed", "denied"];
        let is_wordless = event.kinds.is_empty() && event.action.is_nothing();
        let is_of_session = TYPES.iter().any(|word| event.kinds.has(word))
            || event.category.has("network_session")
            || self.action().is_some_and(action::is_of_session)
            || (is_wordless && !self.direction_value().is_nothing());
        !event.category.is_empty() && is_of_session && may_be_connection(event)
    }

    /// What a host agent reports of its host. Auditd knows the destination only.
    fn host(
        &self,
        source: Option<CanonicalIp>,
        destination: CanonicalIp,
        reader: &mut Reader<'_>,
    ) -> Outcome {
        match self.direction() {
            Direction::In => return Err(NotAConnection::Inbound.into()),
            Direction::Unknown if source.is_some_and(|source| self.host_has(source)) => {}
            Direction::Unknown if self.host_has(destination) => return Err(NotAConnection::Inbound.into()),
            Direction::Unknown => return Err(NotAConnection::DirectionUnknown.into()),
            Direction::Out => {}
        }
        self.check_icmp()?;
        reader.counts(self.progress())?;
        let device = self.device()?.ok_or(Malformed::Missing { field: "host.id, agent.id or host.name" })?;
        reader.connection(device, destination, self.time()?)
    }

    /// Packetbeat runs on hosts and on sensors alike: the addresses of the host decide.
    fn packetbeat(
        &self,
        source: Option<CanonicalIp>,
        destination: CanonicalIp,
        reader: &mut Reader<'_>,
    ) -> Outcome {
        let source = source.ok_or(NotAConnection::NoRemoteIp)?;
        if self.host_has(source) || self.host_has(destination) {
            self.host(Some(source), destination, reader)
        } else {
            self.session(source, destination, self.inside(), reader)
        }
    }

    /// A session that a sensor, a firewall or a collector saw, and that its source opened.
    fn session(
        &self,
        originator: CanonicalIp,
        responder: CanonicalIp,
        inside: Inside,
        reader: &mut Reader<'_>,
    ) -> Outcome {
        self.check_icmp()?;
        self.flow(originator, responder, inside, self.progress(), reader)
    }

    /// ECS has no field for the type of an ICMP message, and most types are no connection.
    fn check_icmp(&self) -> Result<(), NotAConnection> {
        if self.is_icmp() { Err(NotAConnection::DirectionUnknown) } else { Ok(()) }
    }

    fn flow(
        &self,
        originator: CanonicalIp,
        responder: CanonicalIp,
        [originator_internal, responder_internal]: Inside,
        progress: Progress,
        reader: &mut Reader<'_>,
    ) -> Outcome {
        reader.flow(&Flow {
            at: self.time()?,
            originator,
            responder,
            originator_internal,
            responder_internal,
            originator_name: None,
            originator_mac: self.source_mac()?,
            progress,
        })
    }

    /// Which ends are inside the perimeter. Unlike these words, `egress` and `ingress` are about a host.
    fn inside(&self) -> Inside {
        let direction = self.direction_value();
        let words = [
            ("outbound", [true, false]),
            ("inbound", [false, true]),
            ("internal", [true, true]),
            ("external", [false, false]),
        ];
        let found = words.into_iter().find(|(word, _)| direction.is(word));
        found.map_or([None, None], |(_, inside)| inside.map(Some))
    }

    fn netflow(&self, source: CanonicalIp, destination: CanonicalIp, reader: &mut Reader<'_>) -> Outcome {
        let nothing = Netflow::default();
        let record = self.netflow.0.as_ref().unwrap_or(&nothing);
        let evidence = FlowEvidence {
            cumulative_flags: flags(&record.tcp_control_bits),
            icmp_type: record.icmp_type(self.ports()),
            answer: Answer::from_packets(record.responder_packets.count().or(self.packets()[1])),
            ..self.evidence()
        };
        // Exporters that track connections, or both directions, name the end that opened; RFC 5103.
        let opener = if record.biflow_direction.number() == Some(1) || record.names_initiator() {
            Opener::Source(evidence.answer.progress())
        } else if record.biflow_direction.number() == Some(2) {
            Opener::Destination(evidence.answer.progress())
        } else {
            evidence.opener()?
        };
        let is_denied = record.firewall_event.number() == Some(3);
        let progress = if is_denied { Progress::Attempted } else { self.worse_of(opener.source_progress()?) };
        self.flow(source, destination, [None, None], progress, reader)
    }

    fn vpc_flow(&self, source: CanonicalIp, destination: CanonicalIp, reader: &mut Reader<'_>) -> Outcome {
        let progress = self.worse_of(self.evidence().opener()?.source_progress()?);
        self.flow(source, destination, [None, None], progress, reader)
    }

    fn aws_vpc_flow(
        &self,
        source: CanonicalIp,
        destination: CanonicalIp,
        reader: &mut Reader<'_>,
    ) -> Outcome {
        let nothing = AwsVpcFlow::default();
        let record = self.aws.0.as_ref().and_then(|aws| aws.vpcflow.0.as_ref()).unwrap_or(&nothing);
        if record.log_status.is_any(&["NODATA", "SKIPDATA"]) {
            return Err(NotAConnection::OtherEvent.into());
        }
        let packet_source = record.pkt_srcaddr.ip("aws.vpcflow.pkt_srcaddr")?.unwrap_or(source);
        let packet_destination = record.pkt_dstaddr.ip("aws.vpcflow.pkt_dstaddr")?.unwrap_or(destination);
        let has_direction = |word: &str| record.flow_direction.is(word) || self.direction_value().is(word);
        let instance = match self.instance()? {
            Some(instance) => Some(instance),
            None => record.instance_id.text("aws.vpcflow.instance_id")?,
        };
        let is_unset = |id: &&str| *id != "-";
        VpcFlow {
            is_accepted: !record.action.is("REJECT") && self.progress() == Progress::Opened,
            source: packet_source,
            destination: packet_destination,
            is_source_passed_on: packet_source != source,
            is_destination_passed_on: packet_destination != destination,
            direction: match (has_direction("egress"), has_direction("ingress")) {
                (true, _) => Some(FlowDirection::Egress),
                (_, true) => Some(FlowDirection::Ingress),
                _ => None,
            },
            instance: instance.filter(is_unset),
            interface: record.interface_id.text("aws.vpcflow.interface_id")?.filter(is_unset),
            interface_address: Some(source.text().as_str()),
            evidence: Some(FlowEvidence { opening_flags: flags(&record.tcp_flags), ..self.evidence() }),
            at: || self.time(),
        }
        .read(reader)
    }

    /// Protocol and ports.
    fn evidence(&self) -> FlowEvidence {
        let [source_port, destination_port] = self.ports();
        FlowEvidence { protocol: self.protocol(), source_port, destination_port, ..FlowEvidence::default() }
    }

    /// A document of Zeek: of its logs, only that of connections has their state.
    fn zeek(&self, reader: &mut Reader<'_>) -> Outcome {
        let (connection, state) = self.zeek_connection().ok_or(NotAConnection::OtherEvent)?;
        let Some(state_text) = state.text("zeek.connection.state")? else {
            return Err(NotAConnection::OtherEvent.into());
        };
        let (Some(originator), Some(responder)) = self.ends()? else {
            return Err(NotAConnection::NoRemoteIp.into());
        };
        let progress = match self.protocol() {
            Some(flow_rules::ICMP | flow_rules::ICMP_V6) => {
                self.zeek_icmp(connection).progress(originator)?
            }
            _ => zeek::progress(state_text.as_bytes())
                .ok_or_else(|| state.is_not(zeek::A_CONN_STATE, "zeek.connection.state"))?,
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

    /// The record of Zeek's conn log, and the state in it: Filebeat's and Elastic Agent's, Malcolm's, or Security Onion's.
    fn zeek_connection(&self) -> Option<(&ZeekConnection<'_>, &Scalar<'_>)> {
        let module = self.zeek.0.as_ref();
        let places = [
            module.and_then(|module| module.connection.0.as_ref()),
            module.and_then(|module| module.conn.0.as_ref()),
            self.connection.0.as_ref(),
        ];
        let mut connections = places.into_iter().flatten().map(|connection| (connection, connection.state()));
        connections.find(|(_, state)| !state.is_nothing())
    }

    fn zeek_icmp(&self, connection: &ZeekConnection<'_>) -> Icmp {
        let [source_port, _] = self.ports();
        let [source_packets, destination_packets] = self.packets();
        let message_type = connection.icmp.0.as_ref().and_then(|icmp| icmp.kind.number());
        Icmp {
            message_type: message_type.or(source_port.map(i64::from)).and_then(|kind| kind.try_into().ok()),
            originator_packets: connection.orig_pkts.count().or(source_packets),
            responder_packets: connection.resp_pkts.count().or(destination_packets),
        }
    }

    /// The progress that the rules for flows found, unless the connection was refused.
    fn worse_of(&self, progress: Progress) -> Progress {
        match progress {
            Progress::Opened => self.progress(),
            progress => progress,
        }
    }

    fn progress(&self) -> Progress {
        let Some(event) = &self.event.0 else { return Progress::Opened };
        let is_refused = event.outcome.is_any(&["failure", "deny", "denied", "fail"])
            || event.kinds.has("denied")
            || self.action().is_some_and(action::is_refusal);
        if is_refused || self.is_unanswered() { Progress::Attempted } else { Progress::Opened }
    }

    /// Whether a TCP flow of both directions has no packet back.
    fn is_unanswered(&self) -> bool {
        match (self.protocol(), self.packets()) {
            (Some(flow_rules::TCP), [_, Some(0)]) => true,
            // Packetbeat leaves the packets of the destination out where there is none.
            (Some(flow_rules::TCP), [Some(_), None]) => self.origins()[4] == Some("packetbeat"),
            _ => false,
        }
    }
}

/// Whether the types of an event leave it open that it is about a connection. Events of the firewall itself and translations of
/// addresses are `info`, look-ups of names are `protocol` besides.
fn may_be_connection(event: &Event<'_>) -> bool {
    const OTHER: [&str; 2] = ["info", "protocol"];
    const OTHER_ACTIONS: [&str; 3] = ["lookup_requested", "lookup_result", "http_request"];
    let is_other = |kind: &str| OTHER.iter().any(|other| other.eq_ignore_ascii_case(kind));
    let has_connection_type = event.kinds.is_empty() || !event.kinds.iter().all(is_other);
    has_connection_type && !event.action.is_any(&OTHER_ACTIONS)
}

impl Netflow<'_> {
    /// Whether the exporter tracks connections, whose initiator the source is (Cisco).
    fn names_initiator(&self) -> bool {
        let fields = [&self.initiator_octets, &self.initiator_packets, &self.firewall_event];
        fields.into_iter().any(|field| !field.is_nothing())
    }

    /// The type of the first message: by itself, with the code, or in the destination's port where there is no source's.
    fn icmp_type(&self, ports: [Option<u16>; 2]) -> Option<u8> {
        let byte = |number: Option<i64>| number.and_then(|number| u8::try_from(number).ok());
        let high_byte = |value: &Scalar<'_>| byte(value.number().map(|number| number >> 8));
        byte(self.icmp_type_ipv4.number())
            .or(byte(self.icmp_type_ipv6.number()))
            .or(high_byte(&self.icmp_type_code_ipv4))
            .or(high_byte(&self.icmp_type_code_ipv6))
            .or(match ports {
                [None | Some(0), Some(type_and_code)] => byte(Some(i64::from(type_and_code >> 8))),
                _ => None,
            })
    }
}

/// TCP flags in decimal.
fn flags(value: &Scalar<'_>) -> Option<TcpFlags> {
    value.port().map(TcpFlags::from_bits)
}
