//! Splunk's HTTP event collector: events that stand side by side, each with a record inside.

use super::DecodedBody;
use crate::ingest::{Delivery, UploadError};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An event at which reading stopped, counted from 0, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadEvent {
    /// Its number.
    pub number: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not JSON.
    NotJson,
    /// There is no `event` in it.
    Absent,
    /// Its text is blank.
    Blank,
}

/// What came of reading the events of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// There is none.
    None,
    /// All were read.
    Read,
    /// Those before this one were read.
    Bad(BadEvent),
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
}

/// Reads events that stand side by side, or in an array.
pub fn read(body: DecodedBody, delivery: &mut Delivery<'_>) -> Result<Events, UploadError> {
    let body = body.whole()?;
    let text = body.trim_ascii();
    if text.is_empty() {
        return Ok(Events::None);
    }
    let inside = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
    let mut rest = inside.unwrap_or(text);
    let mut number = 0;
    while !rest.is_empty() {
        let mut events = serde_json::Deserializer::from_slice(rest).into_iter::<Event<'_>>();
        let Some(event) = events.next() else { break };
        let bad = |fault| Ok(Events::Bad(BadEvent { number, fault }));
        let record = match event {
            Err(_) => return bad(Fault::NotJson),
            Ok(Event { event: None }) => return bad(Fault::Absent),
            Ok(Event { event: Some(event) }) => record(event),
        };
        match record {
            None => return bad(Fault::Absent),
            Some(record) if record.trim().is_empty() => return bad(Fault::Blank),
            // What is malformed is counted; Splunk would have taken it.
            Some(record) => drop(delivery.read(record.as_bytes())?),
        }
        number += 1;
        rest = rest.get(events.byte_offset()..).unwrap_or_default().trim_ascii_start();
        rest = rest.strip_prefix(b",").filter(|_| inside.is_some()).unwrap_or(rest);
    }
    Ok(Events::Read)
}

/// The record that an event is: an object as it was sent, or the text that it is; nothing where it is null.
fn record(event: &RawValue) -> Option<Cow<'_, str>> {
    match event.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        json => Some(Cow::Borrowed(json)),
    }
}
