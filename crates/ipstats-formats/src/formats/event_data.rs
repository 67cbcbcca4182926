//! The data of a Windows event: an object, a list of names and texts, or either of them as JSON or XML in a text.

use crate::fields::scalar::Scalar;
use crate::flow_rules;
use crate::formats::sysmon::EventKind;
use crate::formats::windows_event::{Attribute, nothing_but_objects};
use crate::outcome::Malformed;
use ipstats_model::CanonicalIp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What is read of the data of any event.
#[derive(Default, Debug)]
pub(super) struct EventData<'a> {
    /// Of Sysmon's event 3.
    initiated: Scalar<'a>,
    destination_ip: Scalar<'a>,
    pub(super) utc_time: Scalar<'a>,
    /// Of Windows' events 5156 and 5157.
    direction: Scalar<'a>,
    destination_address: Scalar<'a>,
    /// The number of the protocol above IP; of Sysmon, its name.
    protocol: Scalar<'a>,
}

/// What Windows writes for the direction of 5156 and 5157, which tools render as a word.
const OUTBOUND: [&str; 2] = ["%%14593", "outbound"];
const INBOUND: [&str; 2] = ["%%14592", "inbound"];

impl<'a> EventData<'a> {
    /// Whether the host opened the connection; nothing if the data does not show it.
    pub(super) fn initiated_if_known(&self, kind: EventKind) -> Option<bool> {
        match kind {
            EventKind::Sysmon => self.initiated.flag(),
            EventKind::Permitted | EventKind::Blocked if self.direction.is_any(&OUTBOUND) => Some(true),
            EventKind::Permitted | EventKind::Blocked if self.direction.is_any(&INBOUND) => Some(false),
            EventKind::Permitted | EventKind::Blocked => None,
        }
    }

    /// Whether the host opened the connection. If not, the other side did.
    pub(super) fn initiated(&self, kind: EventKind) -> Result<bool, Malformed> {
        self.initiated_if_known(kind).ok_or(Malformed::Missing { field: kind.initiated_field() })
    }

    pub(super) fn remote_ip(&self, kind: EventKind) -> Result<Option<CanonicalIp>, Malformed> {
        match kind {
            EventKind::Sysmon => self.destination_ip.ip("DestinationIp"),
            EventKind::Permitted | EventKind::Blocked => self.destination_address.ip("DestAddress"),
        }
    }

    /// Whether the connection is ICMP, whose type these events do not name. Sysmon sees TCP and UDP only.
    pub(super) fn is_icmp(&self) -> bool {
        let number = self.protocol.number().and_then(|number| u8::try_from(number).ok());
        matches!(number, Some(flow_rules::ICMP | flow_rules::ICMP_V6))
    }

    /// Whether all that is read of this kind is there.
    pub(super) const fn is_complete(&self, kind: EventKind) -> bool {
        match kind {
            EventKind::Sysmon => {
                !matches!(self.initiated, Scalar::Null)
                    && !matches!(self.destination_ip, Scalar::Null)
                    && !matches!(self.utc_time, Scalar::Null)
            }
            EventKind::Permitted | EventKind::Blocked => {
                !matches!(self.direction, Scalar::Null)
                    && !matches!(self.destination_address, Scalar::Null)
                    && !matches!(self.protocol, Scalar::Null)
            }
        }
    }

    /// Where the value of this name is kept, if it is read. Wazuh writes names with a small letter in front.
    pub(super) fn slot(&mut self, name: &str) -> Option<&mut Scalar<'a>> {
        match name {
            "Initiated" | "initiated" => Some(&mut self.initiated),
            "DestinationIp" | "destinationIp" => Some(&mut self.destination_ip),
            "UtcTime" | "utcTime" => Some(&mut self.utc_time),
            "Direction" | "direction" => Some(&mut self.direction),
            "DestAddress" | "destAddress" => Some(&mut self.destination_address),
            "Protocol" | "protocol" => Some(&mut self.protocol),
            _ => None,
        }
    }

    /// Keeps a value if it is the first of its name.
    pub(super) fn set(&mut self, name: &str, value: Scalar<'a>) {
        if let Some(slot) = self.slot(name)
            && slot.is_nothing()
        {
            *slot = value;
        }
    }

    /// Takes what is missing from the lines of a message for people: `Initiated: true`.
    pub(super) fn complete_from_message(&mut self, message: &str) {
        for (name, value) in message.lines().filter_map(|line| line.split_once(": ")) {
            self.set(name.trim(), Scalar::Text(Cow::Owned(value.trim().to_owned())));
        }
    }

    /// Takes the values of a text that holds JSON, or the elements `<Data Name="…">` of XML.
    fn take_text(&mut self, text: &str) {
        if text.trim_start().starts_with('<') {
            return self.take_xml(text);
        }
        let Ok(inner) = serde_json::from_str::<EventData<'_>>(text) else { return };
        let EventData { initiated, destination_ip, utc_time, direction, destination_address, protocol } =
            inner;
        for (name, value) in [
            ("Initiated", initiated),
            ("DestinationIp", destination_ip),
            ("UtcTime", utc_time),
            ("Direction", direction),
            ("DestAddress", destination_address),
            ("Protocol", protocol),
        ] {
            self.set(name, value.into_owned());
        }
    }

    fn take_xml(&mut self, text: &str) {
        for element in text.split("<Data ").skip(1) {
            let Some((attributes, rest)) = element.split_once('>') else { continue };
            let name = attributes.trim().strip_prefix("Name=").map(|name| name.trim_matches(['"', '\'']));
            let value = rest.split('<').next().unwrap_or_default();
            if let Some(name) = name {
                self.set(name, Scalar::Text(Cow::Owned(value.to_owned())));
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for EventData<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut data = Self::default();
        EventDataSeed(&mut data).deserialize(deserializer)?;
        Ok(data)
    }
}

/// Takes values into the data of an event.
pub(super) struct EventDataSeed<'m, 'a>(pub(super) &'m mut EventData<'a>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for EventDataSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for EventDataSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    /// An object of names and values, or of one name and its text.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut name, mut text) = (Scalar::Null, Scalar::Null);
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            let Scalar::Text(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match key.as_ref() {
                "Data" | "data" => map.next_value_seed(EventDataSeed(&mut *self.0))?,
                "Name" | "@Name" | "name" => name = map.next_value()?,
                "#attributes" | "$" => name = map.next_value::<Attribute<'de>>()?.0,
                "#text" | "text" | "_" | "Value" | "value" | "content" => text = map.next_value()?,
                key => match self.0.slot(key) {
                    Some(slot) => {
                        let Attribute(value) = map.next_value()?;
                        if slot.is_nothing() {
                            *slot = value;
                        }
                    }
                    None => map.next_value::<IgnoredAny>().map(|_| ())?,
                },
            }
        }
        if let Scalar::Text(name) = name {
            self.0.set(&name, text);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(EventDataSeed(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.take_text(text);
        Ok(())
    }

    nothing_but_objects!();
}
