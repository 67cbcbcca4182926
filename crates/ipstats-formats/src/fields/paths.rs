//! Fields of a JSON record whose names are known only at run time: `source.ip` is the field `ip` in the object `source`, or
//! the field `source.ip`.

use crate::fields::scalar::Scalar;
use crate::outcome::Malformed;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The values of `paths` in a JSON object; null where it has none.
pub(crate) fn values<'a, const N: usize>(
    text: &'a str,
    paths: [&str; N],
) -> Result<[Scalar<'a>; N], Malformed> {
    if !text.trim_start().starts_with('{') {
        return Err(Malformed::NotJson { reason: "does not start with {".to_owned() });
    }
    let mut values = std::array::from_fn(|_| Scalar::Null);
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Object { paths: paths.map(Some), values: &mut values }.deserialize(&mut json);
    match read.and_then(|()| json.end()) {
        Ok(()) => Ok(values),
        Err(error) if error.is_eof() => Err(Malformed::CutOff),
        Err(error) => Err(Malformed::NotJson { reason: error.to_string() }),
    }
}

/// An object in which these paths start; none where a path starts elsewhere.
struct Object<'p, 'v, 'de, const N: usize> {
    paths: [Option<&'p str>; N],
    values: &'v mut [Scalar<'de>; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for Object<'_, '_, 'de, N> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Object<'_, '_, 'de, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            let Scalar::Text(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if let Some(place) = self.paths.iter().position(|path| *path == Some(key.as_ref())) {
                let value = map.next_value()?;
                if let Some(slot) = self.values.get_mut(place).filter(|slot| **slot == Scalar::Null) {
                    *slot = value;
                }
                continue;
            }
            let paths = self.paths.map(|path| path?.strip_prefix(key.as_ref())?.strip_prefix('.'));
            if paths.iter().any(Option::is_some) {
                map.next_value_seed(Object { paths, values: &mut *self.values })?;
            } else {
                map.next_value::<IgnoredAny>()?;
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

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Scalar<'_> {
        Scalar::Text(text.into())
    }

    #[test]
    fn nested_and_flattened_fields_are_found() {
        let expected = Ok([text("10.0.0.1"), text("h"), Scalar::Integer(7)]);
        for record in [
            r#"{"source":{"x":[{"ip":1}],"ip":"10.0.0.1","host":{"name":"h"}},"t":7}"#,
            r#"{"source.ip":"10.0.0.1","source.host.name":"h","t":7}"#,
            r#"{"source":{"ip":"10.0.0.1","host.name":"h"},"t":7,"ip":"no","name":"no"}"#,
            r#"{"t":7,"source":{"ip":"10.0.0.1"},"source.host":{"name":"h"}}"#,
            r#"{"t":7,"source":"no","source":{"ip":"10.0.0.1","host":{"name":"h"}}}"#,
        ] {
            assert_eq!(values(record, ["source.ip", "source.host.name", "t"]), expected, "{record}");
        }
    }

    #[test]
    fn absent_fields_are_null() {
        for record in
            ["{}", r#"{"a":null}"#, r#"{"a":{"c":1}}"#, r#"{"a":[{"b":1}]}"#, r#"{"a":-1.5,"x":true}"#]
        {
            assert_eq!(values(record, ["a.b"]), Ok([Scalar::Null]), "{record}");
        }
    }

    #[test]
    fn broken_json_is_malformed() {
        assert_eq!(values(r#"{"a":"#, ["a"]), Err(Malformed::CutOff));
        for record in ["[1]", "", r#"{"a":1}{"a":2}"#, "{a:1}", &r#"{"a":"#.repeat(10_000)] {
            assert!(values(record, ["a.a"]).is_err(), "{record:.30}");
        }
    }
}
