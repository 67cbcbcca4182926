//! Splunk's HTTP event collector: events that stand side by side, each with a record inside.

use super::DecodedBody;
use crate::ingest::{Delivery, UploadError};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An event that is none, counted from 0, and why.
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
    /// This one is the first that could not be; others were, also behind it where its end is known.
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
    let (mut number, mut first_bad) = (0, None);
    while !rest.is_empty() {
        let mut events = serde_json::Deserializer::from_slice(rest).into_iter::<Event<'_>>();
        let Some(event) = events.next() else { break };
        let fault = match event {
            Err(_) => {
                let bad = BadEvent { number, fault: Fault::NotJson };
                return Ok(Events::Bad(first_bad.unwrap_or(bad)));
            }
            Ok(Event { event }) => match event.and_then(record) {
                None => Some(Fault::Absent),
                Some(record) if record.trim().is_empty() => Some(Fault::Blank),
                Some(record) => {
                    // What is malformed is counted; Splunk would have taken it.
                    delivery.read(record.as_bytes())?;
                    None
                }
            },
        };
        if let Some(fault) = fault {
            // The client learns of the first; not every client sends those behind it again.
            first_bad.get_or_insert(BadEvent { number, fault });
        }
        number += 1;
        rest = rest.get(events.byte_offset()..).unwrap_or_default().trim_ascii_start();
        rest = rest.strip_prefix(b",").filter(|_| inside.is_some()).unwrap_or(rest);
    }
    Ok(first_bad.map_or(Events::Read, Events::Bad))
}

/// The record that an event is: an object as it was sent, or the text that it is; nothing where it is null.
fn record(event: &RawValue) -> Option<Cow<'_, str>> {
    match event.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        json => Some(Cow::Borrowed(json)),
    }
}
