//! An event of Windows, in whatever shape a shipper writes it: flat (NXLog, Fluent Bit, Winlogbeat 6, Sentinel), as Windows structures
//! it (`Event` with `System` and `EventData`), below `data.win` (Wazuh), or as the body of OpenTelemetry's windowseventlog.
//!
//! The shapes differ in names and nesting only, so one visitor takes each value by its name wherever it is, and the first one that is
//! set counts.

use crate::fields::scalar::Scalar;
use crate::fields::time::Zone;
use crate::formats::event_data::{EventData, EventDataSeed};
use crate::formats::sysmon::{Device, EventKind, NetworkEvent};
use crate::outcome::{Malformed, NotAConnection};
use crate::reader::{Outcome, Reader};
use ipstats_model::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// One event.
#[derive(Default, Debug)]
pub(super) struct WindowsEvent<'a> {
    event_id: Scalar<'a>,
    provider: Scalar<'a>,
    channel: Scalar<'a>,
    computer: Scalar<'a>,
    data: EventData<'a>,
    /// The values of the data without their names.
    inserts: Inserts<'a>,
    /// The event for people: `Name: value` lines, in Sysmon's case. Most shippers send it beside the values, so it stays escaped.
    message: Option<&'a RawValue>,
    /// When it was written, in UTC.
    created: Scalar<'a>,
    /// When it was written, mostly without a zone (NXLog).
    event_time: Scalar<'a>,
    /// When a shipper took it in.
    pub(super) timestamp: Scalar<'a>,
}

/// Values of the data of an event, in the order of its template.
#[derive(Default, Debug)]
struct Inserts<'a>(Vec<Scalar<'a>>);

impl WindowsEvent<'_> {
    /// Whether this is an event of Windows at all: other documents may have an `event_id` of theirs, and have the time of a shipper.
    pub(super) fn is_of_windows(&self) -> bool {
        let has_origin = !self.provider.is_nothing() || !self.channel.is_nothing();
        !self.event_id.is_nothing() && (has_origin || self.timestamp.is_nothing())
    }

    /// Records the event if its host opened a connection.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) -> Outcome {
        let kind =
            EventKind::of(&self.event_id, &self.provider, &self.channel).ok_or(NotAConnection::OtherEvent)?;
        self.complete_data(kind);
        NetworkEvent {
            kind,
            initiated: self.data.initiated(kind)?,
            is_icmp: self.data.is_icmp(),
            remote_ip: self.data.remote_ip(kind)?,
            at: || self.time(kind),
            device: Device::Name(self.computer.needed_text("Computer or Hostname")?),
        }
        .read(reader)
    }

    /// Takes what the data lacks from where the shipper has put it instead.
    fn complete_data(&mut self, kind: EventKind) {
        if self.data.is_complete(kind) {
            return;
        }
        for (name, place) in kind.inserts(self.inserts.0.len()) {
            if let Some(value) = self.inserts.0.get_mut(place) {
                self.data.set(name, std::mem::take(value));
            }
        }
        let message = self.message.map(|message| serde_json::from_str::<String>(message.get()));
        if let Some(Ok(message)) = message {
            self.data.complete_from_message(&message);
        }
    }

    /// When the connection was opened. Of Sysmon, `UtcTime`: its events are written up to months later.
    fn time(&self, kind: EventKind) -> Result<Timestamp, Malformed> {
        if kind == EventKind::Sysmon {
            return self.data.utc_time.time("UtcTime", Zone::Utc);
        }
        if !self.created.is_nothing() {
            return self.created.time("TimeCreated", Zone::Utc);
        }
        match self.event_time.time("EventTime", Zone::Required) {
            Err(_) if !self.timestamp.is_nothing() => self.timestamp.time("@timestamp", Zone::Utc),
            time => time,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for WindowsEvent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event = Self::default();
        EventSeed(&mut event).deserialize(deserializer)?;
        Ok(event)
    }
}

/// Takes the values of an object into an event; anything that is not an object is nothing.
struct EventSeed<'m, 'a>(&'m mut WindowsEvent<'a>);

impl<'de: 'a, 'a> EventSeed<'_, 'a> {
    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let event = &mut *self.0;
        let slot = match key {
            "EventID" | "EventId" | "event_id" | "eventID" => &mut event.event_id,
            "SourceName" | "ProviderName" | "Provider" | "provider" | "provider_name" | "providerName"
            | "source_name" | "EventSourceName" | "Source" => &mut event.provider,
            "Channel" | "channel" | "log_name" | "LogName" | "EventLog" => &mut event.channel,
            "Hostname" | "Computer" | "computer" | "ComputerName" | "computer_name" => &mut event.computer,
            "TimeCreated" | "TimeGenerated" | "system_time" | "systemTime" => &mut event.created,
            "EventTime" => &mut event.event_time,
            "@timestamp" => &mut event.timestamp,
            "Message" | "message" => {
                event.message = Some(map.next_value()?);
                return Ok(());
            }
            "StringInserts" => {
                event.inserts = map.next_value()?;
                return Ok(());
            }
            "EventData" | "event_data" | "eventdata" => {
                return map.next_value_seed(EventDataSeed(&mut event.data));
            }
            "Event" | "System" | "system" | "win" | "data" => return map.next_value_seed(EventSeed(event)),
            name => match event.data.slot(name) {
                Some(slot) => slot,
                None => return map.next_value::<IgnoredAny>().map(|_| ()),
            },
        };
        let Attribute(value) = map.next_value()?;
        if slot.is_nothing() {
            *slot = value;
        }
        Ok(())
    }
}

pub(super) use crate::fields::json::nothing_else as nothing_but_objects;

impl<'de: 'a, 'a> DeserializeSeed<'de> for EventSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for EventSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            match key {
                Scalar::Text(key) => self.take(&key, &mut map)?,
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<(), A::Error> {
        IgnoredAny.visit_seq(sequence).map(|_| ())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    nothing_but_objects!();
}

/// A value that some shippers write as an object: an element of XML with its attributes, or a provider with its name.
#[derive(Default)]
pub(super) struct Attribute<'a>(pub(super) Scalar<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Attribute<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributeVisitor).map(Self)
    }
}

struct AttributeVisitor;

impl<'de> Visitor<'de> for AttributeVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut text, mut attribute) = (Scalar::Null, Scalar::Null);
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            let Scalar::Text(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match key.as_ref() {
                "#text" | "id" => text = map.next_value()?,
                "Name" | "@Name" | "name" | "SystemTime" | "@SystemTime" => attribute = map.next_value()?,
                "#attributes" | "$" => attribute = map.next_value::<Attribute<'de>>()?.0,
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(if text.is_nothing() { attribute } else { text })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(sequence).map(|_| Scalar::Compound)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(text.to_owned().into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Scalar::Compound, Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Inserts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InsertsVisitor)
    }
}

struct InsertsVisitor;

impl<'de> Visitor<'de> for InsertsVisitor {
    type Value = Inserts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Inserts(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Inserts::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Inserts::default())
    }

    nothing_but_objects!();
}
