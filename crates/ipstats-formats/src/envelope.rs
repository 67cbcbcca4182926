//! Records inside other records: where shippers, brokers and exports put the record they carry.
//!
//! Every transport takes records out of envelopes by this one table, so the same bytes count the same however they arrive.

use crate::json_keys::{JsonKeys, Value};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::str;

/// What an envelope holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inner<'a> {
    /// A record as text: JSON, or a row of a table.
    Text(Cow<'a, str>),
    /// A record as an object.
    Object(&'a str),
    /// Records in an array.
    List(&'a str),
}

/// Keys whose value is the record, the most specific first.
///
/// | key | who writes it |
/// |---|---|
/// | `message` | Beats, Logstash, Vector, rsyslog; `logEvents` of CloudWatch; Splunk's JavaScript logger in `event` |
/// | `log` | Fluent Bit, Docker |
/// | `event.original`, `original` in `event` | Elastic Agent, Logstash's ECS mode |
/// | `MESSAGE` | syslog-ng, journald |
/// | `_raw` | Cribl, Splunk |
/// | `msg` | Splunk's JavaScript logger, in `message` |
/// | `event` | Splunk's HTTP event collector, AWS Network Firewall |
/// | `_source` | exports of Elasticsearch |
/// | `conn` | Zeek's Kafka plugin with tags |
/// | `hits` | answers of Elasticsearch's search, twice |
const RECORD_KEYS: [&str; 11] = [
    "message",
    "log",
    "event.original",
    "original",
    "MESSAGE",
    "_raw",
    "msg",
    "event",
    "_source",
    "conn",
    "hits",
];

/// Keys whose array holds records: Event Hubs and Kinesis (`records`, `Records`), hunting queries (`Results`, `results`),
/// CloudWatch subscriptions (`logEvents`), Elasticsearch's search (`hits`), Log Analytics (`tables`).
pub(crate) const LIST_KEYS: [&str; 7] =
    ["records", "Records", "Results", "results", "logEvents", "hits", "tables"];

/// What the record with these keys may hold, the most likely first.
pub(crate) fn inner<'a>(keys: &JsonKeys<'a>) -> impl Iterator<Item = Inner<'a>> {
    let of_key = |key: &'static str| match keys.value(key)? {
        Value::Text(text) => unescape(text).map(Inner::Text),
        Value::Object(object) => str::from_utf8(object).ok().map(Inner::Object),
        Value::List(_) | Value::Other => None,
    };
    let list_of_key = |key: &'static str| match keys.value(key)? {
        Value::List(list) => str::from_utf8(list).ok().map(Inner::List),
        _ => None,
    };
    // A tag around a record, such as the name of its log.
    let is_known = |key: &&str| keys.has_top(key);
    let tagged = match keys.only_value() {
        Some(Value::Object(object)) if !RECORD_KEYS.iter().any(is_known) => {
            str::from_utf8(object).ok().map(Inner::Object)
        }
        _ => None,
    };
    let records = RECORD_KEYS.into_iter().filter_map(of_key);
    records.chain(LIST_KEYS.into_iter().filter_map(list_of_key)).chain(tagged)
}

/// The elements of an array; none if it is not JSON.
pub(crate) fn elements(list: &str) -> Vec<&str> {
    let elements = serde_json::from_str::<Vec<&RawValue>>(list).unwrap_or_default();
    elements.into_iter().map(RawValue::get).collect()
}

/// The rows of a table of Log Analytics (`{"columns":[{"name":…}],"rows":[[…]]}`) as JSON objects.
pub(crate) fn table_rows(keys: &JsonKeys<'_>) -> Option<Vec<String>> {
    let (Value::List(columns), Value::List(rows)) = (keys.value("columns")?, keys.value("rows")?) else {
        return None;
    };
    let columns: Vec<Column<'_>> = serde_json::from_slice(columns).ok()?;
    let rows: Vec<Vec<&RawValue>> = serde_json::from_slice(rows).ok()?;
    Some(rows.iter().map(|row| object(&columns, row)).collect())
}

#[derive(serde::Deserialize)]
struct Column<'a> {
    #[serde(borrow)]
    name: &'a RawValue,
}

fn object(columns: &[Column<'_>], row: &[&RawValue]) -> String {
    let fields: Vec<_> = columns
        .iter()
        .zip(row)
        .map(|(column, value)| [column.name.get(), ":", value.get()].concat())
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// The text of a JSON string.
fn unescape(string: &[u8]) -> Option<Cow<'_, str>> {
    let inside = string.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inside).is_none() {
        return str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    let mut text = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'\\' => match bytes.next()? {
                same @ (b'"' | b'\\' | b'/') => same,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                // Seldom: code points, backspaces and form feeds.
                _ => return serde_json::from_slice(string).ok().map(Cow::Owned),
            },
            byte => byte,
        });
    }
    String::from_utf8(text).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner_of(record: &str) -> Vec<String> {
        let keys = JsonKeys::new(record.as_bytes());
        let shown = |inner| match inner {
            Inner::Text(text) => format!("text {text}"),
            Inner::Object(object) => format!("object {object}"),
            Inner::List(list) => format!("list {list}"),
        };
        inner(&keys).map(shown).collect()
    }

    #[test]
    fn finds_records_by_key() {
        assert_eq!(inner_of(r#"{"message":"{\"a\":1}","x":1}"#), [r#"text {"a":1}"#]);
        assert_eq!(inner_of(r#"{"x":1,"event":{"a":1}}"#), [r#"object {"a":1}"#]);
        assert_eq!(inner_of(r#"{"x":1,"logEvents":[{"message":"m"}]}"#), [r#"list [{"message":"m"}]"#]);
        assert_eq!(inner_of(r#"{"dns":{"a":1}}"#), [r#"object {"a":1}"#]);
        assert_eq!(inner_of(r#"{"a":1,"b":{"message":"m"}}"#), [""; 0]);
        assert_eq!(inner_of(r#"{"log":7,"message":null}"#), [""; 0]);
    }

    #[test]
    fn unescapes_as_serde_does() {
        for text in [r#""a\\\"b\\\\c\/\n\r\t""#, r#""\u00e9\ud83d\ude00\b\f""#, r#""é\"""#, r#""""#] {
            let expected: String = serde_json::from_str(text).unwrap();
            assert_eq!(unescape(text.as_bytes()).unwrap(), expected, "{text}");
        }
        assert_eq!(unescape(br#""\ud800""#), None);
    }

    #[test]
    fn table_rows_become_objects() {
        let table = r#"{"name":"T","columns":[{"name":"a","type":"int"},{"name":"b","type":"string"}],"rows":[[1,"x"],[2,null]]}"#;
        let rows = table_rows(&JsonKeys::new(table.as_bytes())).unwrap();
        assert_eq!(rows, [r#"{"a":1,"b":"x"}"#, r#"{"a":2,"b":null}"#]);
        assert_eq!(table_rows(&JsonKeys::new(br#"{"columns":1,"rows":[]}"#)), None);
    }
}
