//! OCSF Network Activity (class 4001), from any product that writes it.

use crate::fields::json::{self, Nested};
use crate::fields::scalar::Scalar;
use crate::flow_rules::{self, FlowEvidence, Opener, TcpFlags};
use crate::format::Format;
use crate::formats::zeek::{self, Icmp};
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader, Rejected};
use ipstats_model::{CanonicalIp, Timestamp};
use serde::Deserialize;
use std::ops::RangeInclusive;

pub(crate) const FORMAT: JsonFormat = JsonFormat {
    format: Format::Ocsf,
    recognizes: |keys| keys.has_top("class_uid") || (keys.has_top("activity_id") && keys.has_top("metadata")),
    lists: &[],
    record: |text, reader| json::object::<NetworkActivity<'_>>(text)?.read(reader),
    knows_other_events: false,
    wraps: false,
};

/// The class Network Activity.
const NETWORK_ACTIVITY: i64 = 4001;

/// An event.
#[derive(Deserialize, Default)]
#[serde(default)]
struct NetworkActivity<'a> {
    class_uid: Scalar<'a>,
    activity_id: Scalar<'a>,
    /// What a firewall did: 2 is denied.
    #[serde(borrow)]
    action_id: Scalar<'a>,
    #[serde(borrow)]
    action: Scalar<'a>,
    /// What became of it: see [`REFUSED`].
    #[serde(borrow)]
    disposition_id: Scalar<'a>,
    #[serde(borrow)]
    disposition: Scalar<'a>,
    /// 2 is failure.
    #[serde(borrow)]
    status_id: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    /// Of Zeek, the state of the connection.
    #[serde(borrow)]
    status_code: Scalar<'a>,
    /// 1: the source is the initiator, 2: the destination is (OCSF 1.9).
    initiator_id: Scalar<'a>,
    #[serde(borrow)]
    metadata: Nested<Metadata<'a>>,
    #[serde(borrow)]
    traffic: Nested<Traffic<'a>>,
    #[serde(borrow)]
    start_time: Scalar<'a>,
    #[serde(borrow)]
    start_time_dt: Scalar<'a>,
    #[serde(borrow)]
    time: Scalar<'a>,
    #[serde(borrow)]
    time_dt: Scalar<'a>,
    #[serde(borrow)]
    device: Nested<Device<'a>>,
    #[serde(borrow)]
    src_endpoint: Nested<Endpoint<'a>>,
    #[serde(borrow)]
    dst_endpoint: Nested<Endpoint<'a>>,
    connection_info: Nested<ConnectionInfo<'a>>,
}

/// What made the event.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    product: Nested<ProductName<'a>>,
    #[serde(borrow)]
    log_name: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ProductName<'a> {
    #[serde(borrow)]
    name: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Traffic<'a> {
    /// From the destination.
    #[serde(borrow)]
    packets_in: Scalar<'a>,
    /// From the source.
    packets_out: Scalar<'a>,
}

/// What is known of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    /// VPC flow logs: an event is of one direction, and its flags are those of the opening.
    AmazonVpc,
    /// An event is of one direction, with the flags of the whole flow, which prove nothing.
    OneDirection,
    /// Its logs, of which only that of connections has their state.
    Zeek,
    /// The source is the initiator, which is how OCSF defines it, unless ports show that it serves.
    Other,
}

/// The products that are known, by `metadata.product.name`; docs/sources.md shows them.
const PRODUCTS: [(&str, Product); 3] =
    [("Amazon VPC", Product::AmazonVpc), ("SiLK", Product::OneDirection), ("Zeek", Product::Zeek)];

/// Values of `disposition_id` that mean that there was no connection: blocked, dropped, reset, rejected, unauthorized.
const REFUSED: [i64; 5] = [2, 6, 21, 25, 26];

/// The same in `disposition`, where the id is absent or "other".
const REFUSED_WORDS: [&str; 13] = [
    "blocked",
    "block",
    "dropped",
    "drop",
    "reset",
    "rejected",
    "reject",
    "refused",
    "unauthorized",
    "denied",
    "deny",
    "prevented",
    "discarded",
];

/// Words of `action` for 2, denied.
const DENIED_WORDS: [&str; 8] =
    ["denied", "deny", "blocked", "block", "dropped", "drop", "rejected", "reject"];

/// Words of `status` for 2, failure.
const FAILURE_WORDS: [&str; 3] = ["failure", "failed", "fail"];

/// `device.type_id` of what other devices' connections pass through: firewall, switch, hub, router, IDS, IPS, load balancer.
const NETWORK_GEAR: RangeInclusive<i64> = 9..=15;

/// The same in `device.type`, where the id is absent or "other".
const NETWORK_GEAR_WORDS: [&str; 9] = [
    "firewall",
    "switch",
    "hub",
    "router",
    "ids",
    "ips",
    "load balancer",
    "intrusion detection system",
    "intrusion prevention system",
];

/// The host that reports the event, or the sensor that saw it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Device<'a> {
    #[serde(borrow)]
    uid: Scalar<'a>,
    #[serde(borrow)]
    hostname: Scalar<'a>,
    #[serde(borrow)]
    ip: Scalar<'a>,
    #[serde(borrow)]
    type_id: Scalar<'a>,
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Endpoint<'a> {
    #[serde(borrow)]
    ip: Scalar<'a>,
    #[serde(borrow)]
    uid: Scalar<'a>,
    #[serde(borrow)]
    instance_uid: Scalar<'a>,
    #[serde(borrow)]
    interface_uid: Scalar<'a>,
    #[serde(borrow)]
    hostname: Scalar<'a>,
    #[serde(borrow)]
    mac: Scalar<'a>,
    #[serde(borrow)]
    port: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ConnectionInfo<'a> {
    #[serde(borrow)]
    direction_id: Scalar<'a>,
    #[serde(borrow)]
    direction: Scalar<'a>,
    #[serde(borrow)]
    protocol_num: Scalar<'a>,
    #[serde(borrow)]
    protocol_name: Scalar<'a>,
    #[serde(borrow)]
    tcp_flags: Scalar<'a>,
}

/// `connection_info.direction_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Inbound,
    Outbound,
    Lateral,
    Unknown,
}

/// The end that opened a connection, and the addresses of both.
struct Ends<'e, 'a> {
    opened: &'e Endpoint<'a>,
    originator: CanonicalIp,
    responder: CanonicalIp,
    /// The event shows that the originator is the organization's own.
    is_internal: bool,
}

/// Whose report an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReportedBy {
    Source,
    Destination,
    /// Somebody between them.
    Sensor,
}

impl NetworkActivity<'_> {
    fn read(&self, reader: &mut Reader<'_>) -> Outcome {
        if self.class_uid.number() != Some(NETWORK_ACTIVITY) {
            return Err(NotAConnection::OtherEvent.into());
        }
        let product = self.product();
        let direction = self.direction();
        let nothing = Endpoint::default();
        let source = self.src_endpoint.0.as_ref().unwrap_or(&nothing);
        let destination = self.dst_endpoint.0.as_ref().unwrap_or(&nothing);
        let originator = source.ip.ip("src_endpoint.ip")?;
        let progress = self.progress(product, originator)?;
        if direction == Direction::Inbound {
            return Err(NotAConnection::Inbound.into());
        }
        // Only Zeek's events show the types of ICMP.
        if product != Product::Zeek && matches!(self.protocol(), Some(flow_rules::ICMP | flow_rules::ICMP_V6))
        {
            return Err(NotAConnection::DirectionUnknown.into());
        }
        let responder = destination.ip.ip("dst_endpoint.ip")?.ok_or(NotAConnection::NoRemoteIp)?;
        if let Some(device) = self.device_name()? {
            match self.reported_by(originator, responder)? {
                ReportedBy::Source => {
                    reader.counts(progress)?;
                    return reader.connection(device, responder, self.at()?);
                }
                ReportedBy::Destination => return Err(NotAConnection::Inbound.into()),
                ReportedBy::Sensor => {}
            }
        }
        let originator = originator.ok_or(Malformed::Missing { field: "device or src_endpoint.ip" })?;
        let is_internal = direction != Direction::Unknown || source.is_instance();
        let ends = Ends { opened: source, originator, responder, is_internal };
        let is_internal = destination.is_instance();
        let swapped = Ends { opened: destination, originator: responder, responder: originator, is_internal };
        // What leaves the organization was opened by the end inside, whichever end the product calls the source.
        let is_source_outside = !source.is_instance() && !reader.is_internal(originator);
        let is_outbound = product == Product::Other && direction == Direction::Outbound;
        let may_be_swapped = is_outbound && reader.is_internal(responder);
        let ends = match self.opener(product, source, destination)? {
            Opener::Source(_) if may_be_swapped && is_source_outside => swapped,
            Opener::Source(_) => ends,
            Opener::Destination(_) if may_be_swapped || self.initiator_id.number() == Some(2) => swapped,
            Opener::Destination(_) => return Err(NotAConnection::Inbound.into()),
        };
        self.flow(&ends, progress, reader)
    }

    fn flow(&self, ends: &Ends<'_, '_>, progress: Progress, reader: &mut Reader<'_>) -> Outcome {
        for value in [&ends.opened.instance_uid, &ends.opened.interface_uid] {
            reader.check_not_relay(value.as_text())?;
        }
        reader.flow(&Flow {
            at: self.at()?,
            originator: ends.originator,
            responder: ends.responder,
            originator_internal: ends.is_internal.then_some(true),
            responder_internal: None,
            originator_name: ends.opened.name()?,
            originator_mac: ends.opened.mac.text("src_endpoint.mac")?,
            progress,
        })
    }

    fn product(&self) -> Product {
        let product = self.metadata.0.as_ref().and_then(|metadata| metadata.product.0.as_ref());
        let name = product.map_or(&Scalar::Null, |product| &product.name);
        let known = PRODUCTS.iter().find(|(known, _)| name.is(known));
        known.map_or(Product::Other, |(_, product)| *product)
    }

    /// Which end opened the connection: the event's own word, then flags and ports, where the product's events prove it.
    fn opener(
        &self,
        product: Product,
        source: &Endpoint<'_>,
        destination: &Endpoint<'_>,
    ) -> Result<Opener, NotAConnection> {
        let by_source = Opener::Source(Progress::Opened);
        match self.initiator_id.number() {
            Some(1) => return Ok(by_source),
            Some(2) => return Ok(Opener::Destination(Progress::Opened)),
            _ => {}
        }
        let flags = self.connection_info.0.as_ref().and_then(|info| info.tcp_flags.port());
        let evidence = FlowEvidence {
            protocol: self.protocol(),
            source_port: source.port.port(),
            destination_port: destination.port.port(),
            opening_flags: flags.filter(|_| product == Product::AmazonVpc).map(TcpFlags::from_bits),
            ..FlowEvidence::default()
        };
        let shows_nothing = evidence.protocol.is_none() && evidence.source_port.is_none();
        match (product, evidence.opener()) {
            (Product::Zeek, _) | (Product::Other, Err(_)) => Ok(by_source),
            (_, Err(NotAConnection::DirectionUnknown)) if shows_nothing => Ok(by_source),
            (_, shown) => shown,
        }
    }

    /// The number of the protocol above IP.
    fn protocol(&self) -> Option<u8> {
        let info = self.connection_info.0.as_ref()?;
        let names = [
            ("tcp", flow_rules::TCP),
            ("udp", flow_rules::UDP),
            ("icmp", flow_rules::ICMP),
            ("ipv6-icmp", flow_rules::ICMP_V6),
            ("icmpv6", flow_rules::ICMP_V6),
            ("icmp6", flow_rules::ICMP_V6),
        ];
        let by_name =
            || names.into_iter().find(|(name, _)| info.protocol_name.is(name)).map(|(_, number)| number);
        info.protocol_num.number().and_then(|number| number.try_into().ok()).or_else(by_name)
    }

    /// How far the connection got: by `activity_id`, and by what became of it.
    fn progress(&self, product: Product, originator: Option<CanonicalIp>) -> Result<Progress, Rejected> {
        let is_stopped = is_one_of(&self.disposition_id, &REFUSED, &self.disposition, &REFUSED_WORDS)
            || is_one_of(&self.action_id, &[2], &self.action, &DENIED_WORDS)
            || is_one_of(&self.status_id, &[2], &self.status, &FAILURE_WORDS);
        if product == Product::Zeek && !is_stopped {
            return self.zeek_progress(originator);
        }
        match self.activity_id.number() {
            // Open, close, reset and traffic. A connection that is reset was open.
            Some(1 | 2 | 3 | 6) if !is_stopped => Ok(Progress::Opened),
            // The same, stopped; fail; refuse.
            Some(1..=6) => Ok(Progress::Attempted),
            Some(7) => Err(NotAConnection::Listening.into()),
            _ => Err(NotAConnection::OtherEvent.into()),
        }
    }

    /// Zeek's events have the state of the connection as their status. Its other logs are in the same class.
    fn zeek_progress(&self, originator: Option<CanonicalIp>) -> Result<Progress, Rejected> {
        let state = self.status_code.text("status_code")?.ok_or(NotAConnection::OtherEvent)?;
        if self.metadata.0.as_ref().is_some_and(|metadata| {
            !metadata.log_name.is_nothing() && !metadata.log_name.is_any(&["conn", "conn.log"])
        }) {
            return Err(NotAConnection::OtherEvent.into());
        }
        match (self.protocol(), originator) {
            (Some(flow_rules::ICMP | flow_rules::ICMP_V6), Some(originator)) => {
                let port = self.src_endpoint.0.as_ref().and_then(|source| source.port.port());
                let nothing = Traffic::default();
                let traffic = self.traffic.0.as_ref().unwrap_or(&nothing);
                let icmp = Icmp {
                    message_type: port.and_then(|port| port.try_into().ok()),
                    originator_packets: traffic.packets_out.count(),
                    responder_packets: traffic.packets_in.count(),
                };
                Ok(icmp.progress(originator)?)
            }
            _ => Ok(zeek::progress(state.as_bytes())
                .ok_or_else(|| self.status_code.is_not(zeek::A_CONN_STATE, "status_code"))?),
        }
    }

    fn direction(&self) -> Direction {
        let Some(info) = &self.connection_info.0 else { return Direction::Unknown };
        let known = [
            (1, "inbound", Direction::Inbound),
            (2, "outbound", Direction::Outbound),
            (3, "lateral", Direction::Lateral),
        ];
        let found = known
            .into_iter()
            .find(|(id, word, _)| is_one_of(&info.direction_id, &[*id], &info.direction, &[word]));
        found.map_or(Direction::Unknown, |(_, _, direction)| direction)
    }

    /// `device.uid`, else `device.hostname`.
    fn device_name(&self) -> Result<Option<&str>, Malformed> {
        let Some(device) = &self.device.0 else { return Ok(None) };
        match device.uid.text("device.uid")? {
            Some(uid) => Ok(Some(uid)),
            None => device.hostname.text("device.hostname"),
        }
    }

    /// Which end `device` is. Where it does not give its address, it is the source, which by definition of OCSF is the
    /// initiator, unless it is network gear.
    fn reported_by(
        &self,
        source: Option<CanonicalIp>,
        destination: CanonicalIp,
    ) -> Result<ReportedBy, Malformed> {
        let ip = self.device.0.as_ref().map_or(&Scalar::Null, |device| &device.ip);
        let is_network_gear = self.device.0.as_ref().is_some_and(Device::is_network_gear);
        Ok(match ip.ip("device.ip")? {
            None if is_network_gear => ReportedBy::Sensor,
            None => ReportedBy::Source,
            Some(ip) if source.is_none_or(|source| source == ip) => ReportedBy::Source,
            Some(ip) if destination == ip => ReportedBy::Destination,
            Some(_) => ReportedBy::Sensor,
        })
    }

    /// `start_time`, else `time`; each in milliseconds, in seconds as some products write it, or as text.
    fn at(&self) -> Result<Timestamp, Malformed> {
        for (value, field) in
            [(&self.start_time, "start_time"), (&self.start_time_dt, "start_time_dt"), (&self.time, "time")]
        {
            if !value.is_nothing() {
                return value.time_or_millis(field);
            }
        }
        self.time_dt.time_or_millis("time")
    }
}

/// Whether an enumeration has one of these ids, or one of these words where its id is absent, unknown (0) or "other" (99).
fn is_one_of(id: &Scalar<'_>, ids: &[i64], text: &Scalar<'_>, words: &[&str]) -> bool {
    match id.number() {
        None | Some(0 | 99) => text.is_any(words),
        Some(id) => ids.contains(&id),
    }
}

impl Device<'_> {
    /// Whether connections of other devices pass through it.
    fn is_network_gear(&self) -> bool {
        match self.type_id.number() {
            None | Some(0 | 99) => self.kind.is_any(&NETWORK_GEAR_WORDS),
            Some(id) => NETWORK_GEAR.contains(&id),
        }
    }
}

impl Endpoint<'_> {
    /// Whether it is one of the organization's own: nobody else's instances are known.
    fn is_instance(&self) -> bool {
        [&self.instance_uid, &self.interface_uid].into_iter().any(|uid| !uid.is_nothing() && !uid.is("-"))
    }

    /// The most stable name of an end.
    fn name(&self) -> Result<Option<&str>, Malformed> {
        for (value, field) in [
            (&self.uid, "src_endpoint.uid"),
            (&self.instance_uid, "src_endpoint.instance_uid"),
            (&self.interface_uid, "src_endpoint.interface_uid"),
            (&self.hostname, "src_endpoint.hostname"),
        ] {
            // Amazon's flow logs write `-` for an instance that is none.
            if let Some(name) = value.text(field)?.filter(|name| *name != "-") {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
