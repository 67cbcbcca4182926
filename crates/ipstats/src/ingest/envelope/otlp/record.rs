//! What is read of a `LogRecord`, in both of its encodings. The numbers are those of opentelemetry-proto 1.x, which promises
//! to keep them.
//!
//! A text is kept as the bytes it is: one that is not UTF-8 is a malformed record, not a malformed request.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use prost::{Message, Oneof};
use serde::de::Error as _;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Message, Deserialize)]
pub(super) struct LogRecord {
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
}

#[derive(Message, Deserialize)]
#[serde(try_from = "Written")]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    value: Option<Value>,
}

#[derive(Oneof)]
#[expect(clippy::enum_variant_names, reason = "the names are those of the JSON encoding")]
enum Value {
    #[prost(bytes, tag = "1")]
    StringValue(Vec<u8>),
    #[prost(bool, tag = "2")]
    BoolValue(bool),
    #[prost(int64, tag = "3")]
    IntValue(i64),
    #[prost(double, tag = "4")]
    DoubleValue(f64),
    #[prost(message, tag = "5")]
    ArrayValue(ArrayValue),
    #[prost(message, tag = "6")]
    KvlistValue(KeyValues),
    #[prost(bytes, tag = "7")]
    BytesValue(Vec<u8>),
}

#[derive(Message, Deserialize)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    #[serde(default)]
    values: Vec<AnyValue>,
}

#[derive(Message, Deserialize)]
struct KeyValues {
    #[prost(message, repeated, tag = "1")]
    #[serde(default)]
    values: Vec<KeyValue>,
}

#[derive(Message, Deserialize)]
struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(default, deserialize_with = "text")]
    key: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

/// A value in JSON: at most one of its kinds, in the type that the JSON of protobuf has for it; null is the same as nothing.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON encoding")]
struct Written {
    string_value: Option<Text>,
    bool_value: Option<bool>,
    int_value: Option<Integer>,
    double_value: Option<Double>,
    array_value: Option<ArrayValue>,
    kvlist_value: Option<KeyValues>,
    bytes_value: Option<Base64>,
}

#[derive(Deserialize)]
struct Text(#[serde(deserialize_with = "text")] Vec<u8>);

#[derive(Deserialize)]
struct Integer(#[serde(deserialize_with = "integer")] i64);

#[derive(Deserialize)]
struct Double(#[serde(deserialize_with = "number")] f64);

#[derive(Deserialize)]
struct Base64(#[serde(deserialize_with = "base64")] Vec<u8>);

impl TryFrom<Written> for AnyValue {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let kinds = [
            written.string_value.map(|Text(text)| Value::StringValue(text)),
            written.bool_value.map(Value::BoolValue),
            written.int_value.map(|Integer(number)| Value::IntValue(number)),
            written.double_value.map(|Double(number)| Value::DoubleValue(number)),
            written.array_value.map(Value::ArrayValue),
            written.kvlist_value.map(Value::KvlistValue),
            written.bytes_value.map(|Base64(bytes)| Value::BytesValue(bytes)),
        ];
        let mut kinds = kinds.into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (value, None) => Ok(Self { value }),
            (_, Some(_)) => Err("a value of two kinds at once"),
        }
    }
}

impl LogRecord {
    /// A log record without a body is an event whose attributes say everything: none that we know.
    pub(super) fn into_record(self) -> Vec<u8> {
        match self.body.and_then(|body| body.value) {
            None => b"{}".to_vec(),
            Some(Value::StringValue(line) | Value::BytesValue(line)) => line,
            Some(other) => serde_json::to_vec(&other).unwrap_or_default(),
        }
    }
}

impl Serialize for AnyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::StringValue(text) => serializer.serialize_str(&String::from_utf8_lossy(text)),
            Self::BoolValue(flag) => serializer.serialize_bool(*flag),
            Self::IntValue(number) => serializer.serialize_i64(*number),
            Self::DoubleValue(number) => serializer.serialize_f64(*number),
            Self::BytesValue(bytes) => serializer.serialize_str(&BASE64_STANDARD.encode(bytes)),
            Self::ArrayValue(ArrayValue { values }) => {
                let mut array = serializer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| array.serialize_element(value))?;
                array.end()
            }
            Self::KvlistValue(KeyValues { values }) => {
                let mut map = serializer.serialize_map(Some(values.len()))?;
                for KeyValue { key, value } in values {
                    map.serialize_entry(&String::from_utf8_lossy(key), value)?;
                }
                map.end()
            }
        }
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// 64-bit integers may be written as text, and are.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Number::deserialize(deserializer)? {
        Number::Integer(number) => Ok(number),
        Number::Text(text) => text.parse().map_err(D::Error::custom),
        Number::Float(_) => Err(D::Error::custom("an integer is expected")),
    }
}

/// `NaN` and the infinities are written as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Number::deserialize(deserializer)? {
        #[expect(clippy::cast_precision_loss, reason = "a double is meant")]
        Number::Integer(number) => Ok(number as f64),
        Number::Float(number) => Ok(number),
        Number::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Float(f64),
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_any_kind_is_a_record() {
        let record = |body: &str| {
            let json = format!(r#"{{"timeUnixNano":"1","severityNumber":9,"body":{body}}}"#);
            let record: LogRecord = serde_json::from_str(&json).unwrap();
            let binary = LogRecord::decode(record.encode_to_vec().as_slice()).unwrap();
            let text = record.into_record();
            assert_eq!(binary.into_record(), text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(record(r#"{"stringValue":"a\tb"}"#), "a\tb");
        assert_eq!(record(r#"{"bytesValue":"e30="}"#), "{}");
        assert_eq!(record("{}"), "{}");
        assert_eq!(record("null"), "{}");
        assert_eq!(
            record(
                r#"{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"7"}},{"key":"b","value":{"arrayValue":
                   {"values":[{"doubleValue":1.5},{"boolValue":true},{"intValue":8},{}]}}},
                   {"key":"n","value":{"doubleValue":"NaN"}}]}}"#
            ),
            r#"{"a":7,"b":[1.5,true,8,null],"n":null}"#
        );
    }

    #[test]
    fn a_value_that_is_not_of_its_kind_is_malformed() {
        let read = |body: &str| serde_json::from_str::<LogRecord>(&format!(r#"{{"body":{body}}}"#));
        for (body, reason) in [
            (r#"{"stringValue":7}"#, "expected a string"),
            (r#"{"boolValue":"true"}"#, "expected a boolean"),
            (r#"{"intValue":1.5}"#, "an integer is expected"),
            (r#"{"bytesValue":"?"}"#, "Invalid symbol"),
            (r#"{"kvlistValue":[7]}"#, "invalid type: integer `7`"),
            (r#"{"arrayValue":{"values":[{"stringValue":{}}]}}"#, "expected a string"),
            (r#"{"stringValue":"a","intValue":"7"}"#, "two kinds at once"),
            ("7", "invalid type: integer `7`"),
        ] {
            let error = read(body).err().unwrap().to_string();
            assert!(error.contains(reason), "{body}: {error}");
        }
        // What is null was not set, and what is not known may come with a later version.
        for nothing in [r#"{"stringValue":null}"#, r#"{"laterValue":7}"#] {
            assert_eq!(read(nothing).unwrap().into_record(), b"{}", "{nothing}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let mut value = AnyValue { value: None };
        for _ in 0..300 {
            value = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![value] })) };
        }
        assert!(AnyValue::decode(value.encode_to_vec().as_slice()).is_err());
        let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(300), "]}}".repeat(300));
        assert!(serde_json::from_str::<AnyValue>(&deep).is_err());
    }
}
