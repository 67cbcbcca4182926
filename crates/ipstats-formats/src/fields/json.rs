//! JSON records: a borrowed struct of tolerant values, so that one strange field does not hide what a record says.

use crate::fields::scalar::Scalar;
use crate::outcome::Malformed;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Reads one JSON object.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    // serde reads a struct from an array too, by position.
    if !text.trim_start().starts_with('{') {
        return Err(Malformed::NotJson { reason: "does not start with {".to_owned() });
    }
    serde_json::from_str(text).map_err(|error| {
        if error.is_eof() { Malformed::CutOff } else { Malformed::NotJson { reason: error.to_string() } }
    })
}

/// An object inside a record; anything that is not an object is nothing.
#[derive(Debug)]
pub(crate) struct Nested<T>(pub(crate) Option<T>);

impl<T> Default for Nested<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// The texts of a field that holds one text or an array of them; whatever else is in it is nothing.
#[derive(Debug, Default)]
pub(crate) struct Texts<'a>(Vec<Cow<'a, str>>);

/// The objects of an array; whatever else is in it, or in its place, is nothing.
#[derive(Debug)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Texts<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether this word of an enumeration is in it, in any case.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.iter().any(|text| text.eq_ignore_ascii_case(word))
    }
}

/// The visits of values that are nothing where an object or an array belongs.
macro_rules! nothing_else {
    () => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
    };
}
pub(crate) use nothing_else;

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
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
        #[expect(clippy::cast_precision_loss, reason = "no field holds a meaningful integer beyond i64")]
        let float = value as f64;
        Ok(i64::try_from(value).map_or(Scalar::Float(float), Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let Some(first) = sequence.next_element::<Scalar<'de>>()? else { return Ok(Scalar::Compound) };
        let mut is_only = true;
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            is_only = false;
        }
        // Elasticsearch and its shippers write one value as an array of one.
        Ok(if is_only { first } else { Scalar::Compound })
    }

    /// An element of XML that has attributes is an object in JSON, and its value is the `#text` in it.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut value = Scalar::Compound;
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            match key {
                Scalar::Text(key) if key == "#text" => value = map.next_value()?,
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NestedVisitor(PhantomData)).map(Self)
    }
}

struct NestedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NestedVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(sequence).map(|_| None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    nothing_else!();
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor).map(Self)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Borrowed(text)])
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Owned(text.to_owned())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(value) = sequence.next_element()? {
            if let Scalar::Text(text) = value {
                texts.push(text);
            }
        }
        Ok(texts)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Vec::new())
    }

    nothing_else!();
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData)).map(Self)
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(Nested(object)) = sequence.next_element()? {
            objects.extend(object);
        }
        Ok(objects)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Vec::new())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    nothing_else!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Default, Debug)]
    #[serde(default)]
    struct Record<'a> {
        #[serde(borrow)]
        a: Scalar<'a>,
        #[serde(borrow)]
        n: Nested<Inner<'a>>,
    }

    #[derive(Deserialize, Default, Debug)]
    #[serde(default)]
    struct Inner<'a> {
        #[serde(borrow)]
        b: Scalar<'a>,
    }

    #[test]
    fn values_of_any_type_are_read() {
        for (json, expected) in [
            ("{}", Scalar::Null),
            (r#"{"a":null}"#, Scalar::Null),
            (r#"{"a":true}"#, Scalar::Bool(true)),
            (r#"{"a":-3}"#, Scalar::Integer(-3)),
            (r#"{"a":1.5e3}"#, Scalar::Float(1500.0)),
            (r#"{"a":18446744073709551615}"#, Scalar::Float(18_446_744_073_709_551_615.0)),
            (r#"{"a":"x"}"#, Scalar::Text("x".into())),
            (r#"{"a":"\u0078\n"}"#, Scalar::Text("x\n".into())),
            (r#" {"a":[1,{"b":[]}],"z":{"y":{}}} "#, Scalar::Compound),
            (r#"{"a":{"b":"x"}}"#, Scalar::Compound),
            (r##"{"a":{"#attributes":{"q":[]},"#text":3}}"##, Scalar::Integer(3)),
        ] {
            assert_eq!(object::<Record<'_>>(json).unwrap().a, expected, "{json}");
        }
    }

    #[test]
    fn a_nested_object_is_read_and_anything_else_is_nothing() {
        let record: Record<'_> = object(r#"{"n":{"b":"x"}}"#).unwrap();
        assert_eq!(record.n.0.unwrap().b, Scalar::Text("x".into()));
        for json in [
            "{}",
            r#"{"n":null}"#,
            r#"{"n":"x"}"#,
            r#"{"n":[1]}"#,
            r#"{"n":1}"#,
            r#"{"n":-1.5}"#,
            r#"{"n":true}"#,
        ] {
            assert!(object::<Record<'_>>(json).unwrap().n.0.is_none(), "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        let deep = "[".repeat(10_000);
        let deep_object = r#"{"a":"#.repeat(10_000);
        for json in [
            "",
            "null",
            "3",
            "[]",
            r#"["x"]"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":1}{"a":2}"#,
            "{a:1}",
            "{,}",
            &deep,
            &deep_object,
        ] {
            assert!(object::<Record<'_>>(json).is_err(), "{json:.40}");
        }
        assert_eq!(object::<Record<'_>>(r#"{"a":"#).unwrap_err(), Malformed::CutOff);
    }
}
