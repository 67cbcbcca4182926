//! A request as JSON, taken apart without building it: only log records are decoded.

use super::{LogRecord, Stop};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The keys that lead to log records, each of an array of objects.
const KEYS: [&str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];

/// Calls `visit` with the bytes of each log record, in their order.
pub(super) fn each_record(
    request: &[u8],
    mut visit: impl FnMut(&[u8]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut stopped = None;
    let mut deserializer = serde_json::Deserializer::from_slice(request);
    let mut walk = Walk { visit: &mut visit, stopped: &mut stopped };
    let read = Object { keys: &KEYS, walk: &mut walk }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match stopped {
        Some(stop) => Err(stop),
        None => Ok(read?),
    }
}

pub(super) fn record(bytes: &[u8]) -> Result<LogRecord, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

struct Walk<'a> {
    visit: &'a mut dyn FnMut(&[u8]) -> Result<(), Stop>,
    /// Why it was stopped from within; the error of the deserializer only carries it out.
    stopped: &'a mut Option<Stop>,
}

/// An object of which the first of `keys` leads on.
struct Object<'w, 'a> {
    keys: &'static [&'static str],
    walk: &'w mut Walk<'a>,
}

/// The array behind a key; of log records where no key is left.
struct Array<'w, 'a>(Object<'w, 'a>);

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Some((key, rest)) = self.keys.split_first() else { return Ok(()) };
        while let Some(found) = object.next_key::<String>()? {
            if found == *key {
                object.next_value_seed(Array(Object { keys: rest, walk: &mut *self.walk }))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Array<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Array<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    /// In the JSON of protobuf, null is the same as nothing.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let Self(Object { keys, walk }) = self;
        if keys.is_empty() {
            while let Some(record) = array.next_element::<&RawValue>()? {
                (walk.visit)(record.get().as_bytes()).map_err(|stop| {
                    *walk.stopped = Some(stop);
                    A::Error::custom("stopped")
                })?;
            }
        } else {
            while array.next_element_seed(Object { keys, walk: &mut *walk })?.is_some() {}
        }
        Ok(())
    }
}
