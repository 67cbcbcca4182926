//! OCSF Network Activity (class 4001), from any product that writes it.

use crate::fields::json::{self, Nested};
use crate::fields::scalar::Scalar;
use crate::format::Format;
use crate::grammar::JsonFormat;
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader};
use ipstats_model::{CanonicalIp, Timestamp};
use serde::Deserialize;

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
    action_id: Scalar<'a>,
    /// What became of it: 2 is blocked.
    disposition_id: Scalar<'a>,
    /// 2 is failure.
    status_id: Scalar<'a>,
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
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ConnectionInfo<'a> {
    #[serde(borrow)]
    direction_id: Scalar<'a>,
}

/// `connection_info.direction_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Inbound,
    Outbound,
    Lateral,
    Unknown,
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
        let progress = self.progress()?;
        let direction = self.direction();
        if direction == Direction::Inbound {
            return Err(NotAConnection::Inbound.into());
        }
        let nothing = Endpoint::default();
        let source = self.src_endpoint.0.as_ref().unwrap_or(&nothing);
        let destination = self.dst_endpoint.0.as_ref().unwrap_or(&nothing);
        let responder = destination.ip.ip("dst_endpoint.ip")?.ok_or(NotAConnection::NoRemoteIp)?;
        let originator = source.ip.ip("src_endpoint.ip")?;
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
        reader.flow(&Flow {
            at: self.at()?,
            originator: originator.ok_or(Malformed::Missing { field: "device or src_endpoint.ip" })?,
            responder,
            originator_internal: (direction != Direction::Unknown || source.is_instance()).then_some(true),
            responder_internal: None,
            originator_name: source.name()?,
            originator_mac: source.mac.text("src_endpoint.mac")?,
            progress,
        })
    }

    /// How far the connection got: by `activity_id`, and by what became of it.
    fn progress(&self) -> Result<Progress, NotAConnection> {
        let is_no = |value: &Scalar<'_>| value.number() == Some(2);
        let stopped = is_no(&self.action_id) || is_no(&self.disposition_id) || is_no(&self.status_id);
        match self.activity_id.number() {
            // Open, close, reset and traffic. A connection that is reset was open.
            Some(1 | 2 | 3 | 6) if !stopped => Ok(Progress::Opened),
            // The same, stopped; fail; refuse.
            Some(1..=6) => Ok(Progress::Attempted),
            Some(7) => Err(NotAConnection::Listening),
            _ => Err(NotAConnection::OtherEvent),
        }
    }

    fn direction(&self) -> Direction {
        match self.connection_info.0.as_ref().and_then(|info| info.direction_id.number()) {
            Some(1) => Direction::Inbound,
            Some(2) => Direction::Outbound,
            Some(3) => Direction::Lateral,
            _ => Direction::Unknown,
        }
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
    /// initiator.
    fn reported_by(
        &self,
        source: Option<CanonicalIp>,
        destination: CanonicalIp,
    ) -> Result<ReportedBy, Malformed> {
        let ip = self.device.0.as_ref().map_or(&Scalar::Null, |device| &device.ip);
        Ok(match ip.ip("device.ip")? {
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

impl Endpoint<'_> {
    /// Whether it is one of the organization's own: nobody else's instances are known.
    fn is_instance(&self) -> bool {
        !self.instance_uid.is_nothing() || !self.interface_uid.is_nothing()
    }

    /// The most stable name of an end.
    fn name(&self) -> Result<Option<&str>, Malformed> {
        for (value, field) in [
            (&self.uid, "src_endpoint.uid"),
            (&self.instance_uid, "src_endpoint.instance_uid"),
            (&self.interface_uid, "src_endpoint.interface_uid"),
            (&self.hostname, "src_endpoint.hostname"),
        ] {
            if let Some(name) = value.text(field)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
