//! Records of formats that this crate does not know: CSV and JSON whose fields the operator names.
//!
//! Every record is a connection of a device. A device that is mapped is a name and used as it is; where the two ends are
//! mapped instead, the rules of flows decide which is the device.

use crate::fields::paths;
use crate::fields::scalar::{A_TIME, IP_ADDRESS, Scalar};
use crate::fields::time;
use crate::format::Format;
use crate::formats::array;
use crate::grammar::{CsvFormat, JsonFormat};
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Flow, Outcome, Progress, Reader};
use ipstats_model::{CanonicalIp, Timestamp};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Only a [`FieldMap`] selects it: no record is recognized as one.
pub(crate) const JSON: JsonFormat = JsonFormat {
    format: Format::Mapped,
    recognizes: |_| true,
    lists: &[],
    record: |text, reader| {
        let Some(map) = reader.map() else { return Err(NotAConnection::OtherEvent.into()) };
        let cells = paths::values(text, map.fields())?;
        read(map, &cells, reader)
    },
    knows_other_events: false,
    wraps: true,
};

pub(crate) const CSV: CsvFormat = CsvFormat {
    format: Format::Mapped,
    // The map has the names.
    columns: &[&["device"], &["ip"], &["time"]],
    row: |cells, reader| {
        let Some(map) = reader.map() else { return Err(NotAConnection::OtherEvent.into()) };
        read(map, array(cells)?, reader)
    },
};

/// Which fields of a record hold what is needed: `device=src_ip,ip=dest_ip,time=timestamp`, or the two ends of a flow,
/// `originator=src,responder=dst,time=ts`. A dot leads into an object of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMap {
    device: Target,
    ip: Target,
    time: Target,
    /// Whether the device is the end of a flow, and not a name.
    is_flow: bool,
}

/// A field, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    name: &'static str,
    field: String,
}

/// Why a map of fields is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFieldMap {
    /// A part of the text is not a pair.
    #[error("{0:?} is not TARGET=FIELD; write device=src_ip,ip=dest_ip,time=timestamp")]
    NotAPair(String),
    /// There is no such target.
    #[error("{0:?} cannot be mapped; map device, ip and time, or originator, responder and time")]
    UnknownTarget(String),
    /// A target is mapped twice.
    #[error("{0} is mapped twice")]
    Twice(&'static str),
    /// One field is to be two things.
    #[error("{0:?} is mapped to both {1} and {2}")]
    SameField(String, &'static str, &'static str),
    /// A target has no field.
    #[error("no field is named for {0}")]
    NoField(&'static str),
    /// A needed target is absent.
    #[error("{} not mapped; map device, ip and time, or originator, responder and time", are(.0))]
    Missing(Vec<&'static str>),
    /// Names of both kinds of map.
    #[error(
        "{0} and {1} are two ways to map the device; map device, ip and time, or originator, responder and time"
    )]
    Mixed(&'static str, &'static str),
}

fn are(names: &[&str]) -> String {
    format!("{} {}", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

const DEVICE: [&str; 3] = ["device", "ip", "time"];
const FLOW: [&str; 3] = ["originator", "responder", "time"];

impl FieldMap {
    /// A map of these targets and fields.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, InvalidFieldMap> {
        let mut targets: Vec<Target> = Vec::new();
        for (name, field) in pairs {
            let (name, field) = (name.trim(), field.trim());
            let known = DEVICE.into_iter().chain(FLOW).find(|known| *known == name);
            let name = known.ok_or_else(|| InvalidFieldMap::UnknownTarget(name.to_owned()))?;
            if field.is_empty() {
                return Err(InvalidFieldMap::NoField(name));
            }
            if let Some(other) = targets.iter().find(|other| other.name == name || other.field == field) {
                return Err(if other.name == name {
                    InvalidFieldMap::Twice(name)
                } else {
                    InvalidFieldMap::SameField(field.to_owned(), other.name, name)
                });
            }
            targets.push(Target { name, field: field.to_owned() });
        }
        let first_of =
            |names: [&'static str; 2]| names.into_iter().find(|name| targets.iter().any(|t| t.name == *name));
        let is_flow = match (first_of(["device", "ip"]), first_of(["originator", "responder"])) {
            (Some(of_device), Some(of_flow)) => return Err(InvalidFieldMap::Mixed(of_device, of_flow)),
            (_, of_flow) => of_flow.is_some(),
        };
        let names = if is_flow { FLOW } else { DEVICE };
        let mut take = |name| Some(targets.swap_remove(targets.iter().position(|t| t.name == name)?));
        match names.map(&mut take) {
            [Some(device), Some(ip), Some(time)] => Ok(Self { device, ip, time, is_flow }),
            found => {
                let missing = names.into_iter().zip(found).filter(|(_, target)| target.is_none());
                Err(InvalidFieldMap::Missing(missing.map(|(name, _)| name).collect()))
            }
        }
    }

    /// The targets and their fields.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [&self.device, &self.ip, &self.time].map(|target| (target.name, target.field.as_str()))
    }

    /// The fields: who, to where, when.
    pub(crate) fn fields(&self) -> [&str; 3] {
        self.pairs().map(|(_, field)| field)
    }
}

impl FromStr for FieldMap {
    type Err = InvalidFieldMap;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
        let pairs =
            pairs.map(|pair| pair.split_once('=').ok_or_else(|| InvalidFieldMap::NotAPair(pair.to_owned())));
        Self::new(pairs.collect::<Result<Vec<_>, _>>()?)
    }
}

impl fmt::Display for FieldMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pairs().map(|(name, field)| format!("{name}={field}")).join(","))
    }
}

fn read(map: &FieldMap, [device, ip, time]: &[Scalar<'_>; 3], reader: &mut Reader<'_>) -> Outcome {
    if device.is_nothing() && ip.is_nothing() {
        // Not a record of this map: an envelope, or an event of another kind.
        return Err(NotAConnection::OtherEvent.into());
    }
    let remote = map.ip.ip(ip)?.ok_or(NotAConnection::NoRemoteIp)?;
    if !map.is_flow {
        return reader.connection(&map.device.name_in(device)?, remote, map.time.time(time)?);
    }
    reader.flow(&Flow {
        at: map.time.time(time)?,
        originator: map.device.ip(device)?.ok_or_else(|| map.device.missing())?,
        responder: remote,
        originator_internal: None,
        responder_internal: None,
        originator_name: None,
        originator_mac: None,
        progress: Progress::Opened,
    })
}

impl Target {
    /// The name of a device, which may be a number.
    fn name_in<'v>(&self, value: &'v Scalar<'_>) -> Result<Cow<'v, str>, Malformed> {
        match value {
            Scalar::Text(text) if !text.is_empty() => Ok(Cow::Borrowed(text)),
            Scalar::Integer(number) => Ok(Cow::Owned(number.to_string())),
            Scalar::Null | Scalar::Text(_) => Err(self.missing()),
            Scalar::Bool(_) | Scalar::Float(_) | Scalar::Compound => Err(self.invalid(value, "a name")),
        }
    }

    /// The address; nothing where the field is absent or empty.
    fn ip(&self, value: &Scalar<'_>) -> Result<Option<CanonicalIp>, Malformed> {
        value.ip("").map_err(|_| self.invalid(value, IP_ADDRESS))
    }

    fn time(&self, value: &Scalar<'_>) -> Result<Timestamp, Malformed> {
        const WITH_ZONE: &str = "a time with its zone (2026-11-30T10:00:00Z), or counted from the epoch";
        if value.is_nothing() {
            return Err(self.missing());
        }
        let expected = if matches!(value, Scalar::Text(_)) { WITH_ZONE } else { A_TIME };
        time::from_any_unit(value).ok_or_else(|| self.invalid(value, expected))
    }

    fn missing(&self) -> Malformed {
        Malformed::NoMappedField { field: self.field.clone(), target: self.name }
    }

    fn invalid(&self, value: &Scalar<'_>, expected: &'static str) -> Malformed {
        Malformed::InvalidMappedField {
            field: self.field.clone(),
            target: self.name,
            value: value.shown(),
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_is_read_back() {
        for text in
            ["device=src,ip=dst,time=ts", "originator=source.ip,responder=destination.ip,time=@timestamp"]
        {
            assert_eq!(text.parse::<FieldMap>().unwrap().to_string(), text);
        }
        let spaced = " time = ts, device= src , ip=dst,".parse::<FieldMap>().unwrap();
        assert_eq!(spaced.to_string(), "device=src,ip=dst,time=ts");
    }

    #[test]
    fn bad_maps_are_explained() {
        for (text, expected) in [
            ("device", "\"device\" is not TARGET=FIELD; write "),
            ("host=h,ip=i,time=t", "\"host\" cannot be mapped; map device, ip and time, or originator"),
            ("device=d,time=t", "ip is not mapped; map device, ip and time, or "),
            ("responder=r", "originator and time are not mapped; "),
            ("", "device and ip and time are not mapped; "),
            ("device=d,device=e,ip=i,time=t", "device is mapped twice"),
            ("device=d,ip=d,time=t", "\"d\" is mapped to both device and ip"),
            ("device=,ip=d,time=t", "no field is named for device"),
            ("device=d,responder=r,time=t", "device and responder are two ways to map the device; "),
        ] {
            let error = text.parse::<FieldMap>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
