//! The answer to a bulk request: one entry an item, in their order.
//!
//! It can be longer than the request, so it is written while it is sent.

use super::json;
use crate::ingest::envelope::bulk::{Fate, Items, Verb};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame};
use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Bytes that are written at a time.
const CHUNK_BYTES: usize = 32 << 10;

pub(super) struct BulkAnswer {
    items: std::vec::IntoIter<(Verb, Fate)>,
    problems: std::vec::IntoIter<String>,
    /// What comes before the next item; nothing once the answer is complete.
    head: Option<String>,
}

impl BulkAnswer {
    pub(super) fn new(items: Items, took: Duration) -> Self {
        let (took, errors) = (took.as_millis(), items.has_errors());
        // Some shippers look for these words to the letter.
        let head = format!(r#"{{"took":{took},"errors":{errors},"items":["#);
        Self { items: items.items.into_iter(), problems: items.problems.into_iter(), head: Some(head) }
    }

    fn next_chunk(&mut self) -> Option<String> {
        let mut chunk = self.head.take()?;
        while chunk.len() < CHUNK_BYTES {
            let Some((verb, fate)) = self.items.next() else {
                chunk.push_str("]}");
                return Some(chunk);
            };
            self.write(verb, fate, &mut chunk);
            if self.items.len() > 0 {
                chunk.push(',');
            }
        }
        self.head = Some(String::new());
        Some(chunk)
    }

    fn write(&mut self, verb: Verb, fate: Fate, chunk: &mut String) {
        let verb = verb.name();
        let outcome = match fate {
            Fate::Taken => r#""status":201,"result":"created""#.to_owned(),
            Fate::NotFound => r#""status":404,"result":"not_found""#.to_owned(),
            Fate::NotSupported => error(
                "action_request_validation_exception",
                "documents cannot be updated here: send them with create or index",
            ),
            Fate::Malformed => {
                let problem = self.problems.next();
                error(
                    "document_parsing_exception",
                    problem.as_deref().unwrap_or("malformed, as others before it"),
                )
            }
        };
        // Writing to a string does not fail.
        let _ = write!(chunk, r#"{{"{verb}":{{"_index":"ipstats",{outcome}}}}}"#);
    }
}

fn error(kind: &str, reason: &str) -> String {
    let error = serde_json::json!({ "type": kind, "reason": reason });
    format!(r#""status":400,"error":{error}"#)
}

impl IntoResponse for BulkAnswer {
    fn into_response(self) -> Response {
        json(Body::new(self))
    }
}

impl HttpBody for BulkAnswer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next_chunk().map(|chunk| Ok(Frame::data(Bytes::from(chunk)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(items: Items) -> String {
        let mut answer = BulkAnswer::new(items, Duration::from_millis(7));
        std::iter::from_fn(|| answer.next_chunk()).collect()
    }

    #[test]
    fn each_item_has_its_entry() {
        assert_eq!(text(Items::default()), r#"{"took":7,"errors":false,"items":[]}"#);
        let items = vec![
            (Verb::Create, Fate::Taken),
            (Verb::Index, Fate::Malformed),
            (Verb::Delete, Fate::NotFound),
            (Verb::Update, Fate::NotSupported),
            (Verb::Index, Fate::Malformed),
        ];
        let answer = text(Items { items, problems: vec!["no \"ip\"".to_owned()] });
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["errors"], true);
        let statuses: Vec<_> = ["create", "index", "delete", "update", "index"]
            .iter()
            .zip(answer["items"].as_array().unwrap())
            .map(|(verb, item)| item[verb]["status"].clone())
            .collect();
        assert_eq!(statuses, [201, 400, 404, 400, 400]);
        assert_eq!(answer["items"][1]["index"]["error"]["reason"], "no \"ip\"");
    }

    #[test]
    fn a_long_answer_comes_in_chunks() {
        let items = Items { items: vec![(Verb::Create, Fate::Taken); 50_000], problems: vec![] };
        let mut answer = BulkAnswer::new(items, Duration::ZERO);
        let chunks: Vec<_> = std::iter::from_fn(|| answer.next_chunk()).collect();
        assert!(chunks.len() > 10 && chunks.iter().all(|chunk| chunk.len() < 2 * CHUNK_BYTES));
        let answer: serde_json::Value = serde_json::from_str(&chunks.concat()).unwrap();
        assert_eq!(answer["items"].as_array().unwrap().len(), 50_000);
        assert!(chunks[0].contains(r#""errors":false,"items":["#));
    }
}
