//! The fields of an ECS document that are read.

use crate::fields::json::{Nested, Texts};
use crate::fields::scalar::{self, Scalar};
use crate::fields::time::Zone;
use crate::flow_rules;
use crate::formats::ecs::host_agents::SentinelOne;
use crate::formats::suricata;
use crate::formats::winlog::Winlog;
use crate::outcome::Malformed;
use ipstats_model::{CanonicalIp, Timestamp};
use serde::Deserialize;

/// A document.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(in crate::formats) struct Document<'a> {
    #[serde(borrow, rename = "@timestamp")]
    pub(in crate::formats) timestamp: Scalar<'a>,
    #[serde(borrow)]
    pub(super) event: Nested<Event<'a>>,
    #[serde(borrow)]
    host: Nested<Host<'a>>,
    #[serde(borrow)]
    device: Nested<DeviceObject<'a>>,
    #[serde(borrow)]
    agent: Nested<Agent<'a>>,
    #[serde(borrow)]
    pub(super) source: Nested<End<'a>>,
    #[serde(borrow)]
    pub(super) destination: Nested<End<'a>>,
    #[serde(borrow)]
    pub(super) network: Nested<Network<'a>>,
    #[serde(borrow)]
    data_stream: Nested<DataStream<'a>>,
    /// What Packetbeat calls the kind of a document.
    #[serde(borrow, rename = "type")]
    pub(super) kind: Scalar<'a>,
    #[serde(borrow)]
    pub(super) cloud: Nested<Cloud<'a>>,
    #[serde(borrow)]
    pub(super) zeek: Nested<ZeekModule<'a>>,
    /// Where Security Onion puts the state of a connection of Zeek.
    #[serde(borrow)]
    pub(super) connection: Nested<ZeekConnection<'a>>,
    #[serde(borrow)]
    suricata: Nested<SuricataModule<'a>>,
    #[serde(borrow, rename = "sentinel_one_cloud_funnel")]
    pub(super) sentinel_one: Nested<SentinelOne<'a>>,
    #[serde(borrow)]
    pub(super) netflow: Nested<Netflow<'a>>,
    #[serde(borrow)]
    pub(super) aws: Nested<Aws<'a>>,
    #[serde(borrow)]
    pub(super) winlog: Nested<Winlog<'a>>,
    #[serde(borrow)]
    pub(in crate::formats) tags: Texts<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) kind: Scalar<'a>,
    #[serde(borrow)]
    pub(super) category: Texts<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kinds: Texts<'a>,
    #[serde(borrow)]
    pub(super) action: Scalar<'a>,
    #[serde(borrow)]
    pub(super) outcome: Scalar<'a>,
    #[serde(borrow)]
    start: Scalar<'a>,
    #[serde(borrow)]
    module: Scalar<'a>,
    #[serde(borrow)]
    provider: Scalar<'a>,
    #[serde(borrow)]
    dataset: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct DataStream<'a> {
    #[serde(borrow)]
    dataset: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Host<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    name: Scalar<'a>,
    #[serde(borrow)]
    hostname: Scalar<'a>,
    #[serde(borrow)]
    ip: Texts<'a>,
}

/// The machine that an event is about, where `host` is not.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct DeviceObject<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
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
pub(super) struct End<'a> {
    #[serde(borrow)]
    pub(super) ip: Scalar<'a>,
    #[serde(borrow)]
    mac: Scalar<'a>,
    #[serde(borrow)]
    pub(super) port: Scalar<'a>,
    pub(super) packets: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Network<'a> {
    #[serde(borrow)]
    pub(super) direction: Scalar<'a>,
    #[serde(borrow)]
    transport: Scalar<'a>,
    #[serde(borrow)]
    iana_number: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Cloud<'a> {
    #[serde(borrow)]
    instance: Nested<CloudInstance<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct CloudInstance<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
}

/// What Filebeat's Zeek module and Malcolm keep of a record of Zeek.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct ZeekModule<'a> {
    #[serde(borrow)]
    pub(super) connection: Nested<ZeekConnection<'a>>,
    #[serde(borrow)]
    pub(super) conn: Nested<ZeekConnection<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct ZeekConnection<'a> {
    #[serde(borrow)]
    pub(super) ts: Scalar<'a>,
    #[serde(borrow)]
    state: Scalar<'a>,
    #[serde(borrow)]
    conn_state: Scalar<'a>,
    #[serde(borrow)]
    pub(super) local_orig: Scalar<'a>,
    #[serde(borrow)]
    pub(super) local_resp: Scalar<'a>,
    #[serde(borrow)]
    pub(super) orig_pkts: Scalar<'a>,
    #[serde(borrow)]
    pub(super) resp_pkts: Scalar<'a>,
    #[serde(borrow)]
    pub(super) icmp: Nested<ZeekIcmp<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct ZeekIcmp<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct SuricataModule<'a> {
    #[serde(borrow)]
    eve: Nested<suricata::Record<'a>>,
}

/// Information elements of NetFlow and IPFIX.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Netflow<'a> {
    #[serde(borrow)]
    pub(super) tcp_control_bits: Scalar<'a>,
    #[serde(borrow)]
    pub(super) icmp_type_ipv4: Scalar<'a>,
    #[serde(borrow)]
    pub(super) icmp_type_ipv6: Scalar<'a>,
    #[serde(borrow)]
    pub(super) icmp_type_code_ipv4: Scalar<'a>,
    #[serde(borrow)]
    pub(super) icmp_type_code_ipv6: Scalar<'a>,
    pub(super) biflow_direction: Scalar<'a>,
    pub(super) firewall_event: Scalar<'a>,
    pub(super) initiator_octets: Scalar<'a>,
    pub(super) initiator_packets: Scalar<'a>,
    pub(super) responder_packets: Scalar<'a>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct Aws<'a> {
    #[serde(borrow)]
    pub(super) vpcflow: Nested<AwsVpcFlow<'a>>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct AwsVpcFlow<'a> {
    #[serde(borrow)]
    pub(super) action: Scalar<'a>,
    #[serde(borrow)]
    pub(super) log_status: Scalar<'a>,
    #[serde(borrow)]
    pub(super) tcp_flags: Scalar<'a>,
    #[serde(borrow)]
    pub(super) flow_direction: Scalar<'a>,
    #[serde(borrow)]
    pub(super) instance_id: Scalar<'a>,
    #[serde(borrow)]
    pub(super) interface_id: Scalar<'a>,
    #[serde(borrow)]
    pub(super) pkt_srcaddr: Scalar<'a>,
    #[serde(borrow)]
    pub(super) pkt_dstaddr: Scalar<'a>,
}

/// Who opened a connection, from where the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::formats) enum Direction {
    /// The host.
    Out,
    /// The other side.
    In,
    /// Not in the document.
    Unknown,
}

impl<'a> Document<'a> {
    /// What names the data set: `event.dataset`, `event.module`, `event.provider`, `data_stream.dataset`, `agent.type`.
    pub(super) fn origins(&self) -> [Option<&str>; 5] {
        let event = self.event.0.as_ref();
        let scalars = [
            event.map(|event| &event.dataset),
            event.map(|event| &event.module),
            event.map(|event| &event.provider),
            self.data_stream.0.as_ref().map(|stream| &stream.dataset),
            self.agent.0.as_ref().map(|agent| &agent.kind),
        ];
        scalars.map(|scalar| scalar.and_then(Scalar::as_text))
    }

    /// `event.dataset`, else `data_stream.dataset`.
    pub(super) fn dataset(&self) -> Option<&str> {
        let [dataset, _, _, stream, _] = self.origins();
        dataset.or(stream)
    }

    pub(super) fn eve(&self) -> Option<&suricata::Record<'a>> {
        self.suricata.0.as_ref()?.eve.0.as_ref()
    }

    /// `event.start`, else when the event happened.
    pub(super) fn time(&self) -> Result<Timestamp, Malformed> {
        match self.event.0.as_ref().map(|event| &event.start) {
            Some(start) if !start.is_nothing() => start.time("event.start", Zone::Utc),
            _ => self.timestamp.time("@timestamp", Zone::Utc),
        }
    }

    pub(super) fn direction_value(&self) -> &Scalar<'a> {
        self.network.0.as_ref().map_or(&Scalar::Null, |network| &network.direction)
    }

    pub(in crate::formats) fn direction(&self) -> Direction {
        let direction = self.direction_value();
        if direction.is_any(&["egress", "outbound", "outgoing"]) {
            return Direction::Out;
        }
        if direction.is_any(&["ingress", "inbound", "incoming", "listening"]) {
            return Direction::In;
        }
        // What Elastic Defend and auditd call them; `connection_attempted` is the word of the first for one that was opened.
        match self.event.0.as_ref().map(|event| &event.action) {
            Some(action) if action.is_any(&["connection_attempted", "connected-to"]) => Direction::Out,
            Some(action) if action.is_any(&["connection_accepted", "accepted-connection-from"]) => {
                Direction::In
            }
            _ => Direction::Unknown,
        }
    }

    /// `event.action`.
    pub(super) fn action(&self) -> Option<&str> {
        self.event.0.as_ref()?.action.as_text()
    }

    /// The number of the protocol above IP.
    pub(super) fn protocol(&self) -> Option<u8> {
        let network = self.network.0.as_ref()?;
        if let Some(number) = network.iana_number.number() {
            return number.try_into().ok();
        }
        let names = [
            ("tcp", flow_rules::TCP),
            ("udp", flow_rules::UDP),
            ("icmp", flow_rules::ICMP),
            ("ipv6-icmp", flow_rules::ICMP_V6),
            ("icmp6", flow_rules::ICMP_V6),
            ("icmpv6", flow_rules::ICMP_V6),
        ];
        names.into_iter().find(|(name, _)| network.transport.is(name)).map(|(_, number)| number)
    }

    pub(in crate::formats) fn is_icmp(&self) -> bool {
        matches!(self.protocol(), Some(flow_rules::ICMP | flow_rules::ICMP_V6))
    }

    /// `host.id`, else `agent.id`, else `host.name`.
    pub(super) fn device(&self) -> Result<Option<&str>, Malformed> {
        match self.id()? {
            Some(id) => Ok(Some(id)),
            None => self.host_name(),
        }
    }

    /// `host.id`, else `agent.id`.
    pub(in crate::formats) fn id(&self) -> Result<Option<&str>, Malformed> {
        match self.host_id()? {
            Some(id) => Ok(Some(id)),
            None => text_in(self.agent.0.as_ref().map(|agent| &agent.id), "agent.id"),
        }
    }

    pub(super) fn host_id(&self) -> Result<Option<&str>, Malformed> {
        text_in(self.host.0.as_ref().map(|host| &host.id), "host.id")
    }

    pub(super) fn device_id(&self) -> Result<Option<&str>, Malformed> {
        text_in(self.device.0.as_ref().map(|device| &device.id), "device.id")
    }

    pub(super) fn hostname(&self) -> Result<Option<&str>, Malformed> {
        text_in(self.host.0.as_ref().map(|host| &host.hostname), "host.hostname")
    }

    pub(in crate::formats) fn host_name(&self) -> Result<Option<&str>, Malformed> {
        text_in(self.host.0.as_ref().map(|host| &host.name), "host.name")
    }

    /// `cloud.instance.id`.
    pub(super) fn instance(&self) -> Result<Option<&str>, Malformed> {
        let instance = self.cloud.0.as_ref().and_then(|cloud| cloud.instance.0.as_ref());
        text_in(instance.map(|instance| &instance.id), "cloud.instance.id")
    }

    /// The addresses of source and destination.
    pub(super) fn ends(&self) -> Result<(Option<CanonicalIp>, Option<CanonicalIp>), Malformed> {
        let source = self.source.0.as_ref().map(|end| end.ip.ip("source.ip")).transpose()?;
        Ok((source.flatten(), self.destination_ip()?))
    }

    pub(in crate::formats) fn destination_ip(&self) -> Result<Option<CanonicalIp>, Malformed> {
        Ok(self.destination.0.as_ref().map(|end| end.ip.ip("destination.ip")).transpose()?.flatten())
    }

    pub(super) fn source_mac(&self) -> Result<Option<&str>, Malformed> {
        text_in(self.source.0.as_ref().map(|end| &end.mac), "source.mac")
    }

    pub(super) fn ports(&self) -> [Option<u16>; 2] {
        [&self.source, &self.destination].map(|end| end.0.as_ref()?.port.port())
    }

    /// Packets of source and destination.
    pub(super) fn packets(&self) -> [Option<u64>; 2] {
        [&self.source, &self.destination].map(|end| end.0.as_ref()?.packets.count())
    }

    pub(super) fn host_has(&self, ip: CanonicalIp) -> bool {
        let is_it = |text: &str| scalar::ip(text.as_bytes()) == Some(ip);
        self.host.0.as_ref().is_some_and(|host| host.ip.iter().any(is_it))
    }
}

impl<'a> ZeekConnection<'a> {
    /// The state of the connection, by either name.
    pub(super) const fn state(&self) -> &Scalar<'a> {
        match self.state {
            Scalar::Null => &self.conn_state,
            _ => &self.state,
        }
    }
}

fn text_in<'a>(value: Option<&'a Scalar<'_>>, field: &'static str) -> Result<Option<&'a str>, Malformed> {
    value.map_or(Ok(None), |value| value.text(field))
}
